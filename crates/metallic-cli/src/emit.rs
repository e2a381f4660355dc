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
    /// tokens, pp, ast, hir, ir, reflection, or a stage of the device such as llvm or asm; ptx and sass (machine
    /// code of NVIDIA GPUs, by NVIDIA's programs) on any device
    #[arg(long, default_value = "ir")]
    stage: String,
    /// One kernel; otherwise all
    #[arg(long, visible_alias = "function", value_name = "NAME")]
    entry: Option<String>,
    /// With --stage ir: after this pass, or after all for `last`
    #[arg(long, value_name = "PASS")]
    after: Option<String>,
    /// With --stage llvm, asm, ptx or sass: the size of threadgroups
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = options::parse_size)]
    threadgroup: Option<metallic::Size>,
    #[command(flatten)]
    compile: options::Compile,
    #[command(flatten)]
    target: options::Target,
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

fn emit_machine_code(arguments: &Arguments, text: &str) -> Outcome {
    let device = arguments.target.open()?;
    let mut options = arguments.compile.options(&arguments.file.display().to_string());
    options.checks_bodies = false;
    let library = device.make_library(text, &options)?;
    let names = arguments.entry.clone().map_or_else(|| library.function_names(), |name| vec![name]);
    let threadgroup = arguments.threadgroup.unwrap_or(options::THREADGROUP);
    for name in names {
        let function = library.make_function_with_constants(&name, &arguments.compile.constants())?;
        check::print(&device.emit(&function, &arguments.stage, threadgroup)?);
    }
    Ok(true)
}
