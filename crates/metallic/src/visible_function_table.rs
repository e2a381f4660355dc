//! Tables of functions that kernels call (`MTLVisibleFunctionTable`, `MTLFunctionHandle`; MSL specification, section 2.15).
//!
//! A table is a shared buffer of 64-bit words, the number of its entries and the number of the function in each; zero is
//! none. Kernels contain all functions of the library that a table of their type may hold, so that what is in a table may
//! change between dispatches. Not here: functions of other libraries than the kernel's, tables of intersection functions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_hal::StorageMode;
use msl::VisibleFunction;

use crate::{Buffer, ComputePipelineState, Error, Function, Result};

/// Tables do not get larger than this.
const MOST_ENTRIES: u32 = 1 << 20;

/// `MTLVisibleFunctionTableDescriptor`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VisibleFunctionTableDescriptor {
    pub function_count: u32,
}

/// A function as the tables of one pipeline hold it (`MTLFunctionHandle`). Clones are the same handle.
#[derive(Clone)]
pub struct FunctionHandle {
    pipeline: ComputePipelineState,
    function: Function,
    visible: Arc<VisibleFunction>,
}

impl FunctionHandle {
    pub(crate) fn new(pipeline: &ComputePipelineState, function: &Function) -> Result<FunctionHandle> {
        let is_it = |linked: &&Function| {
            linked.name == function.name && Arc::ptr_eq(&linked.library.inner, &function.library.inner)
        };
        let linked = pipeline.linked_functions().iter().find(is_it);
        match linked.and_then(|linked| Some((linked, linked.visible.clone()?))) {
            Some((linked, visible)) => {
                Ok(FunctionHandle { pipeline: pipeline.clone(), function: linked.clone(), visible })
            }
            None => {
                let (name, label) = (function.name(), pipeline.label());
                Err(Error::Function(format!("function {name} is not linked to the pipeline of {label}")))
            }
        }
    }
    pub fn name(&self) -> &str {
        self.function.name()
    }
    pub fn function(&self) -> &Function {
        &self.function
    }
}

impl std::fmt::Debug for FunctionHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FunctionHandle({})", self.name())
    }
}

/// Functions by number, for kernels to call. Clones are the same table.
#[derive(Clone)]
pub struct VisibleFunctionTable {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: ComputePipelineState,
    buffer: Buffer,
    functions: Mutex<Vec<Option<Arc<VisibleFunction>>>>,
}

impl VisibleFunctionTable {
    pub(crate) fn new(
        pipeline: &ComputePipelineState,
        descriptor: &VisibleFunctionTableDescriptor,
    ) -> Result<VisibleFunctionTable> {
        let count = descriptor.function_count;
        if count == 0 || count > MOST_ENTRIES {
            let message = format!("a visible function table of {count} functions: it has 1 to {MOST_ENTRIES}");
            return Err(Error::invalid(message));
        }
        let device = pipeline.device();
        if device.hal.compiles_text() {
            // The driver's functions have no numbers of ours.
            let message = format!("visible function tables are not supported on device {}", device.id());
            return Err(Error::Device(message));
        }
        let mut words = vec![0u64; count as usize + 1];
        words[0] = count.into();
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        let buffer = device.make_buffer_with_bytes(&bytes, StorageMode::Shared)?;
        let functions = Mutex::new(vec![None; count as usize]);
        Ok(VisibleFunctionTable { inner: Arc::new(Inner { pipeline: pipeline.clone(), buffer, functions }) })
    }

    /// The pipeline whose kernel may be given the table.
    pub fn pipeline(&self) -> &ComputePipelineState {
        &self.inner.pipeline
    }
    pub fn function_count(&self) -> u32 {
        self.lock().len() as u32
    }
    /// Where kernels find the table, for argument buffers; announce [`VisibleFunctionTable::buffer`] with `use_resource`.
    pub fn gpu_address(&self) -> u64 {
        self.inner.buffer.gpu_address()
    }
    /// The memory of the table. What is written to it other than by `set_function` is not checked.
    pub fn buffer(&self) -> &Buffer {
        &self.inner.buffer
    }

    /// Puts a function of the table's pipeline into an entry, or takes away what is there. Dispatches that were committed
    /// and have not run may see it.
    pub fn set_function(&self, function: Option<&FunctionHandle>, index: u32) -> Result<()> {
        let mut functions = self.lock();
        let count = functions.len();
        let Some(slot) = functions.get_mut(index as usize) else {
            return Err(Error::invalid(format!("entry {index} of a visible function table of {count} functions")));
        };
        if let Some(handle) = function
            && !Arc::ptr_eq(&handle.pipeline.inner, &self.inner.pipeline.inner)
        {
            let (name, label) = (handle.name(), self.inner.pipeline.label());
            let message =
                format!("the handle of function {name} is of another pipeline than the table, which is of {label}");
            return Err(Error::invalid(message));
        }
        let visible = function.map(|handle| handle.visible.clone());
        let number = visible.as_ref().map_or(0, |v| v.number);
        self.inner.buffer.write_bytes(8 * (u64::from(index) + 1), &number.to_le_bytes())?;
        *slot = visible;
        Ok(())
    }

    /// The same for entries from `first` on.
    pub fn set_functions(&self, functions: &[Option<FunctionHandle>], first: u32) -> Result<()> {
        (first..).zip(functions).try_for_each(|(index, function)| self.set_function(function.as_ref(), index))
    }

    /// Why a pipeline cannot be given the table for an argument that calls functions of a type.
    pub(crate) fn check_for(&self, pipeline: &ComputePipelineState, wanted: &str) -> std::result::Result<(), String> {
        if !Arc::ptr_eq(&pipeline.inner, &self.inner.pipeline.inner) {
            let label = self.inner.pipeline.label();
            return Err(format!("the visible function table was made by another pipeline, of {label}"));
        }
        let functions = self.lock();
        let wrong =
            functions.iter().enumerate().find_map(|(i, f)| Some((i, f.as_ref().filter(|f| f.type_name != wanted)?)));
        match wrong {
            Some((i, function)) => {
                let (name, is) = (&function.name, &function.type_name);
                Err(format!("entry {i} of the visible function table is {name}, '{is}'; the kernel calls '{wanted}'"))
            }
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Arc<VisibleFunction>>>> {
        self.inner.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for VisibleFunctionTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VisibleFunctionTable({} functions)", self.function_count())
    }
}
