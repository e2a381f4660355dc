//! What callers hold: numbers that look like pointers and never are followed.
//!
//! A handle names an entry of a process-wide table. Its top bits mark it as ours, its lowest five
//! bits say what kind of object it was made for, and the number between is never given out again. So
//! NULL, pointers from elsewhere, handles of another kind and handles that were released are all
//! told apart, and a stale handle cannot come to mean a newer object.
//!
//! An entry counts how often it is held. Whoever uses an object takes a clone out of the table
//! first: releasing it in another thread meanwhile is harmless. No object is dropped and nothing of
//! `metallic` is called while the table is locked.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::blit_command_encoder::BlitEncoder;
use crate::command_buffer::CommandBuffer;
use crate::compute_command_encoder::ComputeEncoder;
use crate::error::{Failure, Result};

/// An object of this library as C sees it: `void *`.
pub type Handle = *mut c_void;

const _: () = assert!(usize::BITS == 64, "handles need pointers of 64 bits");

/// No address of a process has these top bits, so that following a handle by mistake faults at once.
const MARK: u64 = 0x4d5 << MARK_SHIFT;
const MARK_SHIFT: u32 = 52;
const KIND_BITS: u32 = 5;
const SHARDS: usize = 16;

struct Entry {
    object: Object,
    count: usize,
}

/// Split by number, so that threads rarely meet. Ordered maps, because numbers only grow.
static TABLE: [RwLock<BTreeMap<u64, Entry>>; SHARDS] = [const { RwLock::new(BTreeMap::new()) }; SHARDS];
static NEXT: AtomicU64 = AtomicU64::new(1);
/// Handles of the devices that were given out: one device has one handle, counted.
static DEVICES: Mutex<Vec<(metallic::Device, u64)>> = Mutex::new(Vec::new());

/// Objects that handles stand for.
pub trait Typed: Clone {
    const KIND: u64;
    fn into_object(self) -> Object;
    fn of(object: &Object) -> Option<&Self>;
}

macro_rules! objects {
    ($($kind:ident($ty:ty) = $number:literal $name:literal;)*) => {
        #[derive(Clone)]
        pub enum Object {
            $($kind($ty)),*
        }

        impl Object {
            fn kind(&self) -> u64 {
                match self {
                    $(Object::$kind(_) => $number),*
                }
            }
        }

        $(impl Typed for $ty {
            const KIND: u64 = $number;
            fn into_object(self) -> Object {
                Object::$kind(self)
            }
            fn of(object: &Object) -> Option<&Self> {
                match object {
                    Object::$kind(object) => Some(object),
                    _ => None,
                }
            }
        })*

        /// With its article.
        fn kind_name(kind: u64) -> Option<&'static str> {
            match kind {
                $($number => Some($name),)*
                _ => None,
            }
        }
    };
}

objects! {
    Device(metallic::Device) = 1 "a device";
    CommandQueue(metallic::CommandQueue) = 2 "a command queue";
    Buffer(metallic::Buffer) = 3 "a buffer";
    Library(metallic::Library) = 4 "a library";
    Function(metallic::Function) = 5 "a function";
    ComputePipelineState(metallic::ComputePipelineState) = 6 "a compute pipeline state";
    CommandBuffer(CommandBuffer) = 7 "a command buffer";
    ComputeEncoder(Arc<ComputeEncoder>) = 8 "a compute command encoder";
    BlitEncoder(Arc<BlitEncoder>) = 9 "a blit command encoder";
    Texture(metallic::Texture) = 10 "a texture";
    SamplerState(metallic::SamplerState) = 11 "a sampler state";
    CompileOptions(Arc<Mutex<metallic::CompileOptions>>) = 12 "compile options";
    FunctionConstantValues(Arc<Mutex<metallic::FunctionConstantValues>>) = 13 "function constant values";
    SharedEvent(metallic::SharedEvent) = 14 "a shared event";
    FunctionHandle(metallic::FunctionHandle) = 15 "a function handle";
    VisibleFunctionTable(metallic::VisibleFunctionTable) = 16 "a visible function table";
    LogState(Arc<metallic::LogState>) = 17 "a log state";
}

/// A new handle, held once.
pub fn insert<T: Typed>(object: T) -> Result<Handle> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    if number >> (MARK_SHIFT - KIND_BITS) != 0 {
        return Err(Failure::argument("this process has made more objects than there are handles"));
    }
    let raw = MARK | number << KIND_BITS | T::KIND;
    let entry = Entry { object: object.into_object(), count: 1 };
    write(raw).insert(raw, entry);
    Ok(raw as usize as Handle)
}

/// The handle of a device, held once more. Callers may compare devices by their handles.
pub fn insert_device(device: &metallic::Device) -> Result<Handle> {
    let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, raw)) = devices.iter().find(|(known, _)| known.is_same(device))
        && let Some(entry) = write(*raw).get_mut(raw)
    {
        entry.count += 1;
        return Ok(*raw as usize as Handle);
    }
    let handle = insert(device.clone())?;
    devices.retain(|(known, _)| !known.is_same(device));
    devices.push((device.clone(), handle as usize as u64));
    Ok(handle)
}

/// The object of a handle; `what` names the argument.
pub fn get<T: Typed>(handle: Handle, what: &str) -> Result<T> {
    let raw = number(handle, what)?;
    let table = read(raw);
    let Some(entry) = table.get(&raw) else { return Err(dead(raw, what)) };
    T::of(&entry.object).cloned().ok_or_else(|| wrong_kind(raw, what, T::KIND))
}

/// Holds the object once more.
pub fn retain(handle: Handle, what: &str) -> Result<Handle> {
    let raw = number(handle, what)?;
    let mut table = write(raw);
    let Some(entry) = table.get_mut(&raw) else { return Err(dead(raw, what)) };
    entry.count += 1;
    Ok(handle)
}

/// Holds the object once less; the last time ends the handle. `kind` is what it must be, if that matters.
pub fn release(handle: Handle, what: &str, kind: Option<u64>) -> Result<()> {
    let raw = number(handle, what)?;
    let mut table = write(raw);
    let Some(entry) = table.get_mut(&raw) else { return Err(dead(raw, what)) };
    if let Some(kind) = kind.filter(|kind| *kind != entry.object.kind()) {
        return Err(wrong_kind(raw, what, kind));
    }
    entry.count -= 1;
    let last = if entry.count == 0 { table.remove(&raw) } else { None };
    // The object goes only when the table is free again: its end may run anything.
    drop(table);
    drop(last);
    Ok(())
}

/// Makes sure that `handle` names `object` while `body` runs, also when its holders have released it.
pub fn lend<T: Typed>(handle: Handle, object: T, body: impl FnOnce()) {
    let raw = handle as usize as u64;
    let mut object = Some(object.into_object());
    write(raw)
        .entry(raw)
        .and_modify(|entry| entry.count += 1)
        .or_insert_with(|| Entry { object: object.take().expect("taken only here"), count: 1 });
    drop(object);
    body();
    // It fails only for a holder who released what was merely lent, which harms nobody but him.
    let _ = release(handle, "the object", None);
}

/// How many objects have handles.
pub fn live_count() -> usize {
    TABLE.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
}

/// The key of a handle that this library could have given out.
fn number(handle: Handle, what: &str) -> Result<u64> {
    if handle.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    let raw = handle as usize as u64;
    let number = (raw & !(u64::MAX << MARK_SHIFT)) >> KIND_BITS;
    let is_ours = raw >> MARK_SHIFT == MARK >> MARK_SHIFT
        && kind_name(kind_of(raw)).is_some()
        && (1..NEXT.load(Ordering::Relaxed)).contains(&number);
    if is_ours { Ok(raw) } else { Err(Failure::argument(format!("{what} is {raw:#x}, no object of this library"))) }
}

fn kind_of(raw: u64) -> u64 {
    raw & ((1 << KIND_BITS) - 1)
}

fn dead(raw: u64, what: &str) -> Failure {
    let name = kind_name(kind_of(raw)).unwrap_or("an object");
    Failure::argument(format!("{what} is {name} that has been released already"))
}

fn wrong_kind(raw: u64, what: &str, wanted: u64) -> Failure {
    let name = |kind| kind_name(kind).unwrap_or("another object");
    Failure::argument(format!("{what} is {}, not {}", name(kind_of(raw)), name(wanted)))
}

fn shard(raw: u64) -> &'static RwLock<BTreeMap<u64, Entry>> {
    &TABLE[(raw >> KIND_BITS) as usize % SHARDS]
}
fn read(raw: u64) -> std::sync::RwLockReadGuard<'static, BTreeMap<u64, Entry>> {
    shard(raw).read().unwrap_or_else(PoisonError::into_inner)
}
fn write(raw: u64) -> std::sync::RwLockWriteGuard<'static, BTreeMap<u64, Entry>> {
    shard(raw).write().unwrap_or_else(PoisonError::into_inner)
}

/// Locks settings that a handle stands for.
pub fn lock<T>(settings: &Mutex<T>) -> MutexGuard<'_, T> {
    settings.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> metallic::SharedEvent {
        metallic::Device::by_name("null").unwrap().make_shared_event()
    }
    fn text<T>(result: Result<T>) -> String {
        result.err().map(|failure| failure.text()).unwrap_or_default()
    }

    #[test]
    fn handles_are_counted_and_never_come_back() {
        let handle = insert(event()).unwrap();
        retain(handle, "event").unwrap();
        release(handle, "event", None).unwrap();
        assert!(get::<metallic::SharedEvent>(handle, "event").is_ok());
        release(handle, "event", Some(metallic::SharedEvent::KIND)).unwrap();
        assert_eq!(text(release(handle, "event", None)), "event is a shared event that has been released already");
        let next = insert(event()).unwrap();
        assert_ne!(handle, next);
        assert!(get::<metallic::SharedEvent>(handle, "event").is_err());
        release(next, "event", None).unwrap();
    }

    #[test]
    fn strange_pointers_are_told_apart() {
        let handle = insert(event()).unwrap();
        assert_eq!(text(get::<metallic::Buffer>(handle, "buffer")), "buffer is a shared event, not a buffer");
        assert_eq!(text(get::<metallic::Buffer>(std::ptr::null_mut(), "buffer")), "buffer is NULL");
        let foreign = (&raw const handle) as Handle;
        assert!(text(get::<metallic::Buffer>(foreign, "buffer")).ends_with("no object of this library"));
        let future = (handle as usize + (1 << 40)) as Handle;
        assert!(text(get::<metallic::Buffer>(future, "buffer")).ends_with("no object of this library"));
        // A handle whose kind was tampered with names nothing.
        let tampered = (handle as usize & !0xf | 3) as Handle;
        assert!(get::<metallic::Buffer>(tampered, "buffer").is_err());
        release(handle, "event", None).unwrap();
    }

    #[test]
    fn one_device_has_one_handle() {
        let device = metallic::Device::by_name("null").unwrap();
        let first = insert_device(&device).unwrap();
        let second = insert_device(&device).unwrap();
        assert_eq!(first, second);
        release(first, "device", None).unwrap();
        release(second, "device", None).unwrap();
        assert!(retain(first, "device").is_err());
        let third = insert_device(&device).unwrap();
        assert_ne!(first, third);
        release(third, "device", None).unwrap();
    }

    #[test]
    fn what_is_lent_lives_for_the_call() {
        let object = event();
        let handle = insert(object.clone()).unwrap();
        release(handle, "event", None).unwrap();
        lend(handle, object, || assert!(get::<metallic::SharedEvent>(handle, "event").is_ok()));
        assert!(get::<metallic::SharedEvent>(handle, "event").is_err());
    }
}
