//! Programs in C and Python use the library as its users do. Each file `tests/capi/*.c` is a program that
//! is compiled against the header and the shared library and run on every device of this build.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where cargo puts the shared library for tests: beside their own executables.
fn library() -> PathBuf {
    let directory = std::env::current_exe().expect("a test has a path").parent().expect("it lies somewhere").to_owned();
    let name = format!("{}pymetallic{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    directory.join(name)
}

/// The devices of this build that are worth a run.
fn devices() -> Vec<&'static str> {
    ["null", "interp", "cpu"].into_iter().filter(|id| metallic::Device::by_name(id).is_ok()).collect()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn expect_success(what: &str, output: &Output) {
    assert!(
        output.status.success(),
        "{what}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Compiles a program and runs it on every device.
fn check_program(source: &Path) {
    let name = source.file_stem().and_then(OsStr::to_str).expect("the files have plain names");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let library = library();
    let directory = library.parent().expect("it lies somewhere");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut compile = Command::new(&compiler);
    compile.args(["-std=c11", "-g", "-Wall", "-Wextra", "-Werror", "-pedantic", "-pthread", "-I"]);
    compile.arg(root().join("include")).arg(source).arg("-o").arg(&program);
    compile.arg(&library).arg(format!("-Wl,-rpath,{}", directory.display()));
    expect_success("the compiler", &run(&mut compile));
    for device in devices() {
        let output = run(Command::new(&program).env("PYMETALLIC_DEVICE", device));
        expect_success(&format!("{name} on {device}"), &output);
    }
    let _ = std::fs::remove_file(&program);
}

#[test]
fn c_programs_run() {
    let directory = root().join("tests/capi");
    let mut sources: Vec<PathBuf> = std::fs::read_dir(&directory)
        .expect("tests/capi exists")
        .map(|entry| entry.expect("tests/capi can be read").path())
        .filter(|path| path.extension() == Some(OsStr::new("c")))
        .collect();
    sources.sort();
    assert!(!sources.is_empty());
    sources.iter().for_each(|source| check_program(source));
}

#[test]
fn python_programs_run() {
    let works = |python: &&str| Command::new(python).arg("--version").output().is_ok();
    let Some(python) = ["python3", "python"].into_iter().find(works) else {
        eprintln!("there is no Python: not tested");
        return;
    };
    let script = root().join("tests/capi/test_ctypes.py");
    for device in devices() {
        let mut command = Command::new(python);
        command.arg(&script).env("PYMETALLIC_DEVICE", device).env("PYMETALLIC_LIBRARY", library());
        expect_success(&format!("test_ctypes.py on {device}"), &run(&mut command));
    }
}
