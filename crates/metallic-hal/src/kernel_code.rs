//! A kernel as the front end gives it to all devices: what is known about it, and its code once somebody asks.
//!
//! A device that has machine code for a kernel on disk asks for [`KernelCode::facts`] and
//! [`KernelCode::digest`] only, and where these are on disk too, nothing is compiled at all: [`KernelOrigin`] gives the
//! module when the first who needs it asks.

use std::sync::{Arc, OnceLock};

use msl_base::{SourceMap, Symbol};
use msl_ir::{AddressSpace, Block, Builtin, EntryPoint, Function, FunctionId, Module, Op, ParamKind};

use crate::bytes::{Reader, Writer};
use crate::cache::Key;
use crate::{Error, Result};

/// See the module. Promised: facts and digest are those of the module.
pub struct KernelCode {
    facts: KernelFacts,
    origin: Box<dyn KernelOrigin>,
    digest: OnceLock<Key>,
    module: OnceLock<Result<Arc<Module>>>,
}

/// Where the code of a kernel comes from.
pub trait KernelOrigin: Send + Sync {
    /// Holds exactly the code that the entry point reaches.
    fn module(&self) -> Result<Arc<Module>>;
    /// Resolves the spans of the module, when it came from text.
    fn source_map(&self) -> Option<Arc<SourceMap>>;
}

/// What can be asked about a kernel without looking into its code.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelFacts {
    pub entry: EntryPoint,
    /// Threadgroup memory that the kernel declares itself, in bytes.
    pub static_threadgroup_memory_length: u32,
    /// What an offset of the buffer bound to each parameter must be a multiple of.
    pub alignments: Vec<u32>,
    /// Whether it asks anything that tells how threads are grouped, or makes them meet.
    pub sees_threadgroups: bool,
    /// Whether it looks at other components of a position than the first: a kernel for grids with rows.
    pub sees_rows: bool,
    /// Whether it writes log records.
    pub has_logs: bool,
}

impl KernelCode {
    /// One of the entry points of a module that is there already.
    pub fn new(module: Arc<Module>, entry: usize, source_map: Option<Arc<SourceMap>>) -> KernelCode {
        let facts = KernelFacts::of(&module, entry);
        let origin = Box::new(Made { module: module.clone(), source_map });
        KernelCode { facts, origin, digest: OnceLock::new(), module: OnceLock::from(Ok(module)) }
    }

    /// A kernel that was compiled before: `facts` and `digest` are what it had then.
    pub fn remembered(facts: KernelFacts, digest: Key, origin: Box<dyn KernelOrigin>) -> KernelCode {
        KernelCode { facts, origin, digest: OnceLock::from(digest), module: OnceLock::new() }
    }

    pub fn facts(&self) -> &KernelFacts {
        &self.facts
    }

    /// Names the module: equal for equal code from equal places of the source, which messages about faults tell.
    pub fn digest(&self) -> Result<&Key> {
        if let Some(digest) = self.digest.get() {
            return Ok(digest);
        }
        let digest = digest(self.module()?);
        Ok(self.digest.get_or_init(|| digest))
    }

    /// The code, compiled now if need be.
    pub fn module(&self) -> Result<&Arc<Module>> {
        let module = self.module.get_or_init(|| {
            let module = self.origin.module()?;
            // Compiling is deterministic. Were this module another one, machine code from the cache would not be its.
            match self.digest.get() {
                Some(before) if *before != digest(&module) => Err(Error::Device(format!(
                    "internal error: kernel {} is not what the cache says; set PYMETALLIC_CACHE_DIR to \"\" and report this",
                    self.facts.entry.name
                ))),
                _ => Ok(module),
            }
        });
        module.as_ref().map_err(Clone::clone)
    }

    pub fn source_map(&self) -> Option<Arc<SourceMap>> {
        self.origin.source_map()
    }
}

fn digest(module: &Module) -> Key {
    Key::of(&[msl_ir::text::print_with_spans(module).as_bytes()])
}

struct Made {
    module: Arc<Module>,
    source_map: Option<Arc<SourceMap>>,
}

impl KernelOrigin for Made {
    fn module(&self) -> Result<Arc<Module>> {
        Ok(self.module.clone())
    }
    fn source_map(&self) -> Option<Arc<SourceMap>> {
        self.source_map.clone()
    }
}

impl KernelFacts {
    pub fn of(module: &Module, entry: usize) -> KernelFacts {
        let entry = module.entry_points[entry].clone();
        let mut length = 0u64;
        for global in module.globals.values() {
            if global.space == AddressSpace::Threadgroup {
                let align = u64::from(global.align.max(1));
                length = length.next_multiple_of(align).saturating_add(module.types.size_of(global.ty));
            }
        }
        let types = &module.types;
        let function = &module.functions[entry.function];
        let alignments = function.params.iter();
        let alignments =
            alignments.map(|ty| types.pointee(*ty).map_or(1, |(_, pointee)| types.align_of(pointee).max(1)));
        let mut facts = KernelFacts {
            static_threadgroup_memory_length: u32::try_from(length).unwrap_or(u32::MAX),
            alignments: alignments.collect(),
            sees_threadgroups: length > 0
                || entry.params.iter().any(|p| matches!(p.kind, ParamKind::Threadgroup { .. })),
            sees_rows: false,
            has_logs: module.functions.values().any(|f| f.insts.values().any(|inst| matches!(inst.op, Op::Log { .. }))),
            entry,
        };
        facts.visit(function, &function.body);
        facts
    }

    fn visit(&mut self, function: &Function, block: &Block) {
        for &id in &block.insts {
            let op = &function.insts[id].op;
            match op {
                Op::Builtin(Builtin::ThreadPositionInGrid | Builtin::ThreadsPerGrid) => {}
                Op::Builtin(_) | Op::Barrier { .. } | Op::Simd(..) | Op::Call { .. } => self.sees_threadgroups = true,
                Op::Extract { vector, index } => {
                    self.sees_rows |= *index > 0 && matches!(function.insts[*vector].op, Op::Builtin(_));
                }
                _ => {}
            }
            for nested in op.blocks() {
                self.visit(function, nested);
            }
        }
    }
}

/// As entries of the cache. The entry point is in the text form of the IR, which has all of it.
impl KernelFacts {
    pub fn write(&self, w: &mut Writer) {
        let mut module = Module::default();
        let void = module.types.void();
        let function = module.functions.push(Function::new(Symbol::new("code"), Vec::new(), void));
        module.entry_points.push(EntryPoint { function, ..self.entry.clone() });
        w.text(&msl_ir::text::print(&module));
        w.word(u64::from(self.entry.function.0));
        w.word(u64::from(self.static_threadgroup_memory_length));
        w.list(self.alignments.iter(), |w, alignment| w.word(u64::from(*alignment)));
        w.flag(self.sees_threadgroups);
        w.flag(self.sees_rows);
        w.flag(self.has_logs);
    }

    /// `None` when the bytes make no sense.
    pub fn read(r: &mut Reader<'_>) -> Option<KernelFacts> {
        let entry = msl_ir::text::parse(r.text()?).ok()?.entry_points.pop()?;
        let entry = EntryPoint { function: FunctionId(r.small()?), ..entry };
        let static_threadgroup_memory_length = r.small()?;
        let alignments = r.list(Reader::small)?;
        if alignments.len() != entry.params.len() {
            return None;
        }
        Some(KernelFacts {
            entry,
            static_threadgroup_memory_length,
            alignments,
            sees_threadgroups: r.flag()?,
            sees_rows: r.flag()?,
            has_logs: r.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = r#"
global tile: array<f32, 5> threadgroup align 4

fn code(%0: ptr<device, f32>, %1: ptr<threadgroup, i8>, %2: u64) -> void {
  return
}

kernel "a kernel" = code max_threads 64 required_threads [8, 4, 2] {
  a: buffer 3 device reference read_write struct "of it" size 8 align 4 { x: f32 @0 y: vec2<u8, 2> @4 }
  b: threadgroup 0 read_write i8
  c: sampler 1 read unused
}
"#;

    #[test]
    fn facts_come_back() {
        let module = msl_ir::text::parse(KERNEL).unwrap();
        let facts = KernelFacts::of(&module, 0);
        assert_eq!(facts.static_threadgroup_memory_length, 20);
        assert_eq!(facts.alignments, [4, 1, 1]);
        assert!(facts.sees_threadgroups && !facts.sees_rows && !facts.has_logs);
        let mut w = Writer::new();
        facts.write(&mut w);
        let bytes = w.into_bytes();
        let mut r = Reader::new(&bytes);
        let again = KernelFacts::read(&mut r);
        assert_eq!(r.end(again), Some(Some(facts)));
        for end in 0..bytes.len() {
            assert_eq!(KernelFacts::read(&mut Reader::new(&bytes[..end])), None);
        }
    }

    struct Never;
    impl KernelOrigin for Never {
        fn module(&self) -> Result<Arc<Module>> {
            let text = KERNEL.replace("return", "unreachable");
            Ok(Arc::new(msl_ir::text::parse(&text).unwrap()))
        }
        fn source_map(&self) -> Option<Arc<SourceMap>> {
            None
        }
    }

    #[test]
    fn a_kernel_that_is_not_what_was_remembered_is_refused() {
        let module = Arc::new(msl_ir::text::parse(KERNEL).unwrap());
        let code = KernelCode::new(module, 0, None);
        let digest = code.digest().unwrap().clone();
        let other = KernelCode::remembered(code.facts().clone(), digest.clone(), Box::new(Never));
        assert_eq!(*other.digest().unwrap(), digest);
        assert!(other.module().unwrap_err().to_string().contains("kernel a kernel is not what the cache says"));
    }
}
