//! Objects, classes, selectors, reference counts, autorelease pools and blocks, under the names that
//! the bindings link against.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

const OBJECT: usize = 0x0b1ec7;
const CLASS: usize = 0xc1a55;
const DEAD: usize = 0xdead;

/// The implementation of a method; what it takes and gives depends on the selector.
pub type Imp = *const ();
pub type Sel = *const c_char;
/// Class (with `+` before the selector of its own methods), selector and implementation.
pub type Method = (&'static str, &'static str, Imp);

#[repr(C)]
pub struct Object {
    magic: AtomicUsize,
    class: &'static str,
    count: AtomicUsize,
    /// What setters set.
    properties: Mutex<BTreeMap<String, Value>>,
    native: Option<Box<dyn Any + Send + Sync>>,
}

#[repr(C)]
struct Class {
    magic: AtomicUsize,
    name: &'static str,
}

#[derive(Clone)]
pub enum Value {
    Int(usize),
    Float(f32),
    Object(Option<Ref>),
}

/// A reference that counts.
pub struct Ref(*mut Object);

// SAFETY: counts are atomic and what objects hold is `Send + Sync`.
unsafe impl Send for Ref {}
// SAFETY: as above.
unsafe impl Sync for Ref {}

impl Ref {
    pub fn retain(object: *mut Object) -> Ref {
        Ref(retain(object))
    }
    pub fn optional(object: *mut Object) -> Option<Ref> {
        if object.is_null() { None } else { Some(Ref::retain(object)) }
    }
    pub fn new(class: &'static str, native: impl Any + Send + Sync) -> Ref {
        Ref(make(class, native))
    }
    pub fn as_ptr(&self) -> *mut Object {
        self.0
    }
    /// As methods of the families `new` and `copy` return it.
    pub fn into_raw(self) -> *mut Object {
        std::mem::ManuallyDrop::new(self).0
    }
    /// As other methods return it.
    pub fn autorelease(self) -> *mut Object {
        objc_autorelease(self.into_raw())
    }
}
impl Clone for Ref {
    fn clone(&self) -> Ref {
        Ref::retain(self.0)
    }
}
impl Drop for Ref {
    fn drop(&mut self) {
        objc_release(self.0);
    }
}
impl std::ops::Deref for Ref {
    type Target = Object;
    fn deref(&self) -> &Object {
        of(self.0)
    }
}

impl Object {
    /// An object that is never released.
    pub const fn constant(class: &'static str) -> Object {
        Object {
            magic: AtomicUsize::new(OBJECT),
            class,
            count: AtomicUsize::new(usize::MAX / 2),
            properties: Mutex::new(BTreeMap::new()),
            native: None,
        }
    }
    pub fn native<T: 'static>(&self) -> &T {
        let native = self.native.as_deref().and_then(|native| native.downcast_ref());
        native.unwrap_or_else(|| panic!("{} is no {}", self.class, std::any::type_name::<T>()))
    }
    pub fn class(&self) -> &'static str {
        self.class
    }
    pub fn set(&self, setter: &str, value: Value) {
        lock(&self.properties).insert(setter.into(), value);
    }
    pub fn int(&self, setter: &str) -> usize {
        match lock(&self.properties).get(setter) {
            Some(Value::Int(value)) => *value,
            _ => panic!("{}: nobody called {setter} with an integer", self.class),
        }
    }
    pub fn float(&self, setter: &str) -> f32 {
        match lock(&self.properties).get(setter) {
            Some(Value::Float(value)) => *value,
            _ => panic!("{}: nobody called {setter} with a number", self.class),
        }
    }
    pub fn object(&self, setter: &str) -> Option<Ref> {
        match lock(&self.properties).get(setter) {
            Some(Value::Object(value)) => value.clone(),
            _ => None,
        }
    }
}

/// The object behind a pointer; panics when it has ended.
pub fn of<'a>(object: *mut Object) -> &'a Object {
    assert!(!object.is_null(), "message to nil");
    // SAFETY: memory of objects is never given back, so the number at its start can be read.
    let object = unsafe { &*object };
    let magic = object.magic.load(Ordering::SeqCst);
    if magic != OBJECT {
        violation(format!("use of a {} that has ended", object.class));
        panic!("use of a {} that has ended", object.class);
    }
    object
}

pub fn make(class: &'static str, native: impl Any + Send + Sync) -> *mut Object {
    let object = Box::into_raw(Box::new(Object {
        magic: AtomicUsize::new(OBJECT),
        class,
        count: AtomicUsize::new(1),
        properties: Mutex::default(),
        native: Some(Box::new(native)),
    }));
    lock(&STATE).live.insert(object as usize, class);
    object
}

// ---- what went on ----------------------------------------------------------------------

#[derive(Default)]
struct State {
    live: BTreeMap<usize, &'static str>,
    violations: Vec<String>,
    log: Vec<String>,
}

static STATE: Mutex<State> = Mutex::new(State { live: BTreeMap::new(), violations: Vec::new(), log: Vec::new() });

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
/// Classes of the objects that have not ended.
pub fn live() -> Vec<String> {
    lock(&STATE).live.values().map(|class| (*class).to_string()).collect()
}
pub fn violations() -> Vec<String> {
    std::mem::take(&mut lock(&STATE).violations)
}
pub fn violation(what: String) {
    let violations = &mut lock(&STATE).violations;
    if !violations.contains(&what) {
        violations.push(what);
    }
}
pub fn log(what: String) {
    lock(&STATE).log.push(what);
}
pub fn take_log() -> Vec<String> {
    std::mem::take(&mut lock(&STATE).log)
}
pub fn reset() {
    *lock(&STATE) = State::default();
}

// ---- methods -----------------------------------------------------------------------------

static METHODS: LazyLock<HashMap<(&'static str, &'static str), usize>> = LazyLock::new(|| {
    let tables = [super::foundation::methods(), super::resources::methods(), super::commands::methods()];
    let all: Vec<Method> = tables.into_iter().flatten().collect();
    let map: HashMap<_, _> = all.iter().map(|(class, sel, imp)| ((*class, *sel), *imp as usize)).collect();
    assert_eq!(map.len(), all.len(), "a method is defined twice");
    map
});

/// Setters of properties, by the kind of their argument.
pub fn setters(class: &'static str, list: &[(&'static str, Imp)]) -> Vec<Method> {
    list.iter().map(|(sel, imp)| (class, *sel, *imp)).collect()
}
pub extern "C-unwind" fn set_int(this: *mut Object, sel: Sel, value: usize) {
    of(this).set(name_of(sel), Value::Int(value));
}
pub extern "C-unwind" fn set_bool(this: *mut Object, sel: Sel, value: bool) {
    of(this).set(name_of(sel), Value::Int(usize::from(value)));
}
pub extern "C-unwind" fn set_float(this: *mut Object, sel: Sel, value: f32) {
    of(this).set(name_of(sel), Value::Float(value));
}
pub extern "C-unwind" fn set_object(this: *mut Object, sel: Sel, value: *mut Object) {
    of(this).set(name_of(sel), Value::Object(Ref::optional(value)));
}
/// `+new` of classes whose objects are nothing but properties.
pub extern "C-unwind" fn new_plain(class: *mut Object, _: Sel) -> *mut Object {
    make(class_name(class), ())
}

pub fn name_of<'a>(sel: Sel) -> &'a str {
    // SAFETY: selectors are strings that `sel_registerName` made and never frees.
    unsafe { CStr::from_ptr(sel) }.to_str().expect("selectors are ASCII")
}

pub fn class_name(class: *mut Object) -> &'static str {
    // SAFETY: the receiver of a class method is a class.
    unsafe { (*class.cast::<Class>()).name }
}

#[unsafe(no_mangle)]
extern "C-unwind" fn objc_msg_lookup(receiver: *mut Object, sel: Sel) -> *const () {
    // SAFETY: classes and objects begin with the number that tells them apart.
    let is_class = unsafe { &*receiver.cast::<AtomicUsize>() }.load(Ordering::SeqCst) == CLASS;
    let (class, sel) = match is_class {
        true => (class_name(receiver), format!("+{}", name_of(sel))),
        false => (of(receiver).class, name_of(sel).to_string()),
    };
    match METHODS.get(&(class, sel.as_str())) {
        Some(imp) => *imp as *const (),
        None => panic!("the fake {class} has no method {sel}"),
    }
}

#[unsafe(no_mangle)]
extern "C-unwind" fn sel_registerName(name: *const c_char) -> Sel {
    static NAMES: OnceLock<Mutex<HashMap<CString, usize>>> = OnceLock::new();
    // SAFETY: the bindings pass strings.
    let name = unsafe { CStr::from_ptr(name) }.to_owned();
    let mut names = lock(NAMES.get_or_init(Mutex::default));
    *names.entry(name.clone()).or_insert_with(|| name.into_raw() as usize) as Sel
}

#[unsafe(no_mangle)]
extern "C-unwind" fn sel_getName(sel: Sel) -> *const c_char {
    sel
}

/// Classes that are sent messages, under the names that compilers give them.
macro_rules! classes {
    ($($name:ident)*) => {$(
        #[unsafe(export_name = concat!("._OBJC_CLASS_", stringify!($name)))]
        static $name: Class = Class { magic: AtomicUsize::new(CLASS), name: stringify!($name) };
    )*};
}

#[allow(non_upper_case_globals)]
mod classes {
    use super::{AtomicUsize, CLASS, Class};
    classes! {
        NSArray NSProcessInfo NSString
        MTLCommandBufferDescriptor MTLCompileOptions MTLComputePipelineDescriptor MTLFunctionConstantValues
        MTLSamplerDescriptor MTLSharedEventListener MTLTextureDescriptor
    }
}

/// What the bindings call only to explain a failure, or for checks that are off.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C-unwind" fn $name() {
            panic!("{} was called", stringify!($name));
        }
    )*};
}
never_called! {
    class_getInstanceMethod class_getName class_isMetaClass method_getName method_getTypeEncoding objc_getClass
    sel_isEqual
}

/// The bindings ask for the class in order to check encodings, and then do not, so any address will do.
#[unsafe(no_mangle)]
extern "C-unwind" fn object_getClass(object: *const c_void) -> *const c_void {
    object
}

// ---- reference counts ----------------------------------------------------------------------

pub fn retain(object: *mut Object) -> *mut Object {
    of(object).count.fetch_add(1, Ordering::SeqCst);
    object
}

#[unsafe(no_mangle)]
extern "C-unwind" fn objc_retain(object: *mut Object) -> *mut Object {
    if object.is_null() { object } else { retain(object) }
}

#[unsafe(no_mangle)]
extern "C-unwind" fn objc_retainAutoreleasedReturnValue(object: *mut Object) -> *mut Object {
    objc_retain(object)
}

#[unsafe(no_mangle)]
pub extern "C-unwind" fn objc_release(object: *mut Object) {
    if object.is_null() {
        return;
    }
    if of(object).count.fetch_sub(1, Ordering::SeqCst) != 1 {
        return;
    }
    of(object).magic.store(DEAD, Ordering::SeqCst);
    // SAFETY: this was the last reference. The memory stays, so that later uses are found.
    let (native, properties) = unsafe { ((*object).native.take(), std::mem::take(&mut *lock(&(*object).properties))) };
    drop((native, properties));
    lock(&STATE).live.remove(&(object as usize));
}

thread_local! {
    static POOLS: RefCell<Vec<Vec<Ref>>> = const { RefCell::new(Vec::new()) };
}

#[unsafe(no_mangle)]
pub extern "C-unwind" fn objc_autorelease(object: *mut Object) -> *mut Object {
    let reference = Ref(object);
    let has_pool = POOLS.with_borrow_mut(|pools| match pools.last_mut() {
        Some(pool) => {
            pool.push(reference);
            true
        }
        None => false,
    });
    if !has_pool {
        violation(format!("a {} was autoreleased without a pool", of(object).class));
    }
    object
}

#[unsafe(no_mangle)]
extern "C-unwind" fn objc_autoreleasePoolPush() -> *mut c_void {
    POOLS.with_borrow_mut(|pools| {
        pools.push(Vec::new());
        pools.len() as *mut c_void
    })
}

#[unsafe(no_mangle)]
extern "C-unwind" fn objc_autoreleasePoolPop(context: *mut c_void) {
    let ended = POOLS.with_borrow_mut(|pools| pools.split_off(context as usize - 1));
    drop(ended);
}

/// A pool for what the system's own threads do.
pub fn with_pool<T>(f: impl FnOnce() -> T) -> T {
    let context = objc_autoreleasePoolPush();
    let result = f();
    objc_autoreleasePoolPop(context);
    result
}

// ---- blocks ----------------------------------------------------------------------------------

#[repr(C)]
pub struct Block {
    isa: *const c_void,
    flags: i32,
    count: i32,
    invoke: Imp,
    descriptor: *const Descriptor,
}

#[repr(C)]
struct Descriptor {
    _reserved: usize,
    size: usize,
    copy: Option<extern "C-unwind" fn(*mut c_void, *const c_void)>,
    dispose: Option<extern "C-unwind" fn(*mut c_void)>,
}

const HAS_COPY_DISPOSE: i32 = 1 << 25;
const NEEDS_FREE: i32 = 1 << 24;

#[unsafe(no_mangle)]
static _NSConcreteStackBlock: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
#[unsafe(no_mangle)]
static _NSConcreteGlobalBlock: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// A block that counts like an object.
pub struct BlockRef(*mut Block);

// SAFETY: Metal calls blocks from any thread; whoever makes one must allow that.
unsafe impl Send for BlockRef {}
// SAFETY: as above; it is only called through the pointer.
unsafe impl Sync for BlockRef {}

impl BlockRef {
    pub fn copy(block: *mut Block) -> BlockRef {
        // SAFETY: a block that somebody passed.
        BlockRef(unsafe { _Block_copy(block) })
    }
    /// Calls it with a first argument of an object.
    pub fn call(&self, object: *mut Object) {
        // SAFETY: blocks of this kind take an object.
        let invoke: extern "C-unwind" fn(*mut Block, *mut Object) = unsafe { std::mem::transmute((*self.0).invoke) };
        invoke(self.0, object);
    }
    pub fn call_with(&self, object: *mut c_void, value: u64) {
        // SAFETY: blocks of this kind take a pointer and a number.
        let invoke: extern "C-unwind" fn(*mut Block, *mut c_void, u64) =
            unsafe { std::mem::transmute((*self.0).invoke) };
        invoke(self.0, object, value);
    }
}
impl Drop for BlockRef {
    fn drop(&mut self) {
        // SAFETY: `copy` counted this reference.
        unsafe { _Block_release(self.0) }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn _Block_copy(block: *mut Block) -> *mut Block {
    if block.is_null() {
        return block;
    }
    // SAFETY: the layout of blocks is an ABI; counts change under a lock.
    unsafe {
        let _guard = lock(&BLOCKS);
        if (*block).flags & NEEDS_FREE != 0 {
            (*block).count += 1;
            return block;
        }
        let descriptor = &*(*block).descriptor;
        let words = descriptor.size.div_ceil(16);
        let copy = Box::into_raw(vec![0u128; words].into_boxed_slice()).cast::<Block>();
        std::ptr::copy_nonoverlapping(block.cast::<u8>(), copy.cast::<u8>(), descriptor.size);
        (*copy).flags |= NEEDS_FREE;
        (*copy).count = 1;
        if (*block).flags & HAS_COPY_DISPOSE != 0
            && let Some(helper) = descriptor.copy
        {
            helper(copy.cast(), block.cast());
        }
        lock(&STATE).live.insert(copy as usize, "block");
        copy
    }
}

#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn _Block_release(block: *mut Block) {
    // SAFETY: as in `_Block_copy`; the helper runs when nobody else has the block.
    unsafe {
        let is_last = {
            let _guard = lock(&BLOCKS);
            (*block).count -= 1;
            (*block).count == 0
        };
        if !is_last {
            return;
        }
        let descriptor = &*(*block).descriptor;
        if (*block).flags & HAS_COPY_DISPOSE != 0
            && let Some(helper) = descriptor.dispose
        {
            helper(block.cast());
        }
        lock(&STATE).live.remove(&(block as usize));
        let words = std::ptr::slice_from_raw_parts_mut(block.cast::<u128>(), descriptor.size.div_ceil(16));
        drop(Box::from_raw(words));
    }
}

static BLOCKS: Mutex<()> = Mutex::new(());
