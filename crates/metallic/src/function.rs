//! Functions of a library (`MTLFunction`) and the values of their function constants
//! (`MTLFunctionConstantValues`; MSL specification, section 5.8).

use std::collections::BTreeMap;
use std::sync::Arc;

use msl::VisibleFunction;

use crate::Library;

/// A kernel, or a function for tables, with the values of its function constants. Clones are the same function.
#[derive(Clone)]
pub struct Function {
    pub(crate) library: Library,
    pub(crate) name: Arc<str>,
    pub(crate) constants: Arc<FunctionConstantValues>,
    /// What stands for it in tables, unless it is a kernel.
    pub(crate) visible: Option<Arc<VisibleFunction>>,
}

/// `MTLFunctionType`, as far as there are such functions here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionType {
    Kernel,
    /// Called through tables: see [`VisibleFunctionTable`](crate::VisibleFunctionTable).
    Visible,
}

impl Function {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn library(&self) -> &Library {
        &self.library
    }
    pub fn function_type(&self) -> FunctionType {
        if self.visible.is_some() { FunctionType::Visible } else { FunctionType::Kernel }
    }
    pub fn constant_values(&self) -> &FunctionConstantValues {
        &self.constants
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

/// A function constant that a library declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConstant {
    pub name: String,
    pub index: u32,
    /// The MSL type: `bool`, `uint`, `float4`.
    pub type_name: String,
}

/// A value for a function constant. Numbers are converted to the declared type.
#[derive(Clone, Debug, PartialEq)]
pub enum ConstantValue {
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// The components of a vector.
    Vector(Vec<ConstantValue>),
}

macro_rules! from {
    ($($t:ty => $variant:ident)*) => {$(
        impl From<$t> for ConstantValue {
            fn from(value: $t) -> ConstantValue {
                ConstantValue::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool i8 => Int i16 => Int i32 => Int i64 => Int u8 => UInt u16 => UInt u32 => UInt u64 => UInt f32 => Float f64 => Float);

/// Values by index and by name; a name wins over an index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionConstantValues {
    by_index: BTreeMap<u32, ConstantValue>,
    by_name: BTreeMap<String, ConstantValue>,
}

impl FunctionConstantValues {
    pub fn new() -> FunctionConstantValues {
        FunctionConstantValues::default()
    }
    pub fn set(&mut self, index: u32, value: impl Into<ConstantValue>) -> &mut Self {
        self.by_index.insert(index, value.into());
        self
    }
    pub fn set_with_name(&mut self, name: &str, value: impl Into<ConstantValue>) -> &mut Self {
        self.by_name.insert(name.into(), value.into());
        self
    }
    pub fn reset(&mut self) {
        *self = FunctionConstantValues::default();
    }
    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty() && self.by_name.is_empty()
    }
    /// The value for a constant.
    pub fn get(&self, index: u32, name: &str) -> Option<&ConstantValue> {
        self.by_name.get(name).or_else(|| self.by_index.get(&index))
    }
    pub fn by_index(&self) -> impl Iterator<Item = (u32, &ConstantValue)> {
        self.by_index.iter().map(|(i, v)| (*i, v))
    }
    pub fn by_name(&self) -> impl Iterator<Item = (&str, &ConstantValue)> {
        self.by_name.iter().map(|(n, v)| (n.as_str(), v))
    }
}
