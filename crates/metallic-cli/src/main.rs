//! The `metallic` program: the command line of the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Names of files that are no Unicode lose what they cannot show; the file is then reported as missing.
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    ExitCode::from(metallic_cli::run(arguments))
}
