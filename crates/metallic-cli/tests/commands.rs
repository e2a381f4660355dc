//! The program as a user calls it: output and exit codes.

use std::process::{Command, Output};

fn metallic(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_metallic"))
        .args(arguments)
        .env("PYMETALLIC_CACHE_DIR", "")
        .output()
        .expect("the program starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_codes_tell_usage_from_errors() {
    assert_eq!(metallic(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(metallic(&["check"]).status.code(), Some(2));
    assert_eq!(metallic(&["check", "/nowhere.metal"]).status.code(), Some(1));
    assert_eq!(metallic(&["devices"]).status.code(), Some(0));
    assert_eq!(metallic(&["run", "x.metal", "--grid", "wide"]).status.code(), Some(2));
}

#[test]
fn json_is_one_object_per_file() {
    let output = metallic(&["check", "--json", "/nowhere.metal", "/neither.metal"]);
    let lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with(r#"{"file": "/nowhere.metal", "ok": false, "entry_points": [], "diagnostics": ["#));
    assert!(lines[1].contains("unreadable-file"), "{}", lines[1]);
}

#[test]
fn json_spells_types_as_in_msl() {
    let file = std::env::temp_dir().join(format!("metallic-json-types-{}.metal", std::process::id()));
    let source = "kernel void k(device float* a, constant packed_float3& b, device half4x4* c, device ulong2* d,
                              texture2d<uint, access::read> t, threadgroup bfloat* g, uint i [[thread_position_in_grid]]) {
                      g[i] = bfloat(b.x); a[i] = float(c[i][0].x) + float(d[i].x) + float(t.read(uint2(i)).x) + float(g[i]);
                  }";
    std::fs::write(&file, format!("#include <metal_stdlib>\nusing namespace metal;\n{source}")).unwrap();
    let output = text(&metallic(&["check", "--json", &file.to_string_lossy()]).stdout);
    let _ = std::fs::remove_file(&file);
    let types = [
        "device float*",
        "constant packed_float3&",
        "device half4x4*",
        "device ulong2*",
        "texture2d<uint>",
        "threadgroup bfloat*",
    ];
    for wanted in types {
        assert!(output.contains(&format!("\"type\": \"{wanted}\"")), "{wanted}: {output}");
    }
}

#[test]
fn doctor_lists_every_variable() {
    let output = text(&metallic(&["doctor"]).stdout);
    for variable in metallic::env::ALL {
        assert!(output.contains(variable.name));
    }
}

#[test]
fn bytes_that_are_not_utf_8_may_stand_in_comments() {
    let folder = std::env::temp_dir().join(format!("metallic-encodings-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let check = |source: &[u8]| {
        let file = folder.join("kernel.metal");
        std::fs::write(&file, source).unwrap();
        text(&metallic(&["check", &file.to_string_lossy()]).stdout)
    };
    std::fs::write(folder.join("a.h"), b"// M\xfcller\rconstant int n = 1;\r").unwrap();
    let kernel = b"// Z\xfcrich\r#include \"a.h\"\rkernel void k(device int* o) { o[0] = n; }";
    let said = check(kernel);
    assert!(said.ends_with("kernel.metal: ok, 1 kernel\n"), "{said}");
    let said = check(b"constant int \xfc = 1;");
    assert!(said.contains(":1:14: error: the character U+FFFD has no meaning here"), "{said}");
    std::fs::write(folder.join("a.h"), b"constant char s[] = \"\xfc\";").unwrap();
    let said = check(kernel);
    assert!(said.contains("cannot be read") && said.contains("a.h: the literal in line 1 is not UTF-8"), "{said}");
    let _ = std::fs::remove_dir_all(&folder);
}
