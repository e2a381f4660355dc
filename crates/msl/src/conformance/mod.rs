//! Run-time tests written as comments in `.metal` files; one expectation for every device.
//!
//! ```text
//! // Anything else in a comment is prose.
//! // buffer 0: f32 = iota(33)
//! // buffer 1: f32 = zeros(33)
//! // dispatch: double_it grid=33 threadgroup=32
//! // expect 1: f32 = expr(33, 2*i)
//! ```
//!
//! Directives are carried out in order, so a file may dispatch several times and look in between:
//!
//! - `options: std=3.1 math=safe|relaxed|fast define=NAME=VALUE` before everything else;
//! - `buffer N: TYPE = VALUES` and `threadgroup N: BYTES` set an argument, `constant NAME: TYPE = VALUE` a function
//!   constant (by name or index);
//! - `dispatch: KERNEL grid=X,Y,Z threadgroup=X,Y,Z` runs, by threads; `groups=X,Y,Z` instead of `grid` by threadgroups;
//! - `expect N: TYPE = VALUES` compares exactly (any NaN equals any NaN), `expect N: TYPE ~ 1e-5 = VALUES` within an absolute or
//!   relative tolerance; `expect N[K]: …` starts at element K;
//! - `texture N: FORMAT WxHxD array=A levels=L = VALUES` binds a texture (Metal's format name; `xD` only where there is
//!   depth, slices or faces and mipmap levels only where there are several),
//!   `expect texture N: TYPE = VALUES` looks at its texels, `sampler N: linear repeat …` binds a sampler (see `texture.rs`);
//! - `fault: WORD` before a `dispatch` says that it must fail with a message holding the word;
//! - `gives: TYPE = VALUES` is short for a buffer 0 of zeros, a dispatch of the kernel `f` with one thread, and what is then
//!   expected in the buffer; `gives N: …` takes a threadgroup of N threads;
//! - `error: ID` says that compiling must fail with that diagnostic;
//! - `graphics-only: ID` says the same of what serves graphics alone;
//! - `see: FILE (CASE)` refers to a case that shows the same;
//! - `known failure: REASON` says that the case does not pass yet; it is an error when it does.
//!
//! Types are those of the IR (`f32 f16 bf16 i8 … u64 bool`). Values are numbers (`1`, `-2.5`, `0x1f`, `nan`, `inf`) and
//! `zeros(n)`, `iota(n)`, `iota(n, start, step)`, `fill(n, value)`, `random(n, seed)` (in [0, 1)), `expr(n, formula in i)`;
//! a type followed by a colon switches to it, for structures: `f32: 1.5 u32: 7`.
//!
//! `//--- name` starts a new case with its own source. What stands before the first such line is a heading; its code, if there
//! is any, stands before that of every case.

pub mod accuracy;
mod formula;
mod interp;
mod script;
mod texture;
mod value;

pub use interp::Interpreter;
pub use script::{CONVENTIONAL_KERNEL, Case, Directive, Step, Tolerance, parse_file};
pub use texture::Texture;
pub use value::{TypedValues, decode};

use std::collections::BTreeMap;

use crate::{CompileError, CompileOptions, ConstantValue, FileProvider, FunctionConstantValues};

/// One kernel launch, as a device sees it.
#[derive(Debug)]
pub struct Launch<'a> {
    pub kernel: &'a str,
    pub constants: &'a FunctionConstantValues,
    /// Threads of the grid.
    pub grid: [u32; 3],
    pub threadgroup: [u32; 3],
    pub threadgroup_memory: &'a BTreeMap<u32, u32>,
    pub samplers: &'a BTreeMap<u32, msl_ir::SamplerState>,
}

/// What kernels of a case read and write, by index.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub buffers: BTreeMap<u32, Vec<u8>>,
    pub textures: BTreeMap<u32, Texture>,
}

/// Where `#include` finds files.
pub type Files = dyn FileProvider + Sync;

/// Something that compiles and runs kernels.
pub trait Executor {
    /// Compiles a source; cases that expect an error call nothing else.
    fn open(&mut self, name: &str, source: &str, options: &CompileOptions, files: &Files) -> Result<(), CompileError>;
    /// Compiles one kernel of the source opened last, so that errors in it are found before it runs.
    fn compile(&mut self, kernel: &str, constants: &FunctionConstantValues) -> Result<(), CompileError>;
    /// Runs a kernel; buffers and textures are changed in place.
    fn launch(&mut self, launch: &Launch<'_>, memory: &mut Memory) -> Result<(), String>;
}

/// Runs every case of a file. The error lists what went wrong, case by case.
pub fn run_file(name: &str, text: &str, files: &Files, executor: &mut dyn Executor) -> Result<(), String> {
    let cases = parse_file(name, text)?;
    let mut failures = Vec::new();
    for case in &cases {
        let result = run_case(case, files, executor);
        match (&case.known_failure, result) {
            (None, Err(e)) => failures.push(format!("{}: {e}", case.name)),
            (Some(reason), Ok(())) => failures.push(format!(
                "{}: passes although it is marked as a known failure ({reason}); remove the mark",
                case.name
            )),
            (None, Ok(())) | (Some(_), Err(_)) => {}
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

pub fn run_case(case: &Case, files: &Files, executor: &mut dyn Executor) -> Result<(), String> {
    let opened = executor.open(&case.name, &case.source, &case.options, files);
    if let Err(error) = opened {
        return expect_error(case, &error);
    }
    let mut constants = FunctionConstantValues::default();
    let mut memory = Memory::default();
    let mut samplers = BTreeMap::new();
    let mut threadgroup_memory = BTreeMap::new();
    let mut fault = None;
    for Directive { line, step } in &case.directives {
        let at = |e: String| format!("line {line}: {e}");
        match step {
            Step::Buffer(index, bytes) => {
                memory.buffers.insert(*index, bytes.clone());
            }
            Step::Texture(index, texture) => {
                memory.textures.insert(*index, texture.clone());
            }
            Step::Sampler(index, sampler) => {
                samplers.insert(*index, *sampler);
            }
            Step::Threadgroup(index, size) => {
                threadgroup_memory.insert(*index, *size);
            }
            Step::Constant(name, value) => set_constant(&mut constants, name, *value),
            Step::Fault(word) => fault = Some(word),
            Step::Dispatch { kernel, size, is_groups, threadgroup } => {
                if let Err(error) = executor.compile(kernel, &constants) {
                    return expect_error(case, &error);
                }
                let mut grid = *size;
                if *is_groups {
                    (0..3).for_each(|i| grid[i] = grid[i].saturating_mul(threadgroup[i]));
                }
                let launch = Launch {
                    kernel,
                    constants: &constants,
                    grid,
                    threadgroup: *threadgroup,
                    threadgroup_memory: &threadgroup_memory,
                    samplers: &samplers,
                };
                match (executor.launch(&launch, &mut memory), fault.take()) {
                    (Ok(()), None) => {}
                    (Err(e), None) => return Err(at(format!("dispatch of {kernel} failed: {e}"))),
                    (Err(e), Some(word)) if e.contains(word.as_str()) => {}
                    (Err(e), Some(word)) => return Err(at(format!("expected a fault with '{word}', got: {e}"))),
                    (Ok(()), Some(word)) => return Err(at(format!("expected a fault with '{word}', got none"))),
                }
            }
            Step::Expect { is_texture, index, start, values, tolerance } => {
                let (what, bytes) = if *is_texture {
                    ("texture", memory.textures.get(index).map(|t| &t.bytes))
                } else {
                    ("buffer", memory.buffers.get(index))
                };
                let Some(bytes) = bytes else { return Err(at(format!("there is no {what} {index}"))) };
                values.compare(bytes, *start, *tolerance).map_err(|e| at(format!("{what} {index}: {e}")))?;
            }
        }
    }
    let has_dispatch = case.directives.iter().any(|d| matches!(d.step, Step::Dispatch { .. }));
    if case.error.is_some()
        && !has_dispatch
        && let Err(error) = executor.compile(CONVENTIONAL_KERNEL, &constants)
    {
        return expect_error(case, &error);
    }
    match &case.error {
        Some(id) => Err(format!("expected the error '{id}', but it compiles")),
        None => Ok(()),
    }
}

fn set_constant(constants: &mut FunctionConstantValues, name: &str, value: ConstantValue) {
    match name.parse() {
        Ok(index) => constants.set_index(index, value),
        Err(_) => constants.set_name(name, value),
    }
}

fn expect_error(case: &Case, error: &CompileError) -> Result<(), String> {
    match &case.error {
        Some(id) if error.diagnostics().iter().any(|d| d.id == id.as_str()) => Ok(()),
        Some(id) => Err(format!("expected the error '{id}', got\n{error}")),
        None => Err(format!("does not compile\n{error}")),
    }
}
