//! Buffers: memory of the GPU and, where the host looks at it, a copy for the host.
//!
//! Nothing is transferred that did not change, as far as that can be known. What goes through functions
//! ([`Buffer::write`], [`Buffer::read`]) goes to and from the GPU directly. The host's side exists
//! from the first time that someone asks for [`Buffer::contents`]; as long as a view of it is alive, the host may
//! write at any time, so that its bytes go to the GPU when a command list uses the buffer, and come back
//! when one that may have written them is complete. Private buffers have no host's side.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_hal::{Buffer, HostMemory, Result, StorageMode};

use crate::context::Context;
use crate::driver::Address;
use crate::pool::{DeviceMemory, PinnedMemory};
use crate::transfer::Transfers;

pub struct CudaBuffer {
    transfers: Arc<Transfers>,
    _memory: Memory,
    address: Address,
    storage_mode: StorageMode,
    length: u64,
    side: Mutex<Side>,
}

/// What keeps the GPU's bytes.
enum Memory {
    Own(#[expect(dead_code, reason = "kept")] DeviceMemory),
    /// Another library's.
    External(#[expect(dead_code, reason = "kept")] Box<dyn Any + Send + Sync>),
}

/// The host's side.
struct Side {
    host: Option<Host>,
    /// How many views of the host's bytes are alive.
    views: usize,
    /// The host may have written since the bytes last went to the GPU.
    is_host_newer: bool,
    /// The GPU may have written since its bytes last came here. Of what the host wrote meanwhile, nothing is known.
    is_gpu_newer: bool,
    /// Others may write the GPU's bytes at any time.
    is_exported: bool,
    /// Command lists on their way that may write.
    writers: u32,
}

enum Host {
    Pinned(PinnedMemory),
    /// Memory that existed; always in view.
    Given(HostMemory),
}

impl Host {
    fn pointer(&self) -> *mut u8 {
        match self {
            Host::Pinned(memory) => memory.pointer,
            Host::Given(memory) => memory.as_ptr(),
        }
    }
}

impl CudaBuffer {
    /// A buffer of zeros.
    pub fn new(transfers: &Arc<Transfers>, length: u64, storage_mode: StorageMode) -> Result<CudaBuffer> {
        let buffer = CudaBuffer::uninitialized(transfers, length, storage_mode)?;
        transfers.clear(buffer.address, length as usize)?;
        Ok(buffer)
    }

    pub fn with_bytes(transfers: &Arc<Transfers>, bytes: &[u8], storage_mode: StorageMode) -> Result<CudaBuffer> {
        let buffer = CudaBuffer::uninitialized(transfers, bytes.len() as u64, storage_mode)?;
        // SAFETY: the buffer has this length.
        unsafe { transfers.upload(buffer.address, bytes)? };
        buffer.lock().is_gpu_newer = true;
        Ok(buffer)
    }

    fn uninitialized(transfers: &Arc<Transfers>, length: u64, storage_mode: StorageMode) -> Result<CudaBuffer> {
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        let memory = DeviceMemory::allocate(&transfers.context, size)?;
        let address = memory.address;
        Ok(CudaBuffer::of_memory(transfers, Memory::Own(memory), address, length, storage_mode))
    }

    /// A shared buffer whose host's side is memory that exists.
    pub fn over(transfers: &Arc<Transfers>, memory: HostMemory) -> Result<CudaBuffer> {
        let buffer = CudaBuffer::uninitialized(transfers, memory.len() as u64, StorageMode::Shared)?;
        let mut side = buffer.lock();
        side.host = Some(Host::Given(memory));
        side.views = 1;
        drop(side);
        Ok(buffer)
    }

    /// A buffer over memory of the GPU that exists, kept by `owner`.
    pub fn external(
        transfers: &Arc<Transfers>,
        address: Address,
        length: u64,
        owner: Box<dyn Any + Send + Sync>,
    ) -> CudaBuffer {
        let buffer = CudaBuffer::of_memory(transfers, Memory::External(owner), address, length, StorageMode::Private);
        buffer.lock().is_exported = true;
        buffer
    }

    fn of_memory(
        transfers: &Arc<Transfers>,
        memory: Memory,
        address: Address,
        length: u64,
        storage_mode: StorageMode,
    ) -> CudaBuffer {
        let side =
            Side { host: None, views: 0, is_host_newer: false, is_gpu_newer: false, is_exported: false, writers: 0 };
        CudaBuffer {
            transfers: transfers.clone(),
            _memory: memory,
            address,
            storage_mode,
            length,
            side: Mutex::new(side),
        }
    }

    /// The buffer behind a trait object, if it is of this GPU.
    pub fn of<'a>(buffer: &'a dyn Buffer, context: &Arc<Context>) -> Option<&'a CudaBuffer> {
        let buffer: &CudaBuffer = (buffer as &dyn Any).downcast_ref()?;
        Arc::ptr_eq(&buffer.transfers.context, context).then_some(buffer)
    }
    /// The buffer behind a trait object, if it is of any GPU.
    pub fn of_any(buffer: &dyn Buffer) -> Option<&CudaBuffer> {
        (buffer as &dyn Any).downcast_ref()
    }
    pub fn context(&self) -> &Arc<Context> {
        &self.transfers.context
    }

    pub fn is_private(&self) -> bool {
        self.storage_mode == StorageMode::Private
    }

    // ---- for command lists -----------------------------------------------------------------

    /// Whether a list must wait for those before it: they write what the host looks at.
    pub fn is_contended(&self) -> bool {
        if self.is_private() {
            return false;
        }
        let side = self.lock();
        side.views > 0 && side.writers > 0
    }

    /// Makes the GPU's bytes the newest, before the first command of a list uses them.
    pub fn prepare(&self) -> Result<()> {
        if self.is_private() {
            return Ok(());
        }
        let mut side = self.lock();
        let is_watched = side.views > 0 && side.writers == 0;
        if (is_watched || side.is_host_newer)
            && let Some(host) = &side.host
        {
            // SAFETY: both sides have the buffer's length; the command list keeps the buffer.
            unsafe {
                match host {
                    Host::Pinned(memory) => {
                        self.transfers.upload_pinned(self.address, memory.pointer, self.length as usize)?;
                    }
                    Host::Given(memory) => {
                        let bytes = std::slice::from_raw_parts(memory.as_ptr(), memory.len());
                        self.transfers.upload(self.address, bytes)?;
                    }
                }
            }
            side.is_host_newer = false;
        }
        Ok(())
    }
    /// A list on its way may write. Each call is followed by one of [`CudaBuffer::written`].
    pub fn will_write(&self) {
        let mut side = self.lock();
        side.writers += 1;
        side.is_gpu_newer = true;
    }
    /// Where the bytes must come after a list that wrote them.
    pub fn watched(&self) -> Option<*mut u8> {
        let side = self.lock();
        if side.views == 0 { None } else { side.host.as_ref().map(Host::pointer) }
    }
    /// The list is complete. `fetched`: and the bytes came back with it.
    pub fn written(&self, fetched: bool) -> Result<()> {
        let mut side = self.lock();
        side.writers = side.writers.saturating_sub(1);
        if side.writers > 0 {
            return Ok(());
        }
        if fetched {
            side.is_gpu_newer = false;
        } else if side.views > 0 {
            // A view appeared meanwhile.
            self.fetch(&mut side)?;
        }
        Ok(())
    }

    // ---- for the host ----------------------------------------------------------------------

    /// Makes the host's bytes the newest.
    fn fetch(&self, side: &mut Side) -> Result<()> {
        let length = self.length as usize;
        if side.host.is_none() {
            let is_unwritten = !side.is_gpu_newer && !side.is_exported;
            let memory = if is_unwritten {
                PinnedMemory::zeroed(&self.transfers.context, length)?
            } else {
                side.is_gpu_newer = true;
                PinnedMemory::allocate(&self.transfers.context, length)?
            };
            side.host = Some(Host::Pinned(memory));
        }
        if (side.is_gpu_newer || side.is_exported) && side.writers == 0 && !side.is_host_newer {
            let Some(host) = &side.host else { return Ok(()) };
            // SAFETY: both sides have the buffer's length.
            unsafe { self.transfers.download(host.pointer(), self.address, length)? };
            side.is_gpu_newer = false;
        }
        Ok(())
    }

    /// A copy of the GPU's bytes in memory of the host; commands that wrote them are complete.
    pub fn snapshot(&self) -> Result<Arc<dyn Buffer>> {
        let copy = metallic_hal::HostBuffer::make(&self.transfers.context.id, self.length, StorageMode::Shared)?;
        if let Some(to) = copy.contents() {
            // SAFETY: the copy has the same length.
            unsafe { self.transfers.download(to.as_ptr(), self.address, self.length as usize)? };
        }
        Ok(copy)
    }
    /// Replaces the GPU's bytes.
    pub fn restore(&self, from: &dyn Buffer) -> Result<()> {
        if let Some(from) = from.contents() {
            // SAFETY: `from` is a snapshot of this buffer.
            unsafe {
                let bytes = std::slice::from_raw_parts(from.as_ptr(), self.length as usize);
                self.transfers.upload(self.address, bytes)?;
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Side> {
        self.side.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer for CudaBuffer {
    fn length(&self) -> u64 {
        self.length
    }
    fn storage_mode(&self) -> StorageMode {
        self.storage_mode
    }
    fn contents(&self) -> Option<NonNull<u8>> {
        if self.is_private() {
            return None;
        }
        let mut side = self.lock();
        // A driver that fails here fails the next command, too, which can say so.
        let _ = self.fetch(&mut side);
        let pointer = side.host.as_ref().map(Host::pointer)?;
        side.views += 1;
        NonNull::new(pointer)
    }
    fn share_device_memory(&self) -> Result<u64> {
        self.prepare()?;
        self.lock().is_exported = true;
        self.transfers.up.synchronize()?;
        Ok(self.address)
    }
    fn release_contents(&self) {
        let mut side = self.lock();
        side.views = side.views.saturating_sub(1);
        // What the host wrote through the view is known now.
        side.is_host_newer |= side.views == 0;
    }
    fn write(&self, offset: u64, bytes: &[u8]) {
        let mut side = self.lock();
        let is_current = side.views > 0 || side.is_host_newer || !side.is_gpu_newer;
        if let (true, Some(host)) = (is_current, &side.host) {
            // SAFETY: the range was validated; the host's side has the buffer's length. The bytes may be
            // another part of it.
            unsafe { std::ptr::copy(bytes.as_ptr(), host.pointer().add(offset as usize), bytes.len()) };
            if side.views > 0 || side.is_host_newer {
                return;
            }
        }
        // SAFETY: the range was validated.
        let sent = unsafe { self.transfers.upload(self.address + offset, bytes) };
        if side.host.is_none() || sent.is_err() {
            side.is_gpu_newer = true;
        }
    }
    fn read(&self, offset: u64, bytes: &mut [u8]) {
        const PART: usize = 4 << 20;
        let mut side = self.lock();
        if side.host.is_some() || bytes.len() as u64 == self.length {
            let _ = self.fetch(&mut side);
        }
        if let Some(host) = &side.host {
            // SAFETY: as for `write`.
            unsafe { std::ptr::copy(host.pointer().add(offset as usize), bytes.as_mut_ptr(), bytes.len()) };
            return;
        }
        drop(side);
        let length = bytes.len().min(PART);
        let Ok(between) = PinnedMemory::allocate(&self.transfers.context, length) else { return };
        for (i, part) in bytes.chunks_mut(PART).enumerate() {
            let from = self.address + offset + (i * PART) as u64;
            // SAFETY: the range was validated; the pinned memory holds a part.
            unsafe {
                if self.transfers.download(between.pointer, from, part.len()).is_ok() {
                    std::ptr::copy_nonoverlapping(between.pointer, part.as_mut_ptr(), part.len());
                }
            }
        }
    }
    fn gpu_address(&self) -> u64 {
        self.address
    }
}
