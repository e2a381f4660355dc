//! CPU kernels: single program, multiple data over the lanes of vector registers.
//!
//! `layout` places threads in lanes; `kernel` is the function around a threadgroup: arguments, the
//! loop over groups and gangs; `gangs` says how many threads run in step; `guards` finds conditions that
//! whole threadgroups agree on, `bounds` accesses of which a threadgroup knows at its start that they are within
//! bounds, both with the least and greatest values of `ranges`, and `specialize` makes the version for those;
//! `runs` joins threadgroups that are side by side; `regions` splits at barriers; `control` and `masks` do
//! divergence, where `cost` says what is worth a branch; `in_step` runs loops without masks while all threads are in, `hoist` moves bounds checks out of
//! loops, `next_group` fetches ahead in them; `locals` keeps variables; `pattern` knows indices that are a number plus a pattern of lanes; `inst` emits
//! values, `wide` those of 16-bit floats in fast math, `convert` integers out of floats; `explain` tells people what was decided; `memory`,
//! `check`, `private`, `atomic` and `simdgroup` do what their names say, `windows` collects atomic operations.

mod access;
mod atomic;
mod bounds;
mod check;
mod control;
mod convert;
mod cost;
mod explain;
mod gangs;
mod guards;
mod hoist;
mod in_step;
mod inst;
mod kernel;
pub mod layout;
mod locals;
mod masks;
mod memory;
mod next_group;
mod pattern;
mod private;
mod ranges;
mod regions;
mod runs;
mod simdgroup;
mod specialize;
mod wide;
mod windows;

pub(crate) use gangs::any_inst;
pub(crate) use kernel::{Body, emit_kernel};
