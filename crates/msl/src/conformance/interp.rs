//! Runs cases on the interpreter.

use std::collections::BTreeMap;

use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options, RaceCheck, TextureRef};
use msl_ir::{Module, ParamKind};

use super::{Executor, Files, Launch, Memory, Texture};
use crate::{CompileError, CompileOptions, FunctionConstantValues, Library};

/// An executor that checks everything the interpreter can check, races within threadgroups included.
#[derive(Debug, Default)]
pub struct Interpreter {
    library: Option<Library>,
    module: Option<Module>,
    is_unoptimized: bool,
}

impl Interpreter {
    pub fn new() -> Interpreter {
        Interpreter::default()
    }
    /// Executes what the front end gives before passes have touched it.
    pub fn unoptimized() -> Interpreter {
        Interpreter { is_unoptimized: true, ..Interpreter::default() }
    }
}

/// Ends loops that wait for something that cannot happen.
const STEP_LIMIT: u64 = 200_000_000;

impl Executor for Interpreter {
    fn open(&mut self, name: &str, source: &str, options: &CompileOptions, files: &Files) -> Result<(), CompileError> {
        self.library = Some(Library::open(name, source, options, files)?);
        Ok(())
    }

    fn compile(&mut self, kernel: &str, constants: &FunctionConstantValues) -> Result<(), CompileError> {
        let Some(library) = &self.library else { return Ok(()) };
        self.module = Some(if self.is_unoptimized {
            library.compile_unoptimized(kernel, constants)?
        } else {
            library.compile(kernel, constants)?.module
        });
        Ok(())
    }

    fn launch(&mut self, launch: &Launch<'_>, memory: &mut Memory) -> Result<(), String> {
        let module = self.module.as_ref().ok_or("nothing was compiled")?;
        let options = Options { races: RaceCheck::Threadgroup, step_limit: Some(STEP_LIMIT), ..Options::default() };
        let mut machine = Machine::new(module, launch.kernel, options).map_err(|e| e.to_string())?;
        let entry = module.entry_points.iter().find(|e| e.name == launch.kernel).ok_or("the kernel is gone")?;
        let mut buffers: BTreeMap<u32, &mut Vec<u8>> = memory.buffers.iter_mut().map(|(&i, b)| (i, b)).collect();
        let mut textures: BTreeMap<u32, &mut Texture> = memory.textures.iter_mut().map(|(&i, t)| (i, t)).collect();
        for (position, param) in entry.params.iter().enumerate() {
            let missing = || format!("nothing is bound to {} {}", param.name, param.index);
            let argument = match param.kind {
                ParamKind::Buffer { .. } => buffers.remove(&param.index).map(|b| Argument::Buffer(BufferRef::new(b))),
                ParamKind::Threadgroup { .. } => {
                    launch.threadgroup_memory.get(&param.index).map(|&size| Argument::Threadgroup(size))
                }
                ParamKind::Texture { array_len, .. } => {
                    let range = param.index..param.index.saturating_add(array_len.max(1));
                    let bound: Option<Vec<_>> = range
                        .map(|i| textures.remove(&i))
                        .map(|t| {
                            t.map(|t| TextureRef { descriptor: t.descriptor(), data: BufferRef::new(&mut t.bytes) })
                        })
                        .collect();
                    bound.map(Argument::Textures)
                }
                ParamKind::Sampler => launch.samplers.get(&param.index).map(|&s| Argument::Sampler(s)),
            };
            match argument {
                Some(argument) => machine.bind(position, argument),
                None if param.used => return Err(missing()),
                None => {}
            }
        }
        machine
            .dispatch(launch.grid, launch.threadgroup, DispatchKind::Threads)
            .map_err(|fault| format!("{}: {fault}", fault.kind.id()))
    }
}
