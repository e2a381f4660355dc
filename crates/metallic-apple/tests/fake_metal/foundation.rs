//! Strings, arrays, errors and the clock.

use std::ffi::{CString, c_char, c_void};
use std::sync::LazyLock;
use std::time::Instant;

use super::runtime::{Imp, Method, Object, Ref, Sel, log, make, objc_release, of, set_object};

pub fn string(text: &str) -> Ref {
    Ref::new("NSString", CString::new(text).expect("no zeros"))
}

pub fn text_of(string: *mut Object) -> String {
    of(string).native::<CString>().to_str().expect("UTF-8").to_string()
}

/// What an `NSError` holds.
pub struct ErrorBody {
    pub text: String,
    /// `MTLCommandBufferEncoderInfo`s.
    pub encoders: Vec<Ref>,
}

pub fn error(text: &str, encoders: Vec<Ref>) -> Ref {
    Ref::new("NSError", ErrorBody { text: text.into(), encoders })
}

/// Seconds since the system started, which was long before the process did.
pub fn uptime() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    1000.0 + START.elapsed().as_secs_f64()
}

static KEY: Object = Object::constant("NSString");

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
static MTLCommandBufferEncoderInfoErrorKey: &Object = &KEY;

pub fn methods() -> Vec<Method> {
    vec![
        ("NSString", "+alloc", alloc as Imp),
        ("NSString", "initWithBytes:length:encoding:", init_with_bytes as Imp),
        ("NSString", "lengthOfBytesUsingEncoding:", length_of_bytes as Imp),
        ("NSString", "UTF8String", utf8_string as Imp),
        ("NSError", "localizedDescription", localized_description as Imp),
        ("NSError", "userInfo", user_info as Imp),
        ("NSDictionary", "objectForKey:", object_for_key as Imp),
        ("NSArray", "countByEnumeratingWithState:objects:count:", count_by_enumerating as Imp),
        ("NSProcessInfo", "+processInfo", process_info as Imp),
        ("NSProcessInfo", "systemUptime", system_uptime as Imp),
        ("MTLCommandBufferEncoderInfo", "label", encoder_label as Imp),
        ("MTLCommandBufferEncoderInfo", "errorState", encoder_error_state as Imp),
        ("MTLCommandBufferEncoderInfo", "setLabel:", set_object as Imp),
    ]
}

extern "C-unwind" fn alloc(_: *mut Object, _: Sel) -> *mut Object {
    make("NSString", CString::default())
}

/// Returns another object than it was sent to, as initializers may.
extern "C-unwind" fn init_with_bytes(
    this: *mut Object,
    _: Sel,
    bytes: *const u8,
    length: usize,
    encoding: i32,
) -> *mut Object {
    assert_eq!(encoding, 4, "UTF-8");
    objc_release(this);
    // SAFETY: the caller passes so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    string(std::str::from_utf8(bytes).expect("UTF-8")).into_raw()
}

extern "C-unwind" fn length_of_bytes(this: *mut Object, _: Sel, _: i32) -> usize {
    of(this).native::<CString>().as_bytes().len()
}

extern "C-unwind" fn utf8_string(this: *mut Object, _: Sel) -> *const c_char {
    of(this).native::<CString>().as_ptr()
}

extern "C-unwind" fn localized_description(this: *mut Object, _: Sel) -> *mut Object {
    string(&of(this).native::<ErrorBody>().text).autorelease()
}

extern "C-unwind" fn user_info(this: *mut Object, _: Sel) -> *mut Object {
    Ref::new("NSDictionary", Ref::retain(this)).autorelease()
}

extern "C-unwind" fn object_for_key(this: *mut Object, _: Sel, key: *const Object) -> *mut Object {
    assert!(std::ptr::eq(key, &raw const KEY), "the only key there is");
    let encoders = &of(this).native::<Ref>().native::<ErrorBody>().encoders;
    if encoders.is_empty() {
        return std::ptr::null_mut();
    }
    Ref::new("NSArray", encoders.clone()).autorelease()
}

#[repr(C)]
struct Enumeration {
    state: usize,
    items: *mut *mut Object,
    mutations: *const c_void,
    extra: [usize; 5],
}

extern "C-unwind" fn count_by_enumerating(
    this: *mut Object,
    _: Sel,
    state: *mut Enumeration,
    room: *mut *mut Object,
    count: usize,
) -> usize {
    let items = of(this).native::<Vec<Ref>>();
    // SAFETY: the caller passes its state and room for `count` objects.
    unsafe {
        let rest = &items[(*state).state..];
        let n = rest.len().min(count);
        for (i, item) in rest[..n].iter().enumerate() {
            room.add(i).write(item.as_ptr());
        }
        (*state).items = room;
        (*state).mutations = (&raw const KEY).cast();
        (*state).state += n;
        n
    }
}

extern "C-unwind" fn process_info(_: *mut Object, _: Sel) -> *mut Object {
    Ref::new("NSProcessInfo", ()).autorelease()
}

extern "C-unwind" fn system_uptime(_: *mut Object, _: Sel) -> f64 {
    uptime()
}

/// The native part of encoder infos: label and error state.
pub type EncoderInfo = (String, isize);

extern "C-unwind" fn encoder_label(this: *mut Object, _: Sel) -> *mut Object {
    string(&of(this).native::<EncoderInfo>().0).autorelease()
}

extern "C-unwind" fn encoder_error_state(this: *mut Object, _: Sel) -> isize {
    let (label, state) = of(this).native::<EncoderInfo>();
    log(format!("error state of {label}"));
    *state
}
