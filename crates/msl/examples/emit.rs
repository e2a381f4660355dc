//! Shows a stage of a source, or compiles all of it and says how long that took:
//! `cargo run -p msl --example emit -- STAGE|check FILE [FUNCTION]`.

use std::path::Path;
use std::time::Instant;

use msl::{CompileOptions, EmitOptions, FileProvider, FunctionConstantValues, IncludedFile, Library, Stage, emit};

/// Files beside the includer.
struct Files;

impl FileProvider for Files {
    fn read(&self, path: &str, includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let full = Path::new(includer).parent().unwrap_or(Path::new("")).join(path);
        if !full.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&full).map_err(|e| e.to_string())?;
        Ok(Some(IncludedFile { name: full.to_string_lossy().into_owned(), text: text.into() }))
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [stage, file, rest @ ..] = &args[..] else {
        eprintln!("usage: emit STAGE|check FILE [FUNCTION]");
        std::process::exit(2);
    };
    let source = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let result = match Stage::from_name(stage) {
        Some(stage) => {
            let options =
                EmitOptions { function: rest.first().cloned(), after: rest.get(1).cloned(), ..Default::default() };
            emit(stage, file, &source, &options, &Files).map(|text| print!("{text}"))
        }
        None => check(file, &source, rest.first().map(String::as_str)),
    };
    if let Err(e) = result {
        eprint!("{e}");
        std::process::exit(1);
    }
}

fn check(file: &str, source: &str, only: Option<&str>) -> Result<(), msl::CompileError> {
    println!("prelude {:?}", msl::prelude_time()?);
    let start = Instant::now();
    let library = Library::open(file, source, &CompileOptions::default(), &Files)?;
    println!("{file}: open {:?} {:?}", start.elapsed(), library.times());
    print!("{}", library.warnings());
    let (mut good, mut bad) = (0, 0);
    for entry in library.entry_points().iter().filter(|e| only.is_none_or(|o| o == e.as_str())) {
        let start = Instant::now();
        match library.compile(entry, &FunctionConstantValues::default()) {
            Ok(_) => good += 1,
            Err(e) => {
                bad += 1;
                if bad <= 3 {
                    println!("{entry}:\n{e}");
                }
            }
        }
        if start.elapsed().as_millis() > 500 {
            println!("{entry}: {:?}", start.elapsed());
        }
    }
    println!("{file}: {good} compiled, {bad} failed, {:?}", start.elapsed());
    Ok(())
}
