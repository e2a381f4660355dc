//! How long command lists took, to tell whether a thread that must stay responsive may run one itself.
//!
//! A fixed table without locks: an entry may be overwritten by that of another list, and is then not known.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Argument, Command, Grid};

const ENTRIES: usize = 1024;
/// Low bits of an entry: microseconds plus one. The others are those of the key.
const TIME_BITS: u32 = 28;

static TABLE: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

/// What makes two lists alike: kernels, grids and what is passed by value, which often says how much there is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(u64);

impl Key {
    /// `None` for a list without commands, which takes no time.
    pub fn of(commands: &[Command]) -> Option<Key> {
        if commands.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        for command in commands {
            std::mem::discriminant(command).hash(&mut hasher);
            match command {
                Command::Dispatch(dispatch) => {
                    Arc::as_ptr(&dispatch.pipeline).cast::<()>().hash(&mut hasher);
                    match &dispatch.grid {
                        Grid::Threads(size) | Grid::Threadgroups(size) => size.hash(&mut hasher),
                        Grid::Indirect { buffer, offset } => (buffer.gpu_address(), offset).hash(&mut hasher),
                    }
                    dispatch.threads_per_threadgroup.hash(&mut hasher);
                    for argument in &dispatch.arguments {
                        if let Argument::Bytes(bytes) = argument {
                            bytes.as_slice().hash(&mut hasher);
                        }
                    }
                }
                Command::CopyBuffer { size, .. } => size.hash(&mut hasher),
                Command::FillBuffer { length, .. } => length.hash(&mut hasher),
                Command::CopyBufferToTexture { region, .. }
                | Command::CopyTextureToBuffer { region, .. }
                | Command::CopyTexture { region, .. } => region.hash(&mut hasher),
                Command::GenerateMipmaps { texture } => texture.gpu_resource_id().hash(&mut hasher),
                Command::Synchronize { .. } | Command::SignalEvent { .. } | Command::WaitEvent { .. } => {}
            }
        }
        Some(Key(hasher.finish()))
    }

    /// How long the last list like this took, if it is known.
    pub fn estimate(self) -> Option<Duration> {
        let entry = self.entry().load(Ordering::Relaxed);
        let time = entry & ((1 << TIME_BITS) - 1);
        (time > 0 && entry >> TIME_BITS == self.0 >> TIME_BITS).then(|| Duration::from_micros(time - 1))
    }

    pub fn took(self, time: Duration) {
        let most = (1 << TIME_BITS) - 2;
        let time = u64::try_from(time.as_micros()).unwrap_or(most).min(most) + 1;
        self.entry().store(self.0 >> TIME_BITS << TIME_BITS | time, Ordering::Relaxed);
    }

    fn entry(self) -> &'static AtomicU64 {
        &TABLE[self.0 as usize % ENTRIES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HostBuffer, StorageMode};

    #[test]
    fn what_was_measured_is_known_and_nothing_else() {
        let buffer = HostBuffer::make("test", 64, StorageMode::Shared).unwrap();
        let fill = |length| [Command::FillBuffer { buffer: buffer.clone(), offset: 0, length, value: 1 }];
        assert_eq!(Key::of(&[]), None);
        let (a, b) = (Key::of(&fill(41)).unwrap(), Key::of(&fill(42)).unwrap());
        assert_ne!(a, b);
        assert_eq!(a.estimate(), None);
        for time in [Duration::ZERO, Duration::from_micros(7), Duration::from_secs(5)] {
            a.took(time);
            assert_eq!(a.estimate(), Some(time));
        }
        a.took(Duration::from_secs(1 << 30));
        assert!(a.estimate().unwrap() > Duration::from_secs(200));
        assert_eq!(b.estimate(), None);
    }
}
