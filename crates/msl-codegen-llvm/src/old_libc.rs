//! What LLVM's archives take from the C library that older C libraries lack.
//!
//! A package runs where the C library is at least as new as the newest function that it names. Debian's archives
//! name one that is newer than all others, `arc4random` of glibc 2.36, for the names of temporary files, which we
//! never make. Defined here, and hidden from everyone else in the process, it costs nobody the package.

use std::arch::global_asm;
use std::hash::{BuildHasher, RandomState};

extern "C" fn random_number() -> u32 {
    // The standard library's keys come from the system's random numbers.
    RandomState::new().hash_one(0) as u32
}

#[cfg(target_arch = "x86_64")]
global_asm!(".globl arc4random", ".hidden arc4random", "arc4random:", "jmp {f}", f = sym random_number);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl arc4random", ".hidden arc4random", "arc4random:", "b {f}", f = sym random_number);
