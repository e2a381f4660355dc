//! The interpreter's memory: allocations, pointers, checks, and the race detector.
//!
//! A pointer is `1 << 63 | allocation << 40 | offset`; subtracting below an allocation borrows
//! from its number, so offsets are read as signed. Anything without the top bit is an address of
//! a resource made resident (or null). `thread` memory has one allocation for all threads: each
//! sees its own copy behind the same pointer.

use std::collections::HashMap;

use msl_base::Symbol;

use super::{BufferRef, FaultKind, Options, RaceCheck};
use crate::{AddressSpace, HOST_SLACK, READ_SLACK};

const TAG: u64 = 1 << 63;
const OFFSET_BITS: u32 = 40;
/// The largest object that is accessed at once, but for copies of aggregates.
const BEYOND: usize = 32;

/// What a check found wrong, before it is known which instruction of which thread did it.
#[derive(Debug)]
pub(super) struct Problem {
    pub kind: FaultKind,
    pub message: String,
    pub argument: Option<Symbol>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Memory of the host: buffers and textures.
    Host(*mut u8),
    /// In `Memory::constants`.
    Constants(usize),
    /// In `Memory::threadgroup`.
    Threadgroup(usize),
    /// In `Memory::locals`; copies of the threads follow each other.
    Locals(usize),
}

#[derive(Clone, Copy, Debug)]
struct Allocation {
    place: Place,
    /// Of one thread's copy, for locals.
    len: u64,
    is_writable: bool,
    name: Symbol,
    is_argument: bool,
}

pub(super) struct Memory {
    allocations: Vec<Allocation>,
    /// Start, end and allocation of resident resources.
    resident: Vec<(u64, u64, u64)>,
    constants: Vec<u8>,
    threadgroup: Vec<u8>,
    locals: Vec<u8>,
    poison: u8,
    /// Stands for what is beyond the end of threadgroup memory.
    beyond: [u8; BEYOND],
    strict: bool,
    races: Option<Races>,
}

/// An access about to happen.
#[derive(Clone, Copy)]
pub(super) struct Access {
    pub space: AddressSpace,
    pub len: u64,
    pub align: u64,
    pub is_write: bool,
    pub is_atomic: bool,
}

impl Memory {
    pub fn new(options: &Options) -> Memory {
        let (poison, races) = (options.poison.unwrap_or(0), options.races);
        let null = Allocation {
            place: Place::Constants(0),
            len: 0,
            is_writable: false,
            name: Symbol::new("null"),
            is_argument: false,
        };
        Memory {
            allocations: vec![null],
            resident: Vec::new(),
            constants: Vec::new(),
            threadgroup: Vec::new(),
            locals: Vec::new(),
            poison,
            beyond: [poison; BEYOND],
            strict: options.strict,
            races: (races != RaceCheck::Off).then(|| Races::new(races)),
        }
    }

    fn add(&mut self, place: Place, len: u64, is_writable: bool, name: Symbol, is_argument: bool) -> u64 {
        self.allocations.push(Allocation { place, len, is_writable, name, is_argument });
        TAG | (self.allocations.len() as u64 - 1) << OFFSET_BITS
    }
    /// The pointer to the memory of the host.
    pub fn add_host(&mut self, buffer: &BufferRef<'_>, is_writable: bool, name: Symbol) -> u64 {
        self.add(Place::Host(buffer.ptr), buffer.len as u64, is_writable, name, true)
    }
    /// Makes memory of the host reachable at an address.
    pub fn add_resident(&mut self, buffer: &BufferRef<'_>, address: u64) {
        let pointer = self.add(Place::Host(buffer.ptr), buffer.len as u64, true, Symbol::new("resident buffer"), true);
        let id = (pointer & !TAG) >> OFFSET_BITS;
        self.resident.push((address, address.saturating_add(buffer.len as u64), id));
    }
    pub fn add_constant(&mut self, bytes: &[u8], len: u64, name: Symbol, is_argument: bool) -> u64 {
        let start = self.constants.len();
        self.constants.extend_from_slice(bytes);
        self.constants.resize(start + (len as usize).max(bytes.len()), 0);
        self.add(Place::Constants(start), len.max(bytes.len() as u64), false, name, is_argument)
    }
    /// Writes a pointer into the constant of `len` bytes that was added last.
    pub fn set_constant(&mut self, len: u64, offset: u64, pointer: u64) {
        let start = (self.constants.len() - len as usize) + offset as usize;
        if let Some(place) = self.constants.get_mut(start..start + 8) {
            place.copy_from_slice(&pointer.to_le_bytes());
        }
    }
    pub fn add_threadgroup(&mut self, len: u64, name: Symbol, is_argument: bool) -> u64 {
        let start = self.threadgroup.len();
        self.threadgroup.resize(start + len as usize, 0);
        self.add(Place::Threadgroup(start), len, true, name, is_argument)
    }

    /// Opens the locals of a call: one copy for each of `threads`. Gives their pointers to `pointer`.
    pub fn open_locals(&mut self, locals: &[(u64, Symbol)], threads: usize) -> (LocalsMark, Vec<u64>) {
        let mark = LocalsMark { allocations: self.allocations.len(), bytes: self.locals.len() };
        let mut pointers = Vec::with_capacity(locals.len());
        for &(len, name) in locals {
            let start = self.locals.len();
            self.locals.resize(start + len as usize * threads, self.poison);
            pointers.push(self.add(Place::Locals(start), len, true, name, false));
        }
        (mark, pointers)
    }
    pub fn close_locals(&mut self, mark: LocalsMark) {
        self.allocations.truncate(mark.allocations);
        self.locals.truncate(mark.bytes);
    }
    pub fn start_threadgroup(&mut self) {
        let poison = self.poison;
        self.threadgroup.fill(poison);
        if let Some(r) = &mut self.races {
            r.start_threadgroup();
        }
    }
    pub fn barrier(&mut self, device: bool, threadgroup: bool) {
        if let Some(r) = &mut self.races {
            r.epoch[0] += u32::from(device);
            r.epoch[1] += u32::from(threadgroup);
        }
    }
    pub fn simdgroup_barrier(&mut self, simdgroup: u32, device: bool, threadgroup: bool) {
        if let Some(r) = &mut self.races {
            let epochs = r.simd_epoch.entry(simdgroup).or_insert([0; 2]);
            epochs[0] += u32::from(device);
            epochs[1] += u32::from(threadgroup);
        }
    }

    /// Which allocation a pointer points into, and where.
    fn resolve(&self, pointer: u64) -> Option<(u64, i64)> {
        if pointer & TAG != 0 {
            let raw = pointer & !TAG;
            let id = (raw + (1 << (OFFSET_BITS - 1))) >> OFFSET_BITS;
            return Some((id, raw.wrapping_sub(id << OFFSET_BITS) as i64));
        }
        let found = self.resident.iter().find(|(start, end, _)| (*start..*end).contains(&pointer));
        found.map(|&(start, _, id)| (id, (pointer - start) as i64))
    }

    /// What pointers are compared by: the address in the memory of the host, where two arguments may be
    /// one buffer, or parts of one; for all other memory the pointer itself.
    pub fn address(&self, pointer: u64) -> u64 {
        let found = self.resolve(pointer).and_then(|(id, offset)| Some((self.allocations.get(id as usize)?, offset)));
        match found {
            Some((Allocation { place: Place::Host(start), .. }, offset)) => (*start as u64).wrapping_add_signed(offset),
            _ => pointer,
        }
    }

    /// Checks an access and gives the place, valid for `access.len` bytes until memory is added.
    #[inline]
    pub fn access(&mut self, pointer: u64, thread: u32, access: Access) -> Result<*mut u8, Problem> {
        let Some((id, offset)) = self.resolve(pointer) else { return Err(self.bad_pointer(pointer, access)) };
        let Some(&a) = self.allocations.get(id as usize) else { return Err(self.bad_pointer(pointer, access)) };
        if offset < 0 || (offset as u64).saturating_add(access.len) > a.len {
            if let Some(place) = self.forgiven(&a, offset, access) {
                return Ok(place);
            }
            return Err(out_of_bounds(&a, offset, access));
        }
        let offset = offset as u64;
        if (self.strict || access.is_atomic) && offset & (access.align - 1) != 0 {
            return Err(misaligned(&a, offset, access));
        }
        if access.is_write && !a.is_writable {
            return Err(problem(&a, FaultKind::ReadOnly, "is not writable", access));
        }
        let fits = match a.place {
            Place::Host(_) | Place::Constants(_) => {
                matches!(access.space, AddressSpace::Device | AddressSpace::Constant)
            }
            Place::Threadgroup(_) => access.space == AddressSpace::Threadgroup,
            Place::Locals(_) => access.space == AddressSpace::Thread,
        };
        if !fits {
            return Err(problem(&a, FaultKind::InvalidPointer, "is in another address space", access));
        }
        let offset = offset as usize;
        // SAFETY: the checks above keep `offset + access.len` within the allocation, which lies within
        // the vector or, for `Host`, within the memory that the maker of the `BufferRef` vouched for.
        let place = unsafe {
            match a.place {
                Place::Host(ptr) => ptr.add(offset),
                Place::Constants(start) => self.constants.as_mut_ptr().add(start + offset),
                Place::Threadgroup(start) => self.threadgroup.as_mut_ptr().add(start + offset),
                Place::Locals(start) => self.locals.as_mut_ptr().add(start + thread as usize * a.len as usize + offset),
            }
        };
        Ok(place)
    }

    /// Where an access just beyond the end of threadgroup memory goes.
    fn forgiven(&mut self, a: &Allocation, offset: i64, access: Access) -> Option<*mut u8> {
        let is_shared = matches!(a.place, Place::Threadgroup(_)) && access.space == AddressSpace::Threadgroup;
        if !is_shared || self.strict || offset < 0 || access.len > self.beyond.len() as u64 {
            return None;
        }
        let end = (offset as u64).saturating_add(access.len);
        let is_read = !access.is_write && !access.is_atomic;
        let slack = if a.is_argument { HOST_SLACK } else { READ_SLACK * u64::from(is_read) };
        if end > a.len + slack {
            return None;
        }
        // What others have written there is lost.
        self.beyond.fill(self.poison);
        Some(self.beyond.as_mut_ptr())
    }

    /// Notes an access that was checked. `changes` is false for a write of what is there already.
    pub fn note(&mut self, place: *mut u8, thread: u32, access: Access, changes: bool) -> Result<(), Problem> {
        // Nobody sees what others do beyond the end of threadgroup memory.
        let is_beyond = self.beyond.as_ptr_range().contains(&place.cast_const());
        let Some(races) = self.races.as_mut().filter(|_| !is_beyond) else { return Ok(()) };
        if matches!(access.space, AddressSpace::Thread | AddressSpace::Constant) {
            return Ok(());
        }
        for i in 0..access.len as usize {
            if let Some(other) = races.note(place as usize + i, thread, access, changes) {
                let verb = |w| if w { "write" } else { "read" };
                return Err(Problem {
                    kind: FaultKind::Race,
                    message: format!(
                        "{} of {} memory races with a {} by thread {} of {} threadgroup",
                        verb(access.is_write),
                        access.space.name(),
                        verb(other.is_write),
                        other.thread,
                        if other.group == races.group { "the same" } else { "another" },
                    ),
                    argument: None,
                });
            }
        }
        Ok(())
    }
    pub fn checks_races(&self) -> bool {
        self.races.is_some()
    }

    fn bad_pointer(&self, pointer: u64, access: Access) -> Problem {
        let verb = if access.is_write { "write" } else { "read" };
        let message = match pointer {
            0..0x1000 => format!("{verb} through a null pointer"),
            _ => format!("{verb} through a pointer to no known object ({pointer:#x})"),
        };
        Problem { kind: FaultKind::InvalidPointer, message, argument: None }
    }
}

pub(super) struct LocalsMark {
    allocations: usize,
    bytes: usize,
}

fn problem(a: &Allocation, kind: FaultKind, what: &str, access: Access) -> Problem {
    let verb = if access.is_write { "write" } else { "read" };
    let message = format!("{verb} of {} bytes: '{}' {what}", access.len, a.name);
    Problem { kind, message, argument: a.is_argument.then_some(a.name) }
}
#[cold]
fn out_of_bounds(a: &Allocation, offset: i64, access: Access) -> Problem {
    let verb = if access.is_write { "write" } else { "read" };
    let message = format!("{verb} of {} bytes at byte {offset} of '{}', which holds {}", access.len, a.name, a.len);
    Problem { kind: FaultKind::OutOfBounds, message, argument: a.is_argument.then_some(a.name) }
}
#[cold]
fn misaligned(a: &Allocation, offset: u64, access: Access) -> Problem {
    let what = format!("is accessed at byte {offset}, which is not a multiple of {}", access.align);
    problem(a, FaultKind::Misaligned, &what, access)
}

// ---- races -----------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug)]
struct Past {
    group: u32,
    thread: u32,
    epoch: u32,
    simd_epoch: u32,
    is_write: bool,
    is_atomic: bool,
}

/// The last write of a byte, and reads by up to two different threads: enough that a later write
/// finds one by another thread, if there was any.
#[derive(Clone, Copy, Default)]
struct Cell {
    write: Option<Past>,
    reads: [Option<Past>; 2],
}

struct Races {
    scope: RaceCheck,
    cells: HashMap<usize, Cell>,
    group: u32,
    /// Barriers so far, for device and for threadgroup memory.
    epoch: [u32; 2],
    simd_epoch: HashMap<u32, [u32; 2]>,
}

impl Races {
    fn new(scope: RaceCheck) -> Races {
        Races { scope, cells: HashMap::new(), group: 0, epoch: [0; 2], simd_epoch: HashMap::new() }
    }

    fn start_threadgroup(&mut self) {
        self.group = self.group.wrapping_add(1);
        self.simd_epoch.clear();
        if self.scope == RaceCheck::Threadgroup {
            self.cells.clear();
        }
    }

    /// An earlier access that nothing orders before this one and that conflicts with it.
    fn note(&mut self, address: usize, thread: u32, access: Access, changes: bool) -> Option<Past> {
        let kind = usize::from(access.space == AddressSpace::Threadgroup);
        let simd_epoch = self.simd_epoch.get(&(thread / 32)).map_or(0, |e| e[kind]);
        let now = Past {
            group: self.group,
            thread,
            epoch: self.epoch[kind],
            simd_epoch,
            is_write: access.is_write,
            is_atomic: access.is_atomic,
        };
        let is_threadgroup = kind == 1;
        let cell = self.cells.entry(address).or_default();
        if is_threadgroup && cell.write.or(cell.reads[0]).is_some_and(|p| p.group != now.group) {
            // The same bytes served another threadgroup.
            *cell = Cell::default();
        }
        let conflicts = |p: &Past| !(is_ordered(p, &now) || p.is_atomic && now.is_atomic);
        let found = if now.is_write {
            // Writing what is there already harms no one.
            let write = cell.write.filter(|p| changes && conflicts(p));
            write.or_else(|| cell.reads.into_iter().flatten().find(|p| changes && conflicts(p)))
        } else {
            cell.write.filter(conflicts)
        };
        if now.is_write {
            if changes || cell.write.is_none() {
                cell.write = Some(now);
            }
        } else if cell.reads[0].is_none_or(|r| (r.group, r.thread) == (now.group, now.thread) || is_ordered(&r, &now)) {
            cell.reads[0] = Some(now);
        } else {
            cell.reads[1] = Some(now);
        }
        found
    }
}

fn is_ordered(past: &Past, now: &Past) -> bool {
    if past.group != now.group {
        return false;
    }
    past.thread == now.thread
        || past.epoch != now.epoch
        || (past.thread / 32 == now.thread / 32 && past.simd_epoch != now.simd_epoch)
}

/// Reads up to 8 bytes, little endian.
#[inline]
pub(super) fn read(place: *const u8, len: u32) -> u64 {
    // SAFETY: `place` comes from `Memory::access`, which vouches for `len` bytes.
    unsafe {
        match len {
            1 => u64::from(*place),
            2 => u64::from(u16::from_le_bytes(place.cast::<[u8; 2]>().read_unaligned())),
            4 => u64::from(u32::from_le_bytes(place.cast::<[u8; 4]>().read_unaligned())),
            _ => u64::from_le_bytes(place.cast::<[u8; 8]>().read_unaligned()),
        }
    }
}

/// Writes up to 8 bytes, little endian.
#[inline]
pub(super) fn write(place: *mut u8, len: u32, bits: u64) {
    // SAFETY: `place` comes from `Memory::access`, which vouches for `len` bytes.
    unsafe {
        match len {
            1 => place.write(bits as u8),
            2 => place.cast::<[u8; 2]>().write_unaligned((bits as u16).to_le_bytes()),
            4 => place.cast::<[u8; 4]>().write_unaligned((bits as u32).to_le_bytes()),
            _ => place.cast::<[u8; 8]>().write_unaligned(bits.to_le_bytes()),
        }
    }
}
