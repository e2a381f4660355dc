//! What encoders have in common: they write into one command buffer until they end.

use std::sync::atomic::{AtomicBool, Ordering};

use metallic_hal::Command;

use crate::{CommandBuffer, Device, Error, Result};

pub(crate) struct CommandEncoder {
    command_buffer: CommandBuffer,
    has_ended: AtomicBool,
}

impl CommandEncoder {
    pub fn new(command_buffer: &CommandBuffer) -> CommandEncoder {
        CommandEncoder { command_buffer: command_buffer.clone(), has_ended: AtomicBool::new(false) }
    }
    pub fn command_buffer(&self) -> &CommandBuffer {
        &self.command_buffer
    }
    pub fn device(&self) -> &Device {
        self.command_buffer.device()
    }
    pub fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
    pub fn check_open(&self) -> Result<()> {
        if self.has_ended() {
            return Err(Error::invalid("the encoder has ended: make a new one"));
        }
        Ok(())
    }
    pub fn push(&self, command: Command) -> Result<()> {
        self.check_open()?;
        self.command_buffer.push(command);
        Ok(())
    }
    pub fn end(&self) -> Result<()> {
        if self.has_ended.swap(true, Ordering::AcqRel) {
            return Err(Error::invalid("end_encoding was called before"));
        }
        self.command_buffer.close_encoder();
        Ok(())
    }
}

/// An encoder that nobody can end any more must not hold up its command buffer.
impl Drop for CommandEncoder {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
