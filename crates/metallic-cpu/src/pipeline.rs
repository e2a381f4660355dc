//! A kernel on this device: machine code for each threadgroup size it is dispatched with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use metallic_hal::{Error, Pipeline, PipelineSource, Result, Size};
use msl_codegen_llvm::{CompileOptions, Groups};
use msl_ir::ParamKind;
use msl_ir::passes::assume_textures::KnownTexture;

use crate::compiler::{Compiler, Kernel};

/// With so many variants, new combinations of formats share code for all formats.
const MOST_VARIANTS: usize = 16;

pub(crate) struct CpuPipeline {
    pub source: PipelineSource,
    compiler: Arc<Compiler>,
    static_memory: u32,
    /// Whether results do not depend on how threads are grouped.
    is_shape_free: bool,
    variants: RwLock<Vec<Arc<Variant>>>,
    /// Held while a variant is compiled: nothing is compiled twice.
    compiling: Mutex<()>,
}

/// What machine code is specialized for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub threadgroup: [u32; 3],
    /// Buffers that are written overlap no others.
    pub noalias: bool,
    /// Not [`Groups::All`].
    pub groups: Groups,
    /// What is known about the textures bound; empty: any.
    pub textures: Vec<KnownTexture>,
    /// Made quickly rather than well.
    pub quick: bool,
}

/// Machine code for a [`Shape`].
pub(crate) struct Variant {
    pub shape: Shape,
    pub kernel: Kernel,
    /// How long a threadgroup takes, in 1/16 ns; 0 when not known.
    time_per_group: AtomicU64,
    /// Threadgroups that ran, if the code was made quickly.
    groups: AtomicU64,
}

/// After so many threadgroups code that was made quickly has lost about as much time as it takes to make it well.
const ENOUGH: u64 = 1 << 14;

impl Variant {
    /// Counts threadgroups of code that was made quickly.
    pub fn count(&self, groups: u64) {
        if self.kernel.is_quick() {
            self.groups.fetch_add(groups, Ordering::Relaxed);
        }
    }
    /// Estimated time of so many threadgroups in nanoseconds, once measured.
    pub fn estimate(&self, groups: u64) -> Option<u64> {
        match self.time_per_group.load(Ordering::Relaxed) {
            0 => None,
            time => Some((u128::from(time) * u128::from(groups) / 16).min(u128::from(u64::MAX)) as u64),
        }
    }
    /// Learns from threadgroups that ran on one thread.
    pub fn measured(&self, groups: u64, nanoseconds: u64) {
        let new = ((u128::from(nanoseconds) * 16 / u128::from(groups.max(1))).min(u128::from(u64::MAX)) as u64).max(1);
        let old = self.time_per_group.load(Ordering::Relaxed);
        let mean = if old == 0 { new } else { old - old / 4 + new / 4 };
        self.time_per_group.store(mean.max(1), Ordering::Relaxed);
    }
}

impl CpuPipeline {
    pub fn new(source: &PipelineSource, compiler: Arc<Compiler>) -> Result<CpuPipeline> {
        let (entry, facts) = (source.entry_point(), source.facts());
        let pipeline = CpuPipeline {
            source: source.clone(),
            compiler,
            static_memory: facts.static_threadgroup_memory_length,
            is_shape_free: !facts.sees_threadgroups,
            variants: RwLock::default(),
            compiling: Mutex::new(()),
        };
        // Errors of code generation belong to the creation of the pipeline, so a likely variant is
        // compiled now. Where the likely size is no more than a guess, it is only tried: dispatches
        // with another size would have the machine code made twice. Code for threadgroups that are not
        // full waits for a grid that has some.
        let guess = entry.required_threads.unwrap_or_else(|| {
            let most = entry.max_total_threads.unwrap_or(1024).max(1);
            let likely = if facts.sees_rows { [16, 16, 1] } else { [256, 1, 1] };
            let shape =
                pipeline.shape(if facts.sees_rows { Size::new(512, 512, 1) } else { Size::new(4096, 1, 1) }, likely);
            if shape.iter().product::<u32>() <= most { shape } else { [most, 1, 1] }
        });
        // With textures, a case for each format would be most of the code: the formats bound are waited for.
        let has_textures = entry.params.iter().any(|p| matches!(p.kind, ParamKind::Texture { .. }));
        let is_likely = pipeline.is_shape_free && !has_textures || entry.required_threads.is_some();
        if source.eager || is_likely {
            let shape =
                Shape { threadgroup: guess, noalias: true, groups: Groups::Full, textures: Vec::new(), quick: false };
            pipeline.variant(&shape)?;
        } else {
            pipeline.compiler.check(source, guess).map_err(|message| pipeline.error(&message))?;
        }
        Ok(pipeline)
    }

    /// The threadgroup size to run a grid with that was dispatched with another one.
    pub fn shape(&self, threads: Size, asked: [u32; 3]) -> [u32; 3] {
        let is_good = asked[0].is_multiple_of(32) && asked.iter().product::<u32>() >= 128;
        if !self.is_shape_free || is_good {
            return asked;
        }
        if threads.height == 1 { [256, 1, 1] } else { [32, 8, 1] }
    }

    /// The textures to compile for, given those bound: none in particular when there have been many.
    pub fn textures(&self, bound: Vec<KnownTexture>) -> Vec<KnownTexture> {
        let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
        let is_known = bound.is_empty() || variants.iter().any(|v| v.shape.textures == bound);
        if is_known || variants.iter().filter(|v| !v.shape.quick).count() < MOST_VARIANTS { bound } else { Vec::new() }
    }

    /// The machine code, if there is some already.
    pub fn compiled(&self, shape: &Shape) -> Option<Arc<Variant>> {
        let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
        variants.iter().find(|v| v.shape == *shape).cloned()
    }

    /// Code for the few threadgroups that others leave. It is made quickly, for a first dispatch waits for it, until
    /// dispatches have run enough of them. Time would tell better when that is, but then whether sums are rounded in one
    /// way or another, as both are free to in fast mode, would change from run to run.
    pub fn edge(&self, shape: &Shape) -> Result<Arc<Variant>> {
        let quick = self.variant(&Shape { quick: true, ..shape.clone() })?;
        if quick.groups.load(Ordering::Relaxed) < ENOUGH { Ok(quick) } else { self.variant(shape) }
    }

    pub fn variant(&self, shape: &Shape) -> Result<Arc<Variant>> {
        if let Some(variant) = self.compiled(shape) {
            return Ok(variant);
        }
        let _guard = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = self.compiled(shape) {
            return Ok(variant);
        }
        let Shape { threadgroup, noalias, groups, textures, quick } = shape.clone();
        let options = CompileOptions { noalias, groups, textures, quick, ..CompileOptions::new(threadgroup) };
        let kernel = self.compiler.compile(&self.source, &options).map_err(|message| self.error(&message))?;
        let variant = Arc::new(Variant {
            shape: shape.clone(),
            kernel,
            time_per_group: AtomicU64::new(0),
            groups: AtomicU64::new(0),
        });
        self.variants.write().unwrap_or_else(PoisonError::into_inner).push(variant.clone());
        Ok(variant)
    }

    fn error(&self, message: &str) -> Error {
        Error::Pipeline { message: format!("kernel {}: {message}", self.source.label) }
    }
}

impl Pipeline for CpuPipeline {
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        1024
    }
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.static_memory
    }
}
