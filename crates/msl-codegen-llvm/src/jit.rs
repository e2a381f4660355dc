//! Loads object files into this process.
//!
//! In: the bytes of an object (fresh or from a cache). Out: the address of its entry function,
//! valid as long as the [`LoadedObject`] lives. One JIT serves the process, since making one takes longer than
//! linking a kernel. Each object has a library (`JITDylib`) of its own, as all define the same symbol;
//! dropping a kernel releases its code, and its library is used again.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use llvm_sys::error::LLVMErrorRef;
use llvm_sys::orc2::lljit::*;
use llvm_sys::orc2::*;

use crate::CodegenError;
use crate::gate;
use crate::llvm::c_string;
use crate::target::{check, initialize};

/// Executable code that lives as long as this value.
pub struct LoadedObject {
    jit: &'static Jit,
    library: Library,
    tracker: LLVMOrcResourceTrackerRef,
    entry: usize,
}

// SAFETY: after construction the tracker is only touched again by `drop`, and the code it holds is
// immutable; the JIT's session is thread safe.
unsafe impl Send for LoadedObject {}
// SAFETY: as above; shared references only read the entry address.
unsafe impl Sync for LoadedObject {}

#[derive(Clone, Copy)]
struct Library(LLVMOrcJITDylibRef);

// SAFETY: libraries belong to the session, which is thread safe and never goes away.
unsafe impl Send for Library {}

/// The JIT of the process.
struct Jit {
    jit: LLVMOrcLLJITRef,
    session: LLVMOrcExecutionSessionRef,
    /// Libraries without code.
    free: Mutex<Vec<Library>>,
    made: AtomicU64,
}

// SAFETY: LLJIT and its session may be used by several threads at a time.
unsafe impl Send for Jit {}
// SAFETY: as above.
unsafe impl Sync for Jit {}

impl Jit {
    fn get() -> Result<&'static Jit, CodegenError> {
        static JIT: OnceLock<Result<Jit, CodegenError>> = OnceLock::new();
        JIT.get_or_init(Jit::new).as_ref().map_err(Clone::clone)
    }

    fn new() -> Result<Jit, CodegenError> {
        initialize();
        let mut jit = ptr::null_mut();
        // SAFETY: the targets are initialized; without a builder the host's defaults are taken.
        unsafe {
            check(LLVMOrcCreateLLJIT(&raw mut jit, ptr::null_mut()))?;
            let session = LLVMOrcLLJITGetExecutionSession(jit);
            Ok(Jit { jit, session, free: Mutex::default(), made: AtomicU64::new(0) })
        }
    }

    /// A library without definitions, which finds the symbols of the process.
    fn library(&self) -> Result<Library, CodegenError> {
        if let Some(library) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(library);
        }
        let name = c_string(&format!("kernel{}", self.made.fetch_add(1, Ordering::Relaxed)));
        // SAFETY: no other library has the name; the generator is handed over.
        unsafe {
            let library = LLVMOrcExecutionSessionCreateBareJITDylib(self.session, name.as_ptr());
            let mut generator = ptr::null_mut();
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                &raw mut generator,
                LLVMOrcLLJITGetGlobalPrefix(self.jit),
                None,
                ptr::null_mut(),
            ))?;
            LLVMOrcJITDylibAddGenerator(library, generator);
            Ok(Library(library))
        }
    }

    /// Links what the library holds and gives the address of a symbol.
    fn lookup(&self, library: Library, symbol: &str) -> Result<usize, CodegenError> {
        let (sender, receiver) = channel();
        let context = Box::into_raw(Box::new(sender)).cast::<c_void>();
        let mut order = LLVMOrcCJITDylibSearchOrderElement {
            JD: library.0,
            JDLookupFlags: LLVMOrcJITDylibLookupFlags::LLVMOrcJITDylibLookupFlagsMatchAllSymbols,
        };
        // SAFETY: the session takes the reference to the interned name; `found` is called exactly
        // once, and takes the context.
        unsafe {
            let mut symbols = LLVMOrcCLookupSetElement {
                Name: LLVMOrcLLJITMangleAndIntern(self.jit, c_string(symbol).as_ptr()),
                LookupFlags: LLVMOrcSymbolLookupFlags::LLVMOrcSymbolLookupFlagsRequiredSymbol,
            };
            LLVMOrcExecutionSessionLookup(
                self.session,
                LLVMOrcLookupKind::LLVMOrcLookupKindStatic,
                &raw mut order,
                1,
                &raw mut symbols,
                1,
                found,
                context.cast(),
            );
        }
        receiver.recv().unwrap_or_else(|_| Err(CodegenError::Llvm(format!("the symbol `{symbol}` was not looked up"))))
    }
}

extern "C" fn found(error: LLVMErrorRef, pairs: LLVMOrcCSymbolMapPairs, count: usize, context: *mut c_void) {
    // SAFETY: the context is the boxed sender of `lookup`, given to this one call; there are as
    // many pairs as it says.
    let (sender, address) = unsafe {
        let sender = Box::from_raw(context.cast::<Sender<Result<usize, CodegenError>>>());
        (sender, check(error).map(|()| if count == 0 { 0 } else { (*pairs).Sym.Address as usize }))
    };
    let address = address.and_then(|a| if a == 0 { Err(CodegenError::Llvm("an empty object".into())) } else { Ok(a) });
    // The receiver waits for this call.
    let _ = sender.send(address);
}

impl Drop for LoadedObject {
    fn drop(&mut self) {
        // At the end of the process the code goes with it.
        let Ok(_inside) = gate::enter() else { return };
        // SAFETY: the tracker was created in `load` and is owned here. An error has no receiver; the
        // library is then not used again.
        let removed = unsafe {
            let removed = check(LLVMOrcResourceTrackerRemove(self.tracker));
            LLVMOrcReleaseResourceTracker(self.tracker);
            removed
        };
        if removed.is_ok() {
            self.jit.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.library);
        }
    }
}

impl LoadedObject {
    /// Loads an object made for this machine and finds `symbol` in it.
    pub fn load(bytes: &[u8], symbol: &str) -> Result<LoadedObject, CodegenError> {
        let _inside = gate::enter()?;
        let jit = Jit::get()?;
        let library = jit.library()?;
        // SAFETY: the object is handed over exactly once; the buffer is copied by LLVM.
        let mut loaded = unsafe {
            let tracker = LLVMOrcJITDylibCreateResourceTracker(library.0);
            let loaded = LoadedObject { jit, library, tracker, entry: 0 };
            let buffer =
                LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), c"kernel".as_ptr());
            check(LLVMOrcLLJITAddObjectFileWithRT(jit.jit, tracker, buffer))?;
            loaded
        };
        loaded.entry = jit.lookup(library, symbol)?;
        Ok(loaded)
    }

    pub fn entry(&self) -> usize {
        self.entry
    }
}
