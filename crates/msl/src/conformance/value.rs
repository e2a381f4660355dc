//! Values of directives: text to bytes, and bytes compared with what is expected.

use msl_ir::Scalar;

use super::formula;
use super::script::Tolerance;

/// Numbers, each with its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypedValues(pub Vec<(Scalar, Number)>);

/// What a number of the text stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    pub fn as_f64(self) -> f64 {
        match self {
            Number::Integer(i) => i as f64,
            Number::Float(f) => f,
        }
    }
}

/// Values beyond this many in one directive are a mistake.
const MAX_COUNT: usize = 1 << 22;

pub fn scalar_named(name: &str) -> Option<Scalar> {
    Scalar::ALL.into_iter().find(|s| s.name() == name)
}

impl TypedValues {
    /// Reads `1 2 zeros(3) u32: 7`.
    pub fn parse(mut scalar: Scalar, text: &str) -> Result<TypedValues, String> {
        let mut values = TypedValues::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_whitespace() || c == '(' || c == ',').unwrap_or(rest.len());
            let word = &rest[..end];
            rest = rest[end..].trim_start();
            if let Some(inner) = rest.strip_prefix('(').filter(|_| !word.is_empty()) {
                let close = matching_parenthesis(inner).ok_or_else(|| format!("missing ')' after '{word}('"))?;
                values.function(scalar, word, &inner[..close])?;
                rest = inner[close + 1..].trim_start();
            } else if let Some(switched) = word.strip_suffix(':').and_then(scalar_named) {
                scalar = switched;
            } else if !word.is_empty() {
                values.push(scalar, number(word)?)?;
            }
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Ok(values)
    }

    fn push(&mut self, scalar: Scalar, number: Number) -> Result<(), String> {
        if self.0.len() >= MAX_COUNT {
            return Err("too many values".into());
        }
        self.0.push((scalar, number));
        Ok(())
    }

    fn function(&mut self, scalar: Scalar, name: &str, args: &str) -> Result<(), String> {
        let (count, rest) = args.split_once(',').unwrap_or((args, ""));
        let count: usize = count.trim().parse().map_err(|_| format!("'{count}' is not a count"))?;
        let parts: Vec<&str> = rest.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
        let arg = |i: usize, default: Number| parts.get(i).map_or(Ok(default), |p| number(p));
        let mut state = match name {
            "random" => arg(0, Number::Integer(1))?.as_f64() as u64,
            _ => 0,
        };
        for i in 0..count {
            let value = match name {
                "zeros" => Number::Integer(0),
                "fill" => arg(0, Number::Integer(0))?,
                "iota" => match (arg(0, Number::Integer(0))?, arg(1, Number::Integer(1))?) {
                    (Number::Integer(start), Number::Integer(step)) => Number::Integer(start + step * i as i128),
                    (start, step) => Number::Float(start.as_f64() + step.as_f64() * i as f64),
                },
                "random" => {
                    // SplitMix64: the same numbers everywhere.
                    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mut z = state;
                    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                    z ^= z >> 31;
                    if scalar.is_float() {
                        Number::Float((z >> 40) as f64 / 16_777_216.0)
                    } else {
                        Number::Integer(z.into())
                    }
                }
                "expr" => {
                    let value = formula::evaluate(rest, i as f64)?;
                    if scalar.is_float() { Number::Float(value) } else { Number::Integer(value as i128) }
                }
                _ => return Err(format!("unknown function '{name}'")),
            };
            self.push(scalar, value)?;
        }
        Ok(())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for &(scalar, number) in &self.0 {
            encode(scalar, number, &mut out);
        }
        out
    }

    /// Compares with the bytes of a buffer, from an element of the first type on.
    pub fn compare(&self, bytes: &[u8], start: usize, tolerance: Tolerance) -> Result<(), String> {
        let Some(&(first, _)) = self.0.first() else { return Ok(()) };
        let mut offset = start * first.size() as usize;
        let mut wrong = Vec::new();
        for (i, &(scalar, number)) in self.0.iter().enumerate() {
            let size = scalar.size() as usize;
            let Some(found) = bytes.get(offset..offset + size) else {
                return Err(format!("has {} bytes only", bytes.len()));
            };
            let mut expected = Vec::new();
            encode(scalar, number, &mut expected);
            let (a, b) = (decode(scalar, found), decode(scalar, &expected));
            let both_nan = scalar.is_float() && a.as_f64().is_nan() && b.as_f64().is_nan();
            let near = match tolerance {
                Tolerance::Exact => false,
                Tolerance::Within(t) => {
                    let (a, b) = (a.as_f64(), b.as_f64());
                    (a - b).abs() <= t * b.abs().max(1.0)
                }
            };
            if found != expected && !both_nan && !near {
                wrong.push(format!("[{}] is {} instead of {}", start + i, show(a), show(b)));
            }
            offset += size;
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let more = wrong.len().saturating_sub(8);
        wrong.truncate(8);
        let mut text = wrong.join(", ");
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        Err(text)
    }
}

fn show(n: Number) -> String {
    match n {
        Number::Integer(i) => i.to_string(),
        Number::Float(f) => format!("{f:?}"),
    }
}

fn matching_parenthesis(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(i),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn number(word: &str) -> Result<Number, String> {
    match word {
        "true" => return Ok(Number::Integer(1)),
        "false" => return Ok(Number::Integer(0)),
        "nan" => return Ok(Number::Float(f64::NAN)),
        "inf" => return Ok(Number::Float(f64::INFINITY)),
        "-inf" => return Ok(Number::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    if let Some(hex) = word.strip_prefix("0x")
        && let Ok(value) = i128::from_str_radix(hex, 16)
    {
        return Ok(Number::Integer(value));
    }
    word.parse()
        .map(Number::Integer)
        .or_else(|_| word.parse().map(Number::Float))
        .map_err(|_| format!("'{word}' is not a number"))
}

fn encode(scalar: Scalar, number: Number, out: &mut Vec<u8>) {
    let integer = match number {
        Number::Integer(i) => i as u64,
        Number::Float(f) => f as i128 as u64,
    };
    match scalar {
        Scalar::F32 => out.extend((number.as_f64() as f32).to_le_bytes()),
        Scalar::F16 => out.extend(half::f16::from_f64(number.as_f64()).to_le_bytes()),
        Scalar::BF16 => out.extend(half::bf16::from_f64(number.as_f64()).to_le_bytes()),
        _ => out.extend(&integer.to_le_bytes()[..scalar.size() as usize]),
    }
}

/// One number from its bytes in memory.
pub fn decode(scalar: Scalar, bytes: &[u8]) -> Number {
    let mut raw = [0; 8];
    let size = (scalar.size() as usize).min(bytes.len());
    raw[..size].copy_from_slice(&bytes[..size]);
    let bits = u64::from_le_bytes(raw);
    match scalar {
        Scalar::F32 => Number::Float(f32::from_bits(bits as u32).into()),
        Scalar::F16 => Number::Float(half::f16::from_bits(bits as u16).to_f64()),
        Scalar::BF16 => Number::Float(half::bf16::from_bits(bits as u16).to_f64()),
        Scalar::I8 => Number::Integer((bits as i8).into()),
        Scalar::I16 => Number::Integer((bits as i16).into()),
        Scalar::I32 => Number::Integer((bits as i32).into()),
        Scalar::I64 => Number::Integer((bits as i64).into()),
        Scalar::Bool | Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => Number::Integer(bits.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_mix_numbers_functions_and_types() {
        let v = TypedValues::parse(Scalar::U8, "1 iota(3, 10, -1) u16: 0x102, expr(2, i*i) f32: nan").unwrap();
        let bytes = v.to_bytes();
        assert_eq!(bytes[..6], [1, 10, 9, 8, 2, 1]);
        assert_eq!(bytes[6..10], [0, 0, 1, 0]);
        assert_eq!(v.compare(&bytes, 0, Tolerance::Exact), Ok(()));
        assert!(TypedValues::parse(Scalar::F32, "1 two").is_err());
        assert!(TypedValues::parse(Scalar::F32, "zeros(3").is_err());
    }

    #[test]
    fn comparison_is_exact_unless_told_otherwise() {
        let v = TypedValues::parse(Scalar::F32, "1 2").unwrap();
        let near = TypedValues::parse(Scalar::F32, "1 2.00001").unwrap().to_bytes();
        assert!(v.compare(&near, 0, Tolerance::Exact).unwrap_err().contains("[1] is 2.0"));
        assert_eq!(v.compare(&near, 0, Tolerance::Within(1e-4)), Ok(()));
        assert!(v.compare(&near, 1, Tolerance::Exact).is_err());
    }
}
