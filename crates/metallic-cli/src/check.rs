//! `metallic check`: every kernel of a file, compiled to machine code for the device.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Args;
use metallic::{CompileError, ComputePipelineState, Device, Diagnostic, Error};
use msl::json::quoted;

use crate::{Outcome, json, options};

#[derive(Args)]
pub struct Arguments {
    /// Sources
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object per file and line
    #[arg(long)]
    json: bool,
    /// Check this kernel only
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    #[command(flatten)]
    compile: options::Compile,
    #[command(flatten)]
    target: options::Target,
}

/// What was found in one file.
struct Checked {
    entry_points: Vec<(String, Result<ComputePipelineState, Error>)>,
    warnings: Vec<Diagnostic>,
    error: Option<Error>,
}

impl Checked {
    fn is_ok(&self) -> bool {
        self.error.is_none() && self.entry_points.iter().all(|(_, result)| result.is_ok())
    }
}

pub fn check(arguments: &Arguments) -> Outcome {
    let device = arguments.target.open()?;
    // Files are independent; results are printed in the order of the arguments.
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<(bool, String)>>> = arguments.files.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(arguments.files.len());
    let work = || {
        while let Some(file) = arguments.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let at = arguments.files.iter().position(|f| std::ptr::eq(f, file)).expect("it comes from the list");
            let checked = check_file(arguments, &device, file);
            let text = if arguments.json { as_json(file, &checked) } else { as_text(file, &checked) };
            *results[at].lock().expect("no thread panics while it holds a result") = Some((checked.is_ok(), text));
        }
    };
    let mut all_ok = true;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        for result in &results {
            loop {
                if let Some((is_ok, text)) = result.lock().expect("as above").take() {
                    all_ok &= is_ok;
                    print(&text);
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
    });
    Ok(all_ok)
}

/// A closed pipe ends the output, not the work.
pub fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn check_file(arguments: &Arguments, device: &Device, file: &Path) -> Checked {
    let mut checked = Checked { entry_points: Vec::new(), warnings: Vec::new(), error: None };
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => {
            checked.error = Some(error);
            return checked;
        }
    };
    let mut options = arguments.compile.options(&file.display().to_string());
    options.checks_bodies = false;
    let library = match device.make_library(&text, &options) {
        Ok(library) => library,
        Err(error) => {
            checked.error = Some(error);
            return checked;
        }
    };
    checked.warnings = library.warnings();
    let constants = arguments.compile.constants();
    let names = match &arguments.entry {
        Some(name) => vec![name.clone()],
        None => library.function_names(),
    };
    checked.entry_points = names
        .into_iter()
        .map(|name| {
            let function = library.make_function_with_constants(&name, &constants);
            let pipeline = function.and_then(|function| device.make_compute_pipeline_state(&function));
            (name, pipeline)
        })
        .collect();
    checked
}

/// The text of a source; what cannot be read is reported like an error in it.
pub fn read(file: &Path) -> Result<String, Error> {
    let fail = |id: &str, message: String| {
        let rendered = format!("{}: error: {message}", file.display());
        let diagnostic =
            Diagnostic { id: id.into(), is_error: true, message, place: None, notes: Vec::new(), help: None };
        Error::Compile(CompileError { rendered, diagnostics: vec![diagnostic] })
    };
    let bytes = std::fs::read(file).map_err(|error| fail("unreadable-file", error.to_string()))?;
    msl::decode(bytes).map_err(|error| fail("unreadable-file", error))
}

/// An error as diagnostics, whatever it is.
fn diagnostics(error: &Error) -> Vec<Diagnostic> {
    match error {
        Error::Compile(error) if !error.diagnostics.is_empty() => error.diagnostics.clone(),
        other => {
            let id = match other {
                Error::Pipeline(message) if message.contains("unsupported-") => "unsupported-by-device",
                Error::Pipeline(_) => "pipeline",
                Error::Function(_) => "function",
                _ => "error",
            };
            let message = other.to_string();
            vec![Diagnostic { id: id.into(), is_error: true, message, place: None, notes: Vec::new(), help: None }]
        }
    }
}

fn as_json(file: &Path, checked: &Checked) -> String {
    let entry_points = json::list(&checked.entry_points, |(name, result)| {
        let (bindings, messages) = match result {
            Ok(pipeline) => (json::bindings(pipeline), Vec::new()),
            Err(error) => ("[]".into(), diagnostics(error)),
        };
        let messages = json::list(&messages, json::diagnostic);
        let (name, ok) = (quoted(name), result.is_ok());
        format!("{{\"name\": {name}, \"ok\": {ok}, \"bindings\": {bindings}, \"diagnostics\": {messages}}}")
    });
    let mut messages = checked.warnings.clone();
    messages.extend(checked.error.iter().flat_map(diagnostics));
    let messages = json::list(&messages, json::diagnostic);
    let (name, ok) = (quoted(&file.display().to_string()), checked.is_ok());
    format!("{{\"file\": {name}, \"ok\": {ok}, \"entry_points\": {entry_points}, \"diagnostics\": {messages}}}\n")
}

fn as_text(file: &Path, checked: &Checked) -> String {
    let file = file.display();
    let mut out = String::new();
    for warning in checked.warnings.iter().filter(|d| !d.is_error) {
        let at =
            warning.place.as_ref().map_or_else(|| file.to_string(), |p| format!("{}:{}:{}", p.file, p.line, p.column));
        let _ = writeln!(out, "{at}: warning: {} [{}]", warning.message, warning.id);
    }
    if let Some(error) = &checked.error {
        let _ = writeln!(out, "{error}");
    }
    // Kernels that share a mistake report it once.
    let mut seen = Vec::new();
    for (name, result) in &checked.entry_points {
        if let Err(error) = result {
            let text = error.to_string();
            if !seen.contains(&text) {
                let _ = writeln!(out, "{file}: in kernel {name}:\n{text}");
                seen.push(text);
            }
        }
    }
    let good = checked.entry_points.iter().filter(|(_, result)| result.is_ok()).count();
    let all = checked.entry_points.len();
    let _ = match (checked.is_ok(), all) {
        (true, 1) => writeln!(out, "{file}: ok, 1 kernel"),
        (true, n) => writeln!(out, "{file}: ok, {n} kernels"),
        (false, 0) => writeln!(out, "{file}: failed"),
        (false, n) => writeln!(out, "{file}: failed, {good} of {n} kernels are ok"),
    };
    out
}
