//! The command line: `metallic check | emit | explain | run | devices | doctor`.
//!
//! Translates arguments into calls of `metallic` and `msl`, and results into text or JSON. Exits
//! with 0 when all is well, 1 when there were errors, 2 when the arguments make no sense.
//!
//! A library, for the command exists twice: as a program of its own and inside the Python package, whose
//! extension contains the compiler already.

/// Prints a line; nobody may be reading any more, which is no error.
macro_rules! say {
    ($($arguments:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($arguments)*);
    }};
}

mod check;
mod emit;
mod explain;
mod json;
mod options;
mod report;
mod run;
mod value;

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
    /// Say what became of each line of a kernel, and what would make it faster
    Explain(explain::Arguments),
    /// Run a kernel of a file on buffers described by the arguments
    Run(run::Arguments),
    /// List the devices
    Devices,
    /// Show what matters for this machine: devices, versions, settings
    Doctor,
}

/// Everything that ends with exit code 1 and a message.
type Outcome = Result<bool, Box<dyn std::error::Error>>;

/// Runs the command with the arguments of a process, the first of which is its name; gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = String>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments.into_iter().map(options::long_form)) {
        Ok(arguments) => arguments,
        // A request for help is one of these "errors" and has the code 0.
        Err(message) => {
            let _ = message.print();
            return u8::try_from(message.exit_code()).unwrap_or(2);
        }
    };
    let outcome = match arguments.command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Emit(arguments) => emit::emit(&arguments),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Devices => report::devices(),
        Command::Doctor => report::doctor(),
    };
    match outcome {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(error) => {
            eprintln!("error: {error}");
            1
        }
    }
}
