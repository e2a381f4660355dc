//! Loads object files into this process.
//!
//! In: the bytes of an object (fresh or from a cache). Out: the address of its entry function,
//! valid as long as the [`LoadedObject`] lives. Each object has a JIT of its own so that dropping a
//! kernel releases its code.

use std::ptr;

use llvm_sys::core::LLVMCreateMemoryBufferWithMemoryRangeCopy;
use llvm_sys::orc2::lljit::*;
use llvm_sys::orc2::*;

use crate::CodegenError;
use crate::llvm::c_string;
use crate::target::check;

/// Executable code that lives as long as this value.
pub struct LoadedObject {
    jit: LLVMOrcLLJITRef,
    entry: usize,
}

// SAFETY: after construction the JIT is only touched again by `drop`, and the code it holds is
// immutable; LLJIT itself is thread safe.
unsafe impl Send for LoadedObject {}
// SAFETY: as above; shared references only read the entry address.
unsafe impl Sync for LoadedObject {}

impl Drop for LoadedObject {
    fn drop(&mut self) {
        // SAFETY: created in `load`, owned here. An error while tearing down has no receiver.
        unsafe {
            let e = LLVMOrcDisposeLLJIT(self.jit);
            let _ = check(e);
        }
    }
}

impl LoadedObject {
    /// Loads an object made for this machine and finds `symbol` in it.
    pub fn load(bytes: &[u8], symbol: &str) -> Result<LoadedObject, CodegenError> {
        // SAFETY: each object is handed over exactly once; the buffer is copied by LLVM.
        unsafe {
            crate::target::Target::new(&crate::TargetOptions::default())?;
            let mut jit = ptr::null_mut();
            check(LLVMOrcCreateLLJIT(&raw mut jit, ptr::null_mut()))?;
            let mut loaded = LoadedObject { jit, entry: 0 };
            let dylib = LLVMOrcLLJITGetMainJITDylib(jit);
            let mut generator = ptr::null_mut();
            check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
                &raw mut generator,
                LLVMOrcLLJITGetGlobalPrefix(jit),
                None,
                ptr::null_mut(),
            ))?;
            LLVMOrcJITDylibAddGenerator(dylib, generator);
            let buffer =
                LLVMCreateMemoryBufferWithMemoryRangeCopy(bytes.as_ptr().cast(), bytes.len(), c"kernel".as_ptr());
            check(LLVMOrcLLJITAddObjectFile(jit, dylib, buffer))?;
            let mut address = 0;
            check(LLVMOrcLLJITLookup(jit, &raw mut address, c_string(symbol).as_ptr()))?;
            loaded.entry = address as usize;
            Ok(loaded)
        }
    }

    pub fn entry(&self) -> usize {
        self.entry
    }
}
