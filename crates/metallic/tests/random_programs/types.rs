//! The types that random programs are made of, and a source of random numbers.

/// xorshift64*: the same numbers everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d | 1);
        // Neighboring seeds shall not begin alike.
        for _ in 0..8 {
            random.next();
        }
        random
    }
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) % n as u64) as usize
    }
    /// True once in `n` times.
    pub fn chance(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    Bool,
    Char,
    UChar,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    Half,
    Float,
    BFloat,
}

use Scalar::*;

/// Common ones stand more than once.
pub const SCALARS: [Scalar; 16] =
    [UInt, Int, Float, UInt, Float, Int, Char, UChar, Short, UShort, Long, ULong, Half, Half, Float, BFloat];
pub const INTEGERS: [Scalar; 10] = [UInt, Int, UInt, Int, Char, UChar, Short, UShort, Long, ULong];
pub const FLOATS: [Scalar; 5] = [Float, Float, Float, Half, BFloat];

impl Scalar {
    pub fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            Char => "char",
            UChar => "uchar",
            Short => "short",
            UShort => "ushort",
            Int => "int",
            UInt => "uint",
            Long => "long",
            ULong => "ulong",
            Half => "half",
            Float => "float",
            BFloat => "bfloat",
        }
    }
    pub fn is_float(self) -> bool {
        matches!(self, Half | Float | BFloat)
    }
    pub fn bits(self) -> u32 {
        match self {
            Bool | Char | UChar => 8,
            Short | UShort | Half | BFloat => 16,
            Int | UInt | Float => 32,
            Long | ULong => 64,
        }
    }
}

/// A type of values that expressions have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// A scalar, or a vector of 2 to 4.
    Number(Scalar, u8),
    /// Columns and rows; of `float` or `half`.
    Matrix(Scalar, u8, u8),
}

impl Type {
    pub fn name(self) -> String {
        match self {
            Type::Number(s, 1) => s.name().into(),
            Type::Number(s, n) => format!("{}{n}", s.name()),
            Type::Matrix(s, c, r) => format!("{}{c}x{r}", s.name()),
        }
    }
    pub fn scalar(self) -> Scalar {
        match self {
            Type::Number(s, _) | Type::Matrix(s, ..) => s,
        }
    }
}

/// A type of variables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Storage {
    Value(Type),
    /// The length is a power of two, so that an index is masked into bounds.
    Array(Box<Storage>, u32),
    /// By its place in [`Structs`].
    Struct(usize),
}

/// The structures of a program: their fields.
pub type Structs = Vec<Vec<(String, Storage)>>;

/// Something that can be named where the program is being written.
#[derive(Clone, Debug)]
pub struct Variable {
    pub name: String,
    pub storage: Storage,
    pub is_assignable: bool,
}
