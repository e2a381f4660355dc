//! Values for function constants, given as memory of an `MTLDataType`.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex};

use metallic::{ConstantValue, FunctionConstantValues};

use crate::error::{Failure, Result, done, make};
use crate::handle::{Handle, get, lock};
use crate::{convert, object};

type Values = Arc<Mutex<FunctionConstantValues>>;

#[unsafe(no_mangle)]
pub extern "C" fn metal_make_function_constant_values() -> Handle {
    make("metal_make_function_constant_values", || Ok(Values::default()))
}

/// # Safety
/// `value` is NULL or points to a value of the type.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_function_constant_values_set_constant_value(
    values: Handle,
    value: *const c_void,
    data_type: i32,
    index: i32,
) -> bool {
    done("metal_function_constant_values_set_constant_value", || {
        let values: Values = get(values, "values")?;
        let index = convert::unsigned(index, "index")?;
        // SAFETY: the caller's promise.
        lock(&values).set(index, unsafe { read(value, data_type) }?);
        Ok(())
    })
}

/// # Safety
/// `value` is NULL or points to a value of the type; `name` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_function_constant_values_set_constant_value_with_name(
    values: Handle,
    value: *const c_void,
    data_type: i32,
    name: *const c_char,
) -> bool {
    done("metal_function_constant_values_set_constant_value_with_name", || {
        let values: Values = get(values, "values")?;
        // SAFETY: the caller's promise.
        let (name, value) = unsafe { (convert::text(name, "name")?, read(value, data_type)?) };
        lock(&values).set_with_name(name, value);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_function_constant_values_reset(values: Handle) -> bool {
    done("metal_function_constant_values_reset", || {
        lock(&*get::<Values>(values, "values")?).reset();
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_function_constant_values_release(values: Handle) {
    object::release::<Values>("metal_function_constant_values_release", values);
}

/// One component: its size in bytes, and its value from them.
type Component = (usize, fn(&[u8]) -> ConstantValue);

/// Scalars by the `MTLDataType` of the scalar; vectors of two to four follow each.
const SCALARS: &[(i32, Component)] = &[
    (3, (4, |b| f32::from_ne_bytes(array(b)).into())),
    (16, (2, |b| half::f16::from_bits(u16::from_ne_bytes(array(b))).to_f32().into())),
    (29, (4, |b| i32::from_ne_bytes(array(b)).into())),
    (33, (4, |b| u32::from_ne_bytes(array(b)).into())),
    (37, (2, |b| i16::from_ne_bytes(array(b)).into())),
    (41, (2, |b| u16::from_ne_bytes(array(b)).into())),
    (45, (1, |b| i8::from_ne_bytes(array(b)).into())),
    (49, (1, |b| b[0].into())),
    (53, (1, |b| (b[0] != 0).into())),
    (81, (8, |b| i64::from_ne_bytes(array(b)).into())),
    (85, (8, |b| u64::from_ne_bytes(array(b)).into())),
    (121, (2, |b| half::bf16::from_bits(u16::from_ne_bytes(array(b))).to_f32().into())),
];

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|i| bytes[i])
}

/// # Safety
/// `value` is NULL or points to a value of the type.
unsafe fn read(value: *const c_void, data_type: i32) -> Result<ConstantValue> {
    let found = SCALARS.iter().find(|(first, _)| (*first..first + 4).contains(&data_type));
    let Some(&(first, (width, component))) = found else {
        return Err(Failure::argument(format!("data_type is {data_type}, no scalar or vector type")));
    };
    let count = (data_type - first + 1) as usize;
    // SAFETY: the caller's promise; components lie side by side.
    let bytes = unsafe { convert::bytes(value, (width * count) as u64, "value") }?;
    let mut components = bytes.chunks_exact(width).map(component);
    if count == 1
        && let Some(scalar) = components.next()
    {
        return Ok(scalar);
    }
    Ok(ConstantValue::Vector(components.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<T>(value: &T, data_type: i32) -> Option<ConstantValue> {
        // SAFETY: the tests below pass values of the type.
        unsafe { read((&raw const *value).cast(), data_type) }.ok()
    }

    #[test]
    fn values_are_read_by_type() {
        assert_eq!(value(&1.5f32, 3), Some(1.5f32.into()));
        assert_eq!(value(&0x3e00u16, 16), Some(1.5f32.into()));
        assert_eq!(value(&0x3fc0u16, 121), Some(1.5f32.into()));
        assert_eq!(value(&[-1i32, 2, 3], 31), Some(ConstantValue::Vector(vec![(-1).into(), 2.into(), 3.into()])));
        assert_eq!(value(&true, 53), Some(true.into()));
        assert_eq!(value(&u64::MAX, 85), Some(u64::MAX.into()));
        assert_eq!(value(&0u64, 58), None);
        assert_eq!(value(&0u64, -1), None);
        // SAFETY: NULL is allowed.
        assert!(unsafe { read(std::ptr::null(), 3) }.is_err());
    }
}
