//! A kernel on this device: machine code for each threadgroup size it is dispatched with.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use metallic_hal::{Error, Pipeline, PipelineSource, Result, Size};
use msl_codegen_llvm::{CompileOptions, Groups, Quick};
use msl_ir::ParamKind;
use msl_ir::passes::assume_textures::KnownTexture;

use crate::compiler::{Compiler, Kernel};
use crate::start::{self, Start};

/// With so many variants, new combinations of formats share code for all formats.
const MOST_VARIANTS: usize = 16;

pub(crate) struct CpuPipeline {
    pub source: PipelineSource,
    compiler: Arc<Compiler>,
    start: Start,
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
}

/// Machine code for a [`Shape`]: what there was first, and what is better.
pub(crate) struct Variant {
    pub shape: Shape,
    first: Kernel,
    better: OnceLock<Kernel>,
    /// Nothing better will come.
    is_final: AtomicBool,
    /// Held while better code is made, from this.
    recipe: Mutex<Recipe>,
    start: Start,
    /// Threadgroups after which better code is made.
    enough: u64,
    /// How long a threadgroup takes, in 1/16 ns; 0 when not known.
    time_per_group: AtomicU64,
    /// Threadgroups that ran before there was better code.
    groups: AtomicU64,
}

/// All that code is made of.
struct Recipe {
    compiler: Arc<Compiler>,
    source: PipelineSource,
    options: CompileOptions,
}

/// After so many threadgroups at edges code without loops that was made quickly has lost about as much time as it takes to
/// make it well.
const ENOUGH: u64 = 1 << 14;

impl Variant {
    /// The best code that there is now.
    pub fn kernel(&self) -> &Kernel {
        self.better.get().unwrap_or(&self.first)
    }
    /// Whether [`Variant::kernel`] stays the same.
    pub fn is_final(&self) -> bool {
        self.is_final.load(Ordering::Acquire)
    }
    /// Leaves the code as it is.
    pub fn stay(&self) {
        self.is_final.store(true, Ordering::Release);
    }

    /// Threadgroups that ran before there was better code.
    pub fn groups(&self) -> u64 {
        self.groups.load(Ordering::Relaxed)
    }
    /// Counts threadgroups of code that is to be replaced, and has that begun when there were enough.
    pub fn count(self: &Arc<Variant>, groups: u64) {
        if self.is_final() {
            return;
        }
        let before = self.groups.fetch_add(groups, Ordering::Relaxed);
        let is_enough = before < self.enough && before + groups >= self.enough;
        match self.start {
            Start::Quickly if is_enough => start::improve_later(self),
            Start::QuicklyFor(_) if before + groups >= self.enough => self.improve(),
            _ => {}
        }
    }
    /// Whether better code takes over as soon as there is some.
    pub fn is_replaced_when_ready(&self) -> bool {
        self.start == Start::Quickly
    }
    /// How many threadgroups may run before it is looked for better code again.
    pub fn until_next(&self) -> u64 {
        match self.start {
            Start::QuicklyFor(_) => self.enough.saturating_sub(self.groups()).max(1),
            Start::Well | Start::Quickly | Start::OnlyQuickly => u64::MAX,
        }
    }

    /// Makes better code, or waits until it is made.
    pub fn improve(&self) {
        self.improve_with(&self.recipe.lock().unwrap_or_else(PoisonError::into_inner));
    }
    /// Makes better code unless another thread does.
    pub fn improve_unless_others(&self) {
        if let Ok(recipe) = self.recipe.try_lock() {
            self.improve_with(&recipe);
        }
    }
    fn improve_with(&self, recipe: &Recipe) {
        if self.is_final() {
            return;
        }
        let Recipe { compiler, source, options } = recipe;
        let made = compiler.compile(source, options);
        let made = made.and_then(|kernel| kernel.fits(&self.first).then_some(kernel).ok_or("it is another one".into()));
        match made {
            Ok(kernel) => {
                let _ = self.better.set(kernel);
                // An estimate all the same: without one, a dispatch would start again.
                let time = self.time_per_group.load(Ordering::Relaxed);
                self.time_per_group.store(time.div_ceil(4), Ordering::Relaxed);
            }
            // Nobody waits for it to whom it could be given.
            Err(error) => eprintln!("pymetallic: kernel {} keeps code that was made quickly: {error}", source.label),
        }
        self.stay();
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
    pub fn new(source: &PipelineSource, compiler: Arc<Compiler>, start: Start) -> Result<CpuPipeline> {
        let (entry, facts) = (source.entry_point(), source.facts());
        let pipeline = CpuPipeline {
            source: source.clone(),
            compiler,
            start,
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
            let shape = Shape { threadgroup: guess, noalias: true, groups: Groups::Full, textures: Vec::new() };
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
        if is_known || variants.len() < MOST_VARIANTS { bound } else { Vec::new() }
    }

    /// The machine code, if there is some already.
    pub fn compiled(&self, shape: &Shape) -> Option<Arc<Variant>> {
        let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
        variants.iter().find(|v| v.shape == *shape).cloned()
    }

    /// Code for the few threadgroups that others leave. Where there are no loops in it, it is made quickly in any case, for
    /// a first dispatch waits for it, until dispatches have run enough of them.
    pub fn edge(&self, shape: &Shape) -> Result<Arc<Variant>> {
        let variant = self.make(shape, true)?;
        if self.start == Start::Well && !variant.is_final() && variant.groups() >= ENOUGH {
            variant.improve();
        }
        Ok(variant)
    }

    pub fn variant(&self, shape: &Shape) -> Result<Arc<Variant>> {
        self.make(shape, false)
    }

    fn make(&self, shape: &Shape, is_edge: bool) -> Result<Arc<Variant>> {
        if let Some(variant) = self.compiled(shape) {
            return Ok(variant);
        }
        let _guard = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = self.compiled(shape) {
            return Ok(variant);
        }
        let Shape { threadgroup, noalias, groups, textures } = shape.clone();
        let options = CompileOptions { noalias, groups, textures, ..CompileOptions::new(threadgroup) };
        let quick = match self.start {
            Start::Well if is_edge => Quick::IfBrief,
            Start::Well => Quick::No,
            Start::Quickly | Start::OnlyQuickly | Start::QuicklyFor(_) => Quick::Always,
        };
        let first = CompileOptions { quick, ..options.clone() };
        let first = self.compiler.compile(&self.source, &first).map_err(|message| self.error(&message))?;
        let variant = Arc::new(Variant {
            shape: shape.clone(),
            is_final: AtomicBool::new(!first.is_quick() || self.start == Start::OnlyQuickly),
            enough: match self.start {
                Start::QuicklyFor(groups) => groups,
                _ if is_edge && first.is_brief() => ENOUGH,
                _ => 0,
            },
            first,
            better: OnceLock::new(),
            recipe: Mutex::new(Recipe { compiler: self.compiler.clone(), source: self.source.clone(), options }),
            start: self.start,
            time_per_group: AtomicU64::new(0),
            groups: AtomicU64::new(0),
        });
        self.variants.write().unwrap_or_else(PoisonError::into_inner).push(variant.clone());
        if self.start == Start::Quickly && variant.enough == 0 && !variant.is_final() {
            start::improve_later(&variant);
        }
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
