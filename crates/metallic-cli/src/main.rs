//! The command line: `metallic check | emit | run | devices | doctor`.
//!
//! Translates arguments into calls of `metallic` and `msl`, and results into text or JSON. Exits
//! with 0 when all is well, 1 when there were errors, 2 when the arguments make no sense.

/// Prints a line; nobody may be reading any more, which is no error.
macro_rules! say {
    ($($arguments:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($arguments)*);
    }};
}

mod check;
mod emit;
mod json;
mod options;
mod report;
mod run;
mod value;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Compile and run kernels written in the Metal Shading Language.
#[derive(Parser)]
#[command(name = "metallic", version, after_help = ENVIRONMENT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const ENVIRONMENT: &str = "Environment variables are listed by `metallic doctor`.";

#[derive(Subcommand)]
enum Command {
    /// Compile every kernel of the files for a device and report what is wrong with them
    Check(check::Arguments),
    /// Show what a phase of the compiler makes of a file
    Emit(emit::Arguments),
    /// Run a kernel of a file on buffers described by the arguments
    Run(run::Arguments),
    /// List the devices
    Devices,
    /// Show what matters for this machine: devices, versions, settings
    Doctor,
}

/// Everything that ends with exit code 1 and a message.
type Outcome = Result<bool, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(std::env::args().map(options::long_form));
    let outcome = match arguments.command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Emit(arguments) => emit::emit(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Devices => report::devices(),
        Command::Doctor => report::doctor(),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}
