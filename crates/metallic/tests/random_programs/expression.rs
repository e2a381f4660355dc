//! Random expressions without side effects, of a wanted type.
//!
//! What Metal leaves open is avoided where the expression is made: divisors are positive, the zero that `min` gives
//! loses its sign, a NaN is replaced before its bits are seen.

use super::program::Writer;
use super::types::*;

use Scalar::*;

impl Writer {
    /// A constant of that type, in parentheses where it needs them.
    pub fn literal(&mut self, ty: Type) -> String {
        let Type::Number(s, n) = ty else {
            return format!("{}({})", ty.name(), self.literal(Type::Number(ty.scalar(), 1)));
        };
        let r = &mut self.random;
        if n > 1 {
            if r.chance(2) {
                let parts: Vec<String> = (0..n).map(|_| self.literal(Type::Number(s, 1))).collect();
                return format!("{}({})", ty.name(), parts.join(", "));
            }
            return format!("{}({})", ty.name(), self.literal(Type::Number(s, 1)));
        }
        const FLOATS: [&str; 18] = [
            "0.0f",
            "-0.0f",
            "1.0f",
            "-1.0f",
            "0.5f",
            "1.5f",
            "2.0f",
            "-3.25f",
            "0.1f",
            "3.14159274f",
            "100.0f",
            "-7e4f",
            "1e-6f",
            "1e20f",
            "3e38f",
            "1e-40f",
            "0x1.fffffep-1f",
            "16777217.0f",
        ];
        match s {
            Bool => r.pick(&["true", "false"]).into(),
            Float if r.chance(12) => "INFINITY".into(),
            Float => r.pick(&FLOATS).into(),
            Half if r.chance(2) => r.pick(&["1.5h", "0.0h", "-0.25h", "65504.0h", "6e-8h", "0.333h"]).into(),
            Half | BFloat => format!("{}({})", s.name(), r.pick(&FLOATS)),
            UInt => r
                .pick(&[
                    "0u",
                    "1u",
                    "2u",
                    "3u",
                    "7u",
                    "31u",
                    "255u",
                    "0x80000000u",
                    "0xffffffffu",
                    "0x12345678u",
                    "65536u",
                ])
                .into(),
            Int => r
                .pick(&[
                    "0",
                    "1",
                    "2",
                    "5",
                    "-1",
                    "-7",
                    "100",
                    "0x7fffffff",
                    "(-0x7fffffff - 1)",
                    "0x1234567",
                    "-65536",
                ])
                .into(),
            Long => r.pick(&["0l", "1l", "-1l", "0x123456789abcdefl", "-5000000000l", "3l"]).into(),
            ULong => r.pick(&["0ul", "1ul", "0xfedcba9876543210ul", "6ul", "0xfffffffful"]).into(),
            Char | UChar => format!("{}({})", s.name(), r.pick(&[0, 1, -1, 127, -128, 77, 5])),
            Short | UShort => format!("{}({})", s.name(), r.pick(&[0, 1, -1, 32767, -32768, 1000, 9])),
        }
    }

    /// A readable place and its type: a variable, or a component, element or field of one.
    fn place(&mut self) -> Option<(String, Type)> {
        if self.variables.is_empty() {
            return None;
        }
        // What was declared late is more interesting.
        let n = self.variables.len();
        let at = n - 1 - self.random.below(n).min(self.random.below(n));
        let v = self.variables[at].clone();
        Some(self.path(v.name, &v.storage))
    }

    /// Goes down to a value.
    pub fn path(&mut self, mut text: String, storage: &Storage) -> (String, Type) {
        let mut storage = storage.clone();
        loop {
            match storage {
                Storage::Value(ty) => return (text, ty),
                Storage::Array(element, n) => {
                    text = format!("{text}[{}]", self.index(n));
                    storage = *element;
                }
                Storage::Struct(s) => {
                    let field = self.random.below(self.structs[s].len());
                    let (name, inner) = self.structs[s][field].clone();
                    text = format!("{text}.{name}");
                    storage = inner;
                }
            }
        }
    }

    /// An index below a power of two: constant, of the thread, or anything.
    pub fn index(&mut self, n: u32) -> String {
        match self.random.below(4) {
            _ if self.indices > 1 => self.random.below(n as usize).to_string(),
            0 | 1 => self.random.below(n as usize).to_string(),
            2 => format!("(tid + {}u) & {}u", self.random.below(4), n - 1),
            _ => {
                self.indices += 1;
                let e = self.expression(Type::Number(UInt, 1), 1);
                self.indices -= 1;
                format!("({e}) & {}u", n - 1)
            }
        }
    }

    /// Any value of a type, with few operations.
    fn leaf(&mut self, ty: Type) -> String {
        if self.random.chance(5) {
            return self.literal(ty);
        }
        if let (Type::Number(s, n), true) = (ty, self.random.chance(4)) {
            return self.load(s, n);
        }
        match self.place() {
            Some((text, found)) => self.converted(text, found, ty),
            None => self.literal(ty),
        }
    }

    /// From one of the inputs.
    fn load(&mut self, s: Scalar, n: u8) -> String {
        if self.in_helper || s == Bool || s == BFloat {
            let word = if self.in_helper { "words[(uint)(SIZE) & 7u]" } else { "in[(SIZE) & 255u]" };
            let index = self.simple_index();
            let text = word.replace("SIZE", &index);
            return self.converted(text, Type::Number(UInt, 1), Type::Number(s, n));
        }
        let ty = Type::Number(s, n).name();
        let text = match self.random.below(4) {
            // Neighboring threads read neighboring elements.
            0 => format!("((device const {ty}*)in)[i]"),
            1 => format!("((device const {ty}*)(in + 16))[i + {}u]", self.random.below(5)),
            _ => {
                let index = self.simple_index();
                format!("((device const {ty}*)in)[({index}) & 31u]")
            }
        };
        if s.is_float() { format!("nn({text})") } else { text }
    }

    fn simple_index(&mut self) -> String {
        match self.place() {
            Some((text, found)) => self.converted(text, found, Type::Number(UInt, 1)),
            None => "3u".into(),
        }
    }

    /// An expression of one type as one of another.
    pub fn converted(&mut self, text: String, from: Type, to: Type) -> String {
        if from == to {
            return text;
        }
        match (from, to) {
            (Type::Matrix(..), _) => {
                let component = format!("{text}[{}][{}]", self.random.below(2), self.random.below(2));
                self.converted(component, Type::Number(from.scalar(), 1), to)
            }
            (Type::Number(s, _), Type::Matrix(t, ..)) => {
                let scalar = self.converted(text, from, Type::Number(t, 1));
                let _ = s;
                format!("{}({scalar})", to.name())
            }
            (Type::Number(_, n), Type::Number(_, m)) if n == m || n == 1 => format!("{}({text})", to.name()),
            (Type::Number(s, n), Type::Number(_, 1)) => {
                let component = self.component_letter(n);
                self.converted(format!("{text}.{component}"), Type::Number(s, 1), to)
            }
            (Type::Number(s, n), Type::Number(_, m)) => {
                // A swizzle of the wanted length.
                let swizzle: String = (0..m).map(|_| self.component_letter(n)).collect();
                self.converted(format!("{text}.{swizzle}"), Type::Number(s, m), to)
            }
        }
    }

    pub fn component_letter(&mut self, n: u8) -> char {
        ['x', 'y', 'z', 'w'][self.random.below(usize::from(n))]
    }

    /// A value of the type.
    pub fn expression(&mut self, ty: Type, depth: u32) -> String {
        if depth == 0 || self.random.chance(5) {
            return self.leaf(ty);
        }
        match ty {
            Type::Matrix(s, c, r) => self.matrix(s, c, r, depth - 1),
            Type::Number(Bool, n) => self.condition(n, depth - 1),
            Type::Number(s, n) if s.is_float() => self.float(s, n, depth - 1),
            Type::Number(s, n) => self.integer(s, n, depth - 1),
        }
    }

    fn condition(&mut self, n: u8, depth: u32) -> String {
        let bool_ty = Type::Number(Bool, n);
        match self.random.below(if n == 1 { 10 } else { 6 }) {
            0..=4 => {
                let s = self.random.pick(&SCALARS);
                let (a, b) = (self.expression(Type::Number(s, n), depth), self.expression(Type::Number(s, n), depth));
                let op = self.random.pick(&["<", "<=", ">", ">=", "==", "!="]);
                format!("({a} {op} {b})")
            }
            5 if n > 1 => {
                let (a, b) = (self.expression(bool_ty, depth), self.expression(bool_ty, depth));
                format!("({a} {} {b})", self.random.pick(&["&", "|", "^", "==", "!="]))
            }
            5 | 6 => {
                let (a, b) = (self.expression(bool_ty, depth), self.expression(bool_ty, depth));
                format!("({a} {} {b})", self.random.pick(&["&&", "||", "!=", "==", "&", "|", "^"]))
            }
            7 => format!("!{}", parenthesized(&self.expression(bool_ty, depth))),
            8 => {
                let m = 2 + self.random.below(3) as u8;
                let v = self.expression(Type::Number(Bool, m), depth);
                format!("{}({v})", self.random.pick(&["any", "all"]))
            }
            _ => {
                let f = self.random.pick(&FLOATS);
                let v = self.expression(Type::Number(f, 1), depth);
                format!("{}({v})", self.random.pick(&["isnan", "isinf", "isfinite"]))
            }
        }
    }

    /// A value of another type made into this one.
    fn conversion(&mut self, ty: Type, depth: u32) -> String {
        let Type::Number(s, n) = ty else { return self.leaf(ty) };
        // The same bits, where there is a type of the same size.
        if self.random.chance(3) {
            let from = match (s.bits() * u32::from(n), n) {
                (_, 3) => None,
                (8, _) => None,
                (16, _) => {
                    Some(self.random.pick(&[Type::Number(UShort, 1), Type::Number(Half, 1), Type::Number(Char, 2)]))
                }
                (32, _) => Some(self.random.pick(&[
                    Type::Number(UInt, 1),
                    Type::Number(Float, 1),
                    Type::Number(Half, 2),
                    Type::Number(UChar, 4),
                    Type::Number(Short, 2),
                ])),
                (64, _) => Some(self.random.pick(&[
                    Type::Number(ULong, 1),
                    Type::Number(Float, 2),
                    Type::Number(Half, 4),
                    Type::Number(Int, 2),
                ])),
                (128, _) => {
                    Some(self.random.pick(&[Type::Number(Float, 4), Type::Number(ULong, 2), Type::Number(Int, 4)]))
                }
                _ => None,
            };
            if let (Some(from), true) = (from, s != Bool) {
                let value = self.expression(from, depth);
                let value = if from.scalar().is_float() { format!("nn({value})") } else { value };
                let text = format!("as_type<{}>({value})", ty.name());
                return if s.is_float() { format!("nn({text})") } else { text };
            }
        }
        let from = Type::Number(self.random.pick(&SCALARS), n);
        let value = self.expression(from, depth);
        self.converted(value, from, ty)
    }

    fn integer(&mut self, s: Scalar, n: u8, depth: u32) -> String {
        let ty = Type::Number(s, n);
        let name = ty.name();
        let operand = |w: &mut Writer| w.expression(ty, depth);
        match self.random.below(24) {
            0..=5 => {
                let (a, b) = (operand(self), operand(self));
                format!("{name}({a} {} {b})", self.random.pick(&["+", "-", "*", "&", "|", "^"]))
            }
            6 => {
                let (a, b) = (operand(self), operand(self));
                let op = self.random.pick(&["/", "%"]);
                format!("{name}({a} {op} {name}(({b} & {name}(0x3e)) | {name}(1)))")
            }
            7 | 8 => {
                let (a, b) = (operand(self), operand(self));
                let op = self.random.pick(&["<<", ">>"]);
                // What is shifted by is in range for every scalar after promotion.
                format!("{name}({a} {op} {name}({b} & {name}({})))", s.bits() - 1)
            }
            9 => {
                let a = operand(self);
                format!("{name}({}{})", self.random.pick(&["-", "~"]), parenthesized(&a))
            }
            10 | 11 => self.conversion(ty, depth),
            12 => {
                let c = self.expression(Type::Number(Bool, n), depth);
                let (a, b) = (operand(self), operand(self));
                format!("select({a}, {b}, {c})")
            }
            13 => {
                let c = self.expression(Type::Number(Bool, 1), depth);
                let (a, b) = (operand(self), operand(self));
                format!("({c} ? {a} : {b})")
            }
            14 | 15 => {
                let f = self.random.pick(&["popcount", "clz", "ctz", "reverse_bits", "abs"]);
                let a = operand(self);
                format!("{name}({f}({a}))")
            }
            16..=18 => {
                let f = self.random.pick(&[
                    "min", "max", "addsat", "subsat", "mulhi", "absdiff", "hadd", "rhadd", "rotate", "min", "max",
                ]);
                let (a, b) = (operand(self), operand(self));
                format!("{name}({f}({a}, {b}))")
            }
            19 => {
                let f = self.random.pick(&["min3", "max3", "median3", "madhi", "madsat"]);
                let (a, b, c) = (operand(self), operand(self), operand(self));
                format!("{f}({a}, {b}, {c})")
            }
            20 => {
                let (a, b, c) = (operand(self), self.leaf(ty), self.leaf(ty));
                format!("clamp({a}, min({b}, {c}), max({b}, {c}))")
            }
            21 => {
                let a = operand(self);
                let bits = s.bits() as usize;
                let offset = self.random.below(bits);
                let count = self.random.below(bits - offset + 1);
                if self.random.chance(2) {
                    format!("extract_bits({a}, {offset}u, {count}u)")
                } else {
                    let b = operand(self);
                    format!("insert_bits({a}, {b}, {offset}u, {count}u)")
                }
            }
            22 if n == 1 => {
                // The usual arithmetic conversions.
                let other = self.random.pick(&INTEGERS);
                let (a, b) = (operand(self), self.expression(Type::Number(other, 1), depth));
                format!("{name}({a} {} {b})", self.random.pick(&["+", "-", "*", "&", "|", "^"]))
            }
            22 => {
                // A scalar with a vector.
                let (a, b) = (operand(self), self.expression(Type::Number(s, 1), depth));
                format!("({a} {} {b})", self.random.pick(&["+", "-", "*", "&", "|", "^"]))
            }
            _ if n > 1 => self.composed(s, n, depth),
            _ if s == UInt => {
                let (f, m) = self.random.pick(&[
                    ("pack_float_to_unorm4x8", 4),
                    ("pack_float_to_snorm4x8", 4),
                    ("pack_float_to_unorm2x16", 2),
                    ("pack_float_to_snorm2x16", 2),
                    ("pack_float_to_unorm10a2", 4),
                ]);
                let v = self.expression(Type::Number(Float, m), depth);
                format!("{f}({v})")
            }
            _ if s == Int => {
                let (a, b, c) = (operand(self), operand(self), operand(self));
                format!("mad24(extract_bits({a}, 0u, 23u), extract_bits({b}, 0u, 23u), {c})")
            }
            _ => self.conversion(ty, depth),
        }
    }

    /// A vector from parts of shorter length.
    fn composed(&mut self, s: Scalar, n: u8, depth: u32) -> String {
        let mut parts = Vec::new();
        let mut left = n;
        while left > 0 {
            let m = 1 + self.random.below(usize::from(left.min(3))) as u8;
            parts.push(self.expression(Type::Number(s, m), depth));
            left -= m;
        }
        format!("{}({})", Type::Number(s, n).name(), parts.join(", "))
    }

    fn float(&mut self, s: Scalar, n: u8, depth: u32) -> String {
        let ty = Type::Number(s, n);
        let name = ty.name();
        let operand = |w: &mut Writer| w.expression(ty, depth);
        match self.random.below(26) {
            0..=6 => {
                let (a, b) = (operand(self), operand(self));
                format!("({a} {} {b})", self.random.pick(&["+", "-", "*", "/", "*", "+"]))
            }
            7 => format!("(-{})", parenthesized(&operand(self))),
            8 | 9 => self.conversion(ty, depth),
            10 => {
                let c = self.expression(Type::Number(Bool, n), depth);
                let (a, b) = (operand(self), operand(self));
                format!("select({a}, {b}, {c})")
            }
            11 => {
                let c = self.expression(Type::Number(Bool, 1), depth);
                let (a, b) = (operand(self), operand(self));
                format!("({c} ? {a} : {b})")
            }
            12 => {
                let (a, b, c) = (operand(self), operand(self), operand(self));
                format!("{}({a}, {b}, {c})", self.random.pick(&["fma", "mix", "fma"]))
            }
            13 | 14 => {
                // −0 + 0 is 0: which zero it was no longer matters.
                let f = self.random.pick(&["min", "max", "fmin", "fmax"]);
                let (a, b) = (operand(self), operand(self));
                format!("({f}({a}, {b}) + {name}(0.0f))")
            }
            15 | 16 => {
                let f = self.random.pick(&[
                    "floor", "ceil", "trunc", "rint", "round", "fract", "fabs", "saturate", "sign", "sqrt", "rsqrt",
                ]);
                let a = operand(self);
                // `saturate` compares with zero as `max` does.
                format!("({f}({a}) + {name}(0.0f))")
            }
            17 => {
                let (a, b) = (operand(self), operand(self));
                format!("copysign({a}, nn({b}))")
            }
            18 | 19 if s == BFloat => self.conversion(ty, depth),
            18 | 19 => {
                let f = self.random.pick(&[
                    "exp", "exp2", "exp10", "log", "log2", "log10", "sin", "cos", "tan", "sinpi", "cospi", "asin",
                    "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
                ]);
                let space = if s == Float { self.random.pick(&["", "", "precise::", "fast::"]) } else { "" };
                let a = operand(self);
                format!("{name}({space}{f}({a}))")
            }
            20 if s != BFloat => {
                let f = self.random.pick(&["pow", "powr", "atan2", "fmod", "fdim", "step"]);
                let (a, b) = (operand(self), operand(self));
                format!("{f}({a}, {b})")
            }
            21 if n > 1 && s != BFloat => {
                let f = self.random.pick(&["normalize", "reflect", "faceforward"]);
                let a = operand(self);
                match f {
                    "normalize" => format!("normalize({a})"),
                    "reflect" => format!("reflect({a}, {})", operand(self)),
                    _ => format!("faceforward({a}, {}, {})", operand(self), operand(self)),
                }
            }
            21 if s != BFloat => {
                let m = 2 + self.random.below(3) as u8;
                let v = Type::Number(s, m);
                let a = self.expression(v, depth);
                match self.random.below(3) {
                    0 => format!("length({a})"),
                    1 => format!("dot({a}, {})", self.expression(v, depth)),
                    _ => format!("distance({a}, {})", self.expression(v, depth)),
                }
            }
            22 if n == 3 && s != BFloat => format!("cross({}, {})", operand(self), operand(self)),
            22 if n == 4 && s == Float => {
                let f = self.random.pick(&[
                    "unpack_unorm4x8_to_float",
                    "unpack_snorm4x8_to_float",
                    "unpack_unorm10a2_to_float",
                ]);
                format!("{f}({})", self.expression(Type::Number(UInt, 1), depth))
            }
            22 if s != BFloat => {
                let k = self.expression(Type::Number(Int, n), depth);
                format!("ldexp({}, {k})", operand(self))
            }
            23 if n > 1 && s == Float => {
                let m = self.expression(Type::Matrix(s, n, n), depth);
                let v = operand(self);
                if self.random.chance(2) { format!("({m} * {v})") } else { format!("({v} * {m})") }
            }
            24 if n > 1 => {
                let (a, b) = (operand(self), self.expression(Type::Number(s, 1), depth));
                format!("({a} {} {b})", self.random.pick(&["+", "-", "*", "/"]))
            }
            25 => {
                let low = self.literal(Type::Number(s, 1));
                format!(
                    "(clamp({}, {name}(min({low}, {})), {name}(max({low}, {}))) + {name}(0.0f))",
                    operand(self),
                    self.one(s),
                    self.one(s)
                )
            }
            _ if n > 1 => self.composed(s, n, depth),
            _ => self.conversion(ty, depth),
        }
    }

    fn one(&self, s: Scalar) -> String {
        format!("{}(1.0f)", s.name())
    }

    fn matrix(&mut self, s: Scalar, c: u8, r: u8, depth: u32) -> String {
        let ty = Type::Matrix(s, c, r);
        match self.random.below(6) {
            0 | 1 => {
                let columns: Vec<String> = (0..c).map(|_| self.expression(Type::Number(s, r), depth)).collect();
                format!("{}({})", ty.name(), columns.join(", "))
            }
            2 => {
                let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
                format!("({a} {} {b})", self.random.pick(&["+", "-"]))
            }
            3 => {
                let inner = 2 + self.random.below(3) as u8;
                let (a, b) = (
                    self.expression(Type::Matrix(s, inner, r), depth),
                    self.expression(Type::Matrix(s, c, inner), depth),
                );
                format!("({a} * {b})")
            }
            4 => format!("transpose({})", self.expression(Type::Matrix(s, r, c), depth)),
            _ => {
                let (a, b) = (self.expression(ty, depth), self.expression(Type::Number(s, 1), depth));
                format!("({a} * {b})")
            }
        }
    }
}

/// So that a sign before it is not one token with its own.
fn parenthesized(text: &str) -> String {
    format!("({text})")
}
