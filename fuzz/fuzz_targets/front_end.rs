//! See `targets::front_end`.

#![no_main]

#[path = "../src/shared.rs"]
mod shared;

shared::target!(shared::targets::front_end);
