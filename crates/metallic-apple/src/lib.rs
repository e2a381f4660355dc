//! The Apple device: kernels run on a GPU of a Mac through Metal itself.
//!
//! The text of a kernel goes to the system's compiler and every command becomes the call of the same
//! name. What the other devices define by themselves (validation, reflection, order of commands,
//! completion) is what Metal does anyway; this crate adds only what the traits of `metallic-hal`
//! promise beyond it: queues of any length, events shared with every other device, copies of any
//! alignment. It needs macOS 13 or later.
//!
//! It exists on macOS only. Elsewhere the crate is empty, unless its feature `gnustep` is on, with
//! which it is checked and tested against a small fake of Metal: see `tools/check-apple.sh`.

#![cfg(any(target_os = "macos", feature = "gnustep"))]

mod convert;
mod device;
mod encoder;
mod library;
mod memory;
mod pipeline;
mod queue;

pub use device::AppleDevice;
pub use memory::{AppleBuffer, AppleTexture};
