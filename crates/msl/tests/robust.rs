//! Whatever the text, the answer is a library or messages: no panic, no overflow of the stack, no hang.

use msl::{CompileOptions, FunctionConstantValues, Library, NoFiles};

/// Opens a source and compiles all of it; the compiler must not fail by itself.
fn survives(source: &str) {
    let check = |e: &msl::CompileError| {
        let ice = e.diagnostics().iter().find(|d| d.id.starts_with("ice"));
        assert!(ice.is_none(), "{:?}\nfor: {}", ice, source.chars().take(200).collect::<String>());
    };
    match Library::open("fuzz.metal", source, &CompileOptions::default(), &NoFiles) {
        Err(e) => check(&e),
        Ok(library) => {
            for entry in library.entry_points() {
                if let Err(e) = library.compile(&entry, &FunctionConstantValues::default()) {
                    check(&e);
                }
            }
        }
    }
}

fn kernel(body: &str) -> String {
    format!("kernel void f(device int* p [[buffer(0)]]) {{ {body} }}")
}

#[test]
fn deep_nesting() {
    let n = 20_000;
    survives(&kernel(&format!("p[0] = {}1{};", "(".repeat(n), ")".repeat(n))));
    survives(&kernel(&format!("p[0] = {}1;", "-".repeat(n))));
    survives(&kernel(&format!("p[0] = {}1;", "1+".repeat(n))));
    survives(&kernel(&format!("{}{}", "{".repeat(n), "}".repeat(n))));
    survives(&kernel(&"if (1) ".repeat(n)));
    survives(&"namespace a {".repeat(n));
    survives(&format!("int x = {};", "a<".repeat(n)));
    survives(&format!("struct S {{ int{} x; }};", "*".repeat(n)));
}

#[test]
fn broken_pieces_of_good_sources() {
    let good = include_str!("../../../tests/run/structs.metal");
    // Cut everywhere (in steps, to be quick), so that every construct is seen unfinished.
    for end in (0..good.len()).step_by(97) {
        survives(&good[..end]);
        survives(&good[end..]);
    }
}

#[test]
fn control_characters_and_strange_tokens() {
    for source in [
        "", "\0", "\u{feff}", "\\", "#", "##", "#define", "#if", "'", "\"", "R\"(", "/*", "@", "`", "é", "[[", "]]",
        "<<<", "::", "0x", "1e", "1.f.f",
    ] {
        survives(source);
        survives(&kernel(source));
    }
}

#[test]
fn libraries_are_compiled_from_several_threads() {
    let source = kernel("p[0] += 1;");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| survives(&source));
        }
    });
}
