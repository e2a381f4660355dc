//! The CPU device: so far its threads and its cache.
#![expect(dead_code, reason = "used by the device, which follows")]

mod cache;
pub mod pool;
