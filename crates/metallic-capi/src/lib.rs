//! `libpymetallic`: [`metallic`] for C, and for every language that can call C.
//!
//! In come handles, numbers, text and memory; out go handles, numbers and text. Nothing is decided
//! here: arguments are translated, [`metallic`] does the work and the checking, errors are kept for
//! `metal_get_last_error`. `include/pymetallic.h` is the documentation for callers; a test holds it
//! to the functions of this crate. The functions of the Swift bridge that PyMetallic came with
//! keep their names, types and ownership; the others are additions.
//!
//! Promised, whatever a caller passes for a handle: an error and never a crash ([`handle`] says
//! how). No panic leaves the library ([`error::guard`]). Every function may be called from any
//! thread. Pointers to memory and text are taken at their word, as always in C, but for NULL.
//!
//! Functions that only take handles and numbers are safe to call; those that follow a pointer of
//! the caller are `unsafe` and rely on exactly what the header asks of that pointer.

mod alloc;
mod convert;
mod error;
mod handle;

pub mod blit_command_encoder;
pub mod buffer;
pub mod command_buffer;
pub mod compute_command_encoder;
pub mod device;
pub mod event;
pub mod function_constant_values;
pub mod library;
pub mod log_state;
pub mod object;
pub mod texture;
pub mod visible_function_table;

pub use handle::Handle;
