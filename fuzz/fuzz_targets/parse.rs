//! See `targets::parse_text`.

#![no_main]

#[path = "../src/shared.rs"]
mod shared;

shared::target!(shared::targets::parse_text);
