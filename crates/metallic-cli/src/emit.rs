//! `metallic emit`: what a phase of the compiler makes of a file.

use std::path::PathBuf;

use clap::Args;
use msl::{EmitOptions, Stage};

use crate::{Outcome, check, options};

#[derive(Args)]
pub struct Arguments {
    /// Source
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// tokens, pp, ast, hir, ir, reflection, llvm or asm
    #[arg(long, default_value = "ir")]
    stage: String,
    /// One kernel; otherwise all
    #[arg(long, visible_alias = "function", value_name = "NAME")]
    entry: Option<String>,
    /// With --stage ir: after this pass, or after all for `last`
    #[arg(long, value_name = "PASS")]
    after: Option<String>,
    /// With --stage llvm or asm: the size of threadgroups
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = options::parse_size)]
    threadgroup: Option<metallic::Size>,
    #[command(flatten)]
    compile: options::Compile,
}

pub fn emit(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display().to_string();
    let text = check::read(&arguments.file)?;
    let options = arguments.compile.options(&name);
    let Some(stage) = Stage::from_name(&arguments.stage) else {
        return emit_machine_code(arguments, &text);
    };
    let emit_options = EmitOptions {
        compile: options.to_msl(),
        constants: metallic::msl_constants(&text, &options, &arguments.compile.constants())?,
        function: arguments.entry.clone(),
        after: arguments.after.clone(),
    };
    let out = msl::emit(stage, &name, &text, &emit_options, &options.file_provider())?;
    check::print(&out);
    Ok(true)
}

fn emit_machine_code(arguments: &Arguments, _text: &str) -> Outcome {
    let known = Stage::ALL.map(Stage::name).join(", ");
    Err(format!("there is no stage {}; there are: {known}", arguments.stage).into())
}
