//! Target machines: which CPU to emit for, and how wide its vectors are.
//!
//! In: [`TargetOptions`]. Out: a [`Target`] holding an LLVM target machine and the pass pipeline.
//! Promised: asking for features that the host lacks only matters to someone who runs the code.

use std::ffi::{CStr, c_int};
use std::ptr;
use std::sync::{Mutex, Once, PoisonError};

use llvm_sys::core::{LLVMDisposeMemoryBuffer, LLVMGetBufferSize, LLVMGetBufferStart, LLVMSetTarget};
use llvm_sys::error::{LLVMDisposeErrorMessage, LLVMErrorRef, LLVMGetErrorMessage};
use llvm_sys::support::LLVMParseCommandLineOptions;
use llvm_sys::target::*;
use llvm_sys::target_machine::*;
use llvm_sys::transforms::pass_builder::*;

use crate::CodegenError;
use crate::emit::divide::Conversions;
use crate::llvm::{Ll, c_string, take_message};

/// The vector instruction set to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Isa {
    /// What the machine we run on has.
    #[default]
    Host,
    Avx512,
    Avx2,
    Sse4,
    /// 64-bit Arm; text and objects only, unless that is the host.
    Neon,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetOptions {
    pub isa: Isa,
}

/// What out-of-range numbers become where vectors of `f32` are converted to integers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Truncation {
    /// Only the most negative number stands for them, and results have a sign (x86).
    Indefinite,
    /// As before, or the greatest number in results without a sign (AVX-512).
    IndefiniteOrMost,
    /// The nearest number; NaN gives 0 (Arm).
    Saturating,
}

/// How good an estimate of `1/sqrt` there is an instruction for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RootEstimates {
    /// None that we use.
    None,
    Bits12,
    Bits14,
}

/// An LLVM target machine and what the emitter must know about it.
pub struct Target {
    machine: LLVMTargetMachineRef,
    pub triple: String,
    pub cpu: String,
    pub features: String,
    /// Lanes of one vector register holding 32-bit elements.
    pub lanes: u32,
    pub vector_registers: u32,
    pub has_avx512: bool,
    /// Instructions that multiply and add.
    pub has_fma: bool,
    /// Estimates of reciprocal square roots.
    pub root_estimates: RootEstimates,
    /// Between vectors of integers and of `f64`.
    pub conversions: Conversions,
    /// Vectors of `f32` to integers.
    pub truncation: Truncation,
    /// Stores that go around the caches, with the fence they need.
    pub has_streaming_stores: bool,
    /// Masks have registers of their own; elsewhere they are vectors like what they mask.
    pub has_mask_registers: bool,
}

// SAFETY: a target machine is used by one thread at a time, whichever that is.
unsafe impl Send for Target {}

/// A [`Target`] out of the pool of the process, to which it goes back: making one takes as long as
/// the instruction selection of a small kernel.
pub struct Lease {
    kind: Kind,
    target: Option<Target>,
}

/// Instructions, and whether code is made quickly rather than well.
type Kind = (Isa, bool);

/// Targets that nobody uses.
static POOL: Mutex<Vec<(Kind, Target)>> = Mutex::new(Vec::new());
/// More than this many are not kept.
const POOL_SIZE: usize = 8;

impl Lease {
    pub fn new(options: &TargetOptions, quick: bool) -> Result<Lease, CodegenError> {
        let kind = (options.isa, quick);
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = pool.iter().position(|(k, _)| *k == kind).map(|i| pool.swap_remove(i).1);
        drop(pool);
        let target = kept.map_or_else(|| Target::new(options, quick), Ok)?;
        Ok(Lease { kind, target: Some(target) })
    }
}

impl std::ops::Deref for Lease {
    type Target = Target;
    fn deref(&self) -> &Target {
        self.target.as_ref().expect("a lease holds its target until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = self.target.take()
            && pool.len() < POOL_SIZE
        {
            pool.push((self.kind, target));
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: created in `new`, owned here.
        unsafe { LLVMDisposeTargetMachine(self.machine) }
    }
}

/// Makes LLVM's targets known: NVIDIA's and the CPU's. A static build has only what this names, so the
/// CPUs that we are not running on are left to builds against the shared library.
pub(crate) fn initialize() {
    static ONCE: Once = Once::new();
    // SAFETY: the initializers are called once, before any target is looked up.
    ONCE.call_once(|| unsafe {
        set_llvm_options();
        #[cfg(any(not(feature = "static"), target_arch = "x86_64"))]
        {
            LLVMInitializeX86TargetInfo();
            LLVMInitializeX86Target();
            LLVMInitializeX86TargetMC();
            LLVMInitializeX86AsmPrinter();
        }
        #[cfg(any(not(feature = "static"), target_arch = "aarch64"))]
        {
            LLVMInitializeAArch64TargetInfo();
            LLVMInitializeAArch64Target();
            LLVMInitializeAArch64TargetMC();
            LLVMInitializeAArch64AsmPrinter();
        }
        LLVMInitializeNVPTXTargetInfo();
        LLVMInitializeNVPTXTarget();
        LLVMInitializeNVPTXTargetMC();
        LLVMInitializeNVPTXAsmPrinter();
    });
}

/// What has no setter: options of the process's LLVM.
unsafe fn set_llvm_options() {
    let options = [
        c"msl",
        // Scheduling again after register allocation takes a tenth of code generation; processors that run out of
        // order gain nothing from it (`benches/cpu.py`, all kernels within the noise).
        c"-disable-post-ra",
        // How long to look for the best place to split a live range. The default, 10000, takes most of the time of
        // kernels of many thousand instructions, whose code gets smaller with less; others come out the same.
        c"-grow-region-complexity-budget=100",
        // Instructions stay in the order in which we emit them. The scheduler brings what is independent close
        // together, which processors do themselves as they run out of order, and spills it.
        c"-enable-misched=0",
    ];
    let options = options.map(CStr::as_ptr);
    // SAFETY: as many pointers to text as are announced; the caller sees to it that nobody uses LLVM yet.
    unsafe { LLVMParseCommandLineOptions(options.len() as c_int, options.as_ptr(), ptr::null()) }
}

/// The name and features of the CPU we run on.
fn host() -> (String, String, String) {
    // SAFETY: the three functions return messages that the caller disposes.
    unsafe {
        (
            take_message(LLVMGetDefaultTargetTriple()),
            take_message(LLVMGetHostCPUName()),
            take_message(LLVMGetHostCPUFeatures()),
        )
    }
}

pub(crate) fn check(error: LLVMErrorRef) -> Result<(), CodegenError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: a non-null error is ours to consume, once.
    unsafe {
        let message = LLVMGetErrorMessage(error);
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeErrorMessage(message);
        Err(CodegenError::Llvm(text))
    }
}

fn make_machine(triple: &str, cpu: &str, features: &str, quick: bool) -> Result<LLVMTargetMachineRef, CodegenError> {
    let level = match quick {
        true => LLVMCodeGenOptLevel::LLVMCodeGenLevelNone,
        false => LLVMCodeGenOptLevel::LLVMCodeGenLevelDefault,
    };
    // SAFETY: all strings outlive the calls; the options object is disposed of after use.
    let machine = unsafe {
        let mut target = ptr::null_mut();
        let mut message = ptr::null_mut();
        if LLVMGetTargetFromTriple(c_string(triple).as_ptr(), &raw mut target, &raw mut message) != 0 {
            return Err(CodegenError::Llvm(take_message(message)));
        }
        let o = LLVMCreateTargetMachineOptions();
        let (cpu, features) = (c_string(cpu), c_string(features));
        LLVMTargetMachineOptionsSetCPU(o, cpu.as_ptr());
        LLVMTargetMachineOptionsSetFeatures(o, features.as_ptr());
        LLVMTargetMachineOptionsSetRelocMode(o, LLVMRelocMode::LLVMRelocPIC);
        LLVMTargetMachineOptionsSetCodeGenOptLevel(o, level);
        let m = LLVMCreateTargetMachineWithOptions(target, c_string(triple).as_ptr(), o);
        LLVMDisposeTargetMachineOptions(o);
        m
    };
    if machine.is_null() {
        return Err(CodegenError::Llvm(format!("no target machine for `{triple}`")));
    }
    Ok(machine)
}

impl Isa {
    /// What a user may restrict a machine to, by name, if the machine we run on has it.
    pub fn restricted(name: &str) -> Result<Isa, String> {
        let has = |list: &[&str]| {
            let features = host().2;
            list.iter().all(|f| features.split(',').any(|x| x == *f))
        };
        let (isa, runs) = match name {
            "" | "host" => (Isa::Host, true),
            "avx512" => (Isa::Avx512, has(&["+avx512f", "+avx512bw", "+avx512cd", "+avx512dq", "+avx512vl"])),
            "avx2" => (Isa::Avx2, has(&["+avx2", "+fma", "+bmi2", "+f16c", "+lzcnt", "+movbe"])),
            "sse4" => (Isa::Sse4, has(&["+sse4.2", "+popcnt"])),
            _ => return Err(format!("`{name}` is none of host, avx512, avx2 and sse4")),
        };
        if runs { Ok(isa) } else { Err(format!("this machine has no {name}")) }
    }
}

impl Target {
    fn new(options: &TargetOptions, quick: bool) -> Result<Target, CodegenError> {
        initialize();
        let (host_triple, host_cpu, host_features) = host();
        let has = |f: &str| host_features.split(',').any(|x| x == f);
        // Where the host is of that kind, what is made for less than all of it can run there.
        let x86_triple = if host_triple.starts_with("x86_64") { &host_triple } else { "x86_64-unknown-linux-gnu" };
        let level = |name: &str| (x86_triple.to_string(), name.to_string(), String::new());
        let (triple, cpu, features) = match options.isa {
            Isa::Host => (host_triple, host_cpu, host_features.clone()),
            Isa::Avx512 => level("x86-64-v4"),
            Isa::Avx2 => level("x86-64-v3"),
            Isa::Sse4 => level("x86-64-v2"),
            Isa::Neon => ("aarch64-unknown-linux-gnu".into(), "generic".into(), String::new()),
        };
        let x86 = triple.starts_with("x86_64");
        let has_avx512 = match options.isa {
            Isa::Host => x86 && ["+avx512f", "+avx512bw", "+avx512dq", "+avx512vl"].iter().all(|f| has(f)),
            isa => isa == Isa::Avx512,
        };
        let has_avx2 = has_avx512
            || match options.isa {
                Isa::Host => x86 && has("+avx2") && has("+fma"),
                isa => isa == Isa::Avx2,
            };
        let lanes = if has_avx512 {
            16
        } else if has_avx2 {
            8
        } else {
            4
        };
        let machine = make_machine(&triple, &cpu, &features, quick)?;
        Ok(Target {
            machine,
            triple,
            cpu,
            features,
            lanes,
            // AVX-512 and 64-bit Arm have 32.
            vector_registers: if has_avx512 || !x86 { 32 } else { 16 },
            has_avx512,
            has_streaming_stores: x86,
            has_fma: if options.isa == Isa::Host { !x86 || has("+fma") } else { options.isa != Isa::Sse4 },
            root_estimates: match (x86, has_avx512) {
                (true, true) => RootEstimates::Bits14,
                (true, false) => RootEstimates::Bits12,
                (false, _) => RootEstimates::None,
            },
            conversions: match (x86, has_avx512) {
                (true, true) => Conversions::All,
                (true, false) => Conversions::Few,
                (false, _) => Conversions::OneByOne,
            },
            truncation: match (x86, has_avx512) {
                (true, true) => Truncation::IndefiniteOrMost,
                (true, false) => Truncation::Indefinite,
                (false, _) => Truncation::Saturating,
            },
            has_mask_registers: has_avx512,
        })
    }

    /// NVIDIA GPUs of a compute capability (`sm` 90 for 9.0) with a version of PTX (80 for 8.0).
    pub fn nvptx(sm: u32, ptx: u32) -> Result<Target, CodegenError> {
        initialize();
        let (triple, cpu, features) = ("nvptx64-nvidia-cuda".to_string(), format!("sm_{sm}"), format!("+ptx{ptx}"));
        let machine = make_machine(&triple, &cpu, &features, false)?;
        Ok(Target {
            machine,
            triple,
            cpu,
            features,
            lanes: 1,
            vector_registers: 0,
            has_avx512: false,
            has_streaming_stores: false,
            has_fma: true,
            root_estimates: RootEstimates::None,
            conversions: Conversions::OneByOne,
            truncation: Truncation::Saturating,
            has_mask_registers: true,
        })
    }

    /// Vectors of 32-bit elements can be shuffled by numbers known at run time (AVX2, AVX-512).
    pub fn has_permutes(&self) -> bool {
        self.lanes >= 8
    }

    /// Gives the module the target's triple and data layout.
    pub fn prepare(&self, ll: &Ll) {
        // SAFETY: the module and the machine are alive; the layout is disposed of after use.
        unsafe {
            LLVMSetTarget(ll.module, c_string(&self.triple).as_ptr());
            let layout = LLVMCreateTargetDataLayout(self.machine);
            LLVMSetModuleDataLayout(ll.module, layout);
            LLVMDisposeTargetData(layout);
        }
    }

    /// Attributes every function of the module must carry.
    pub fn function_attributes(&self, ll: &Ll, f: crate::llvm::V) {
        ll.watch_frame(f);
        ll.string_attr(f, "target-cpu", &self.cpu);
        if !self.features.is_empty() {
            ll.string_attr(f, "target-features", &self.features);
        }
        if self.has_avx512 {
            ll.string_attr(f, "prefer-vector-width", "512");
            ll.string_attr(f, "min-legal-vector-width", "512");
        }
    }

    /// Runs a textual pass pipeline.
    pub fn run_passes(&self, ll: &Ll, passes: &str) -> Result<(), CodegenError> {
        // SAFETY: the options object lives through the call.
        unsafe {
            let o = LLVMCreatePassBuilderOptions();
            LLVMPassBuilderOptionsSetLoopVectorization(o, 0);
            LLVMPassBuilderOptionsSetSLPVectorization(o, 0);
            LLVMPassBuilderOptionsSetLoopInterleaving(o, 0);
            LLVMPassBuilderOptionsSetLoopUnrolling(o, 1);
            let e = LLVMRunPasses(ll.module, c_string(passes).as_ptr(), self.machine, o);
            LLVMDisposePassBuilderOptions(o);
            check(e)
        }
    }

    /// Machine code as an object file, or as assembly text.
    pub fn emit(&self, ll: &Ll, assembly: bool) -> Result<Vec<u8>, CodegenError> {
        let kind = if assembly { LLVMCodeGenFileType::LLVMAssemblyFile } else { LLVMCodeGenFileType::LLVMObjectFile };
        // SAFETY: the buffer is copied before it is disposed of.
        unsafe {
            let mut message = ptr::null_mut();
            let mut buffer = ptr::null_mut();
            let m = &raw mut message;
            if LLVMTargetMachineEmitToMemoryBuffer(self.machine, ll.module, kind, m, &raw mut buffer) != 0 {
                return Err(CodegenError::Llvm(take_message(message)));
            }
            let start = LLVMGetBufferStart(buffer).cast::<u8>();
            let bytes = std::slice::from_raw_parts(start, LLVMGetBufferSize(buffer)).to_vec();
            LLVMDisposeMemoryBuffer(buffer);
            Ok(bytes)
        }
    }
}
