//! Command queues (`MTLCommandQueue`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_hal as hal;

use crate::device::check_process;
use crate::{CommandBuffer, CommandBufferDescriptor, Device, LogState, Result};

/// `MTLCommandQueueDescriptor`.
#[derive(Clone, Debug, Default)]
pub struct CommandQueueDescriptor {
    /// Where log records of kernels go, of command buffers that do not say otherwise.
    pub log_state: Option<Arc<LogState>>,
}

/// Executes command buffers in the order in which they were enqueued. Clones are the same queue.
#[derive(Clone)]
pub struct CommandQueue {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    device: Device,
    pub hal: Arc<dyn hal::Queue>,
    label: Mutex<String>,
    log_state: Option<Arc<LogState>>,
    /// Command buffers whose place was taken by `enqueue`, with those committed behind them.
    enqueued: Mutex<VecDeque<CommandBuffer>>,
}

impl CommandQueue {
    pub(crate) fn new(device: &Device, descriptor: &CommandQueueDescriptor) -> Result<CommandQueue> {
        check_process()?;
        let hal = device.hal.make_command_queue()?;
        let log_state = descriptor.log_state.clone();
        let inner =
            Inner { device: device.clone(), hal, label: Mutex::default(), log_state, enqueued: Mutex::default() };
        Ok(CommandQueue { inner: Arc::new(inner) })
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }
    pub fn make_command_buffer(&self) -> Result<CommandBuffer> {
        self.make_command_buffer_with_descriptor(&CommandBufferDescriptor::default())
    }
    pub fn make_command_buffer_with_descriptor(&self, descriptor: &CommandBufferDescriptor) -> Result<CommandBuffer> {
        check_process()?;
        let log_state = descriptor.log_state.as_ref().or(self.inner.log_state.as_ref());
        Ok(CommandBuffer::new(self, log_state.cloned()))
    }
    pub fn label(&self) -> String {
        self.inner.label.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub fn set_label(&self, label: &str) {
        *self.inner.label.lock().unwrap_or_else(PoisonError::into_inner) = label.into();
    }

    pub(crate) fn enqueue(&self, command_buffer: &CommandBuffer) {
        self.lock().push_back(command_buffer.clone());
    }

    /// Submits a committed command buffer, or leaves it to the ones enqueued before it; and those
    /// that waited for it.
    pub(crate) fn commit(&self, command_buffer: &CommandBuffer, was_enqueued: bool) {
        let mut enqueued = self.lock();
        if enqueued.is_empty() {
            let handlers = command_buffer.submit();
            drop(enqueued);
            handlers.into_iter().for_each(|handler| handler(command_buffer));
            return;
        }
        if !was_enqueued {
            enqueued.push_back(command_buffer.clone());
        }
        let mut submitted = Vec::new();
        while let Some(first) = pop_ready(&mut enqueued) {
            let handlers = first.submit();
            submitted.push((first, handlers));
        }
        drop(enqueued);
        for (command_buffer, handlers) in submitted {
            handlers.into_iter().for_each(|handler| handler(&command_buffer));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CommandBuffer>> {
        self.inner.enqueued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for CommandQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandQueue({:?})", self.device())
    }
}

fn pop_ready(enqueued: &mut VecDeque<CommandBuffer>) -> Option<CommandBuffer> {
    if enqueued.front()?.is_ready() { enqueued.pop_front() } else { None }
}
