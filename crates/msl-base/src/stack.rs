//! Room for recursion: the compiler recurses with the program, and callers may run on small stacks.

use std::cell::Cell;

/// Enough for the deepest tree that the limits of parser and checker allow, in a debug build.
const BYTES: usize = 256 << 20;

thread_local! {
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` on a thread with a deep stack: this one, if it was made here, or else a new one. Panics of `f` go on here;
/// so does the failure to start a thread, as a panic.
pub fn with_room<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    if HAS_ROOM.get() {
        return f();
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("msl".into()).stack_size(BYTES);
        let spawned = builder.spawn_scoped(scope, || {
            HAS_ROOM.set(true);
            f()
        });
        match spawned.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(e) => panic!("cannot start a thread: {e}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_recursion_has_room_and_stays_on_one_thread() {
        fn deep(n: u32) -> u32 {
            let buffer = [n; 64];
            if n == 0 { 0 } else { std::hint::black_box(buffer)[3].min(deep(n - 1)) + 1 }
        }
        let threads = with_room(|| {
            assert!(deep(100_000) > 0);
            let outer = std::thread::current().id();
            (outer, with_room(|| std::thread::current().id()))
        });
        assert_eq!(threads.0, threads.1);
        assert_ne!(threads.0, std::thread::current().id());
    }
}
