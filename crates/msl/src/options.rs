//! What a caller can choose: `MTLCompileOptions` and `MTLFunctionConstantValues`.

use std::collections::BTreeMap;

use msl_ir::Scalar;

/// How a library is compiled. Included files come through the file provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// Major and minor; `__METAL_VERSION__` is 100 × major + 10 × minor.
    pub language_version: (u32, u32),
    pub math_mode: MathMode,
    /// Macros defined before the first line: a name and, unless it is empty, its replacement.
    pub defines: Vec<(String, Option<String>)>,
}

impl Default for CompileOptions {
    fn default() -> CompileOptions {
        CompileOptions { language_version: (3, 2), math_mode: MathMode::default(), defines: Vec::new() }
    }
}

/// `MTLMathMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MathMode {
    /// IEEE: no reassociation, no contraction, NaN and infinity respected.
    Safe,
    /// Multiply and add may be contracted; everything else as written.
    Relaxed,
    /// Metal's default.
    #[default]
    Fast,
}

/// The value of a function constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConstantValue {
    pub scalar: Scalar,
    /// 1 to 4.
    pub len: u8,
    /// Bits of each component, low end, unused ones 0.
    pub bits: [u64; 4],
}

impl ConstantValue {
    pub fn scalar(scalar: Scalar, bits: u64) -> ConstantValue {
        ConstantValue { scalar, len: 1, bits: [bits, 0, 0, 0] }
    }
    /// The bytes in memory, as hosts give them to `setConstantValue`. `None` where there are too few.
    pub fn from_bytes(scalar: Scalar, len: u8, bytes: &[u8]) -> Option<ConstantValue> {
        let size = scalar.size() as usize;
        let mut bits = [0; 4];
        for (i, slot) in bits.iter_mut().enumerate().take(usize::from(len)) {
            let mut raw = [0; 8];
            raw[..size].copy_from_slice(bytes.get(i * size..(i + 1) * size)?);
            *slot = u64::from_le_bytes(raw);
        }
        (1..=4).contains(&len).then_some(ConstantValue { scalar, len, bits })
    }
}

/// Values by index and by name; an index is looked at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FunctionConstantValues {
    by_index: BTreeMap<u32, ConstantValue>,
    by_name: BTreeMap<String, ConstantValue>,
}

impl FunctionConstantValues {
    pub fn new() -> FunctionConstantValues {
        FunctionConstantValues::default()
    }
    pub fn set_index(&mut self, index: u32, value: ConstantValue) {
        self.by_index.insert(index, value);
    }
    pub fn set_name(&mut self, name: &str, value: ConstantValue) {
        self.by_name.insert(name.to_owned(), value);
    }
    pub fn get(&self, index: u32, name: &str) -> Option<ConstantValue> {
        self.by_index.get(&index).or_else(|| self.by_name.get(name)).copied()
    }
    pub fn indices(&self) -> impl Iterator<Item = (u32, ConstantValue)> {
        self.by_index.iter().map(|(&i, &v)| (i, v))
    }
    pub fn names(&self) -> impl Iterator<Item = (&str, ConstantValue)> {
        self.by_name.iter().map(|(n, &v)| (n.as_str(), v))
    }
    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty() && self.by_name.is_empty()
    }
}
