//! MSL as a pipeline carries it, for devices whose driver compiles it.
//!
//! Reflection and validation come from the module beside it; a driver sees the text alone, so all
//! that decides what the text means is here: macros, version, math mode, function constants.

use std::sync::Arc;

use msl_ir::Scalar;

/// The text that a kernel is part of, and the values of its function constants.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// One for all kernels of a library: a device may compile it once.
    pub library: Arc<LibraryText>,
    /// In ascending order of their indices.
    pub constants: Vec<FunctionConstantValue>,
}

/// A source and how to compile it (`MTLCompileOptions`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LibraryText {
    /// With included files in place; only headers of the language are left to include.
    pub text: String,
    /// Macros and their replacement, in the order in which they were defined.
    pub preprocessor_macros: Vec<(String, String)>,
    /// Major and minor; the newest that the driver knows when absent.
    pub language_version: Option<(u32, u32)>,
    pub fast_math_enabled: bool,
}

/// A value for `[[function_constant(index)]]`, of the type that the source declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConstantValue {
    pub index: u32,
    pub scalar: Scalar,
    /// 1 to 4; one value in `bits` for each.
    pub len: u8,
    /// Bits of the components, low end.
    pub bits: [u64; 4],
}

impl FunctionConstantValue {
    /// As it lies in memory; three components take the room of four.
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let size = self.scalar.size() as usize;
        for (component, place) in self.bits.iter().zip(bytes.chunks_exact_mut(size)).take(usize::from(self.len)) {
            place.copy_from_slice(&component.to_le_bytes()[..size]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_follow_one_another_in_memory() {
        let value = FunctionConstantValue { index: 0, scalar: Scalar::I16, len: 2, bits: [0xffff, 2, 9, 9] };
        assert_eq!(value.to_bytes()[..6], [0xff, 0xff, 2, 0, 0, 0]);
    }
}
