//! See `targets::preprocess_text`.

#![no_main]

#[path = "../src/shared.rs"]
mod shared;

shared::target!(shared::targets::preprocess_text);
