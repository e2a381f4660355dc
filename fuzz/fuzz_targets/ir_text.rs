//! See `targets::ir_text`.

#![no_main]

#[path = "../src/shared.rs"]
mod shared;

shared::target!(shared::targets::ir_text);
