//! Values of buffers as arguments and as output: scalar types, how memory is filled, how it prints.

use half::{bf16, f16};
use metallic::Scalar;

/// `float`, `uint`, … as MSL spells them, or the names of the IR.
pub fn parse_type(text: &str) -> Result<Scalar, String> {
    let scalar = match text {
        "bool" => Scalar::Bool,
        "char" => Scalar::I8,
        "uchar" => Scalar::U8,
        "short" => Scalar::I16,
        "ushort" => Scalar::U16,
        "int" => Scalar::I32,
        "uint" => Scalar::U32,
        "long" => Scalar::I64,
        "ulong" => Scalar::U64,
        "half" => Scalar::F16,
        "bfloat" => Scalar::BF16,
        "float" => Scalar::F32,
        other => Scalar::ALL
            .into_iter()
            .find(|s| s.name() == other)
            .ok_or_else(|| format!("{text} is no scalar type such as float or uint"))?,
    };
    Ok(scalar)
}

/// What a buffer starts with.
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    Zeros,
    Ones,
    /// 0, 1, 2, …
    Iota,
    /// In 0..1 for floats, any bits for integers; the same every time.
    Random,
    /// Repeated as often as fits.
    Values(Vec<f64>),
    File(String),
}

/// `INDEX=TYPE[COUNT]:FILL`, `INDEX=TYPE:VALUE` or `INDEX=@FILE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    pub index: u32,
    pub scalar: Scalar,
    /// Absent for a value that is passed by itself.
    pub count: Option<usize>,
    pub fill: Fill,
}

pub fn parse_spec(text: &str) -> Result<Spec, String> {
    let (index, rest) =
        text.split_once('=').ok_or("expected INDEX=TYPE[COUNT]:FILL, INDEX=TYPE:VALUE or INDEX=@FILE")?;
    let index = index.parse().map_err(|_| format!("{index} is no buffer index"))?;
    if let Some(file) = rest.strip_prefix('@') {
        return Ok(Spec { index, scalar: Scalar::U8, count: Some(0), fill: Fill::File(file.into()) });
    }
    let (ty, fill) = rest.split_once(':').unwrap_or((rest, "zeros"));
    let (ty, count) = match ty.split_once('[') {
        None => (ty, None),
        Some((ty, count)) => {
            let count = count.strip_suffix(']').and_then(|c| c.parse().ok()).filter(|n| *n > 0);
            (ty, Some(count.ok_or_else(|| format!("{text}: expected a count in brackets"))?))
        }
    };
    let fill = match fill {
        "zeros" => Fill::Zeros,
        "ones" => Fill::Ones,
        "iota" => Fill::Iota,
        "random" => Fill::Random,
        list => match list.strip_prefix('@') {
            Some(file) => Fill::File(file.into()),
            None => {
                let values: Result<Vec<f64>, _> = list.split(',').map(|v| v.trim().parse()).collect();
                Fill::Values(
                    values.map_err(|_| format!("{list} is no fill: zeros, ones, iota, random, values or @FILE"))?,
                )
            }
        },
    };
    Ok(Spec { index, scalar: parse_type(ty)?, count, fill })
}

impl Spec {
    /// The bytes, and whether they are a value passed by itself.
    pub fn bytes(&self) -> Result<(Vec<u8>, bool), String> {
        if let Fill::File(file) = &self.fill {
            let mut bytes = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
            if let Some(count) = self.count.filter(|c| *c > 0) {
                bytes.resize(count * self.scalar.size() as usize, 0);
            }
            return Ok((bytes, false));
        }
        let given = match &self.fill {
            Fill::Values(values) => values.len(),
            _ => 1,
        };
        let count = self.count.unwrap_or(given);
        let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_add(u64::from(self.index));
        let mut bytes = Vec::with_capacity(count * self.scalar.size() as usize);
        for i in 0..count {
            let value = match &self.fill {
                Fill::Zeros | Fill::File(_) => 0.0,
                Fill::Ones => 1.0,
                Fill::Iota => i as f64,
                Fill::Values(values) => values[i % values.len()],
                Fill::Random => {
                    // xorshift64*
                    state ^= state >> 12;
                    state ^= state << 25;
                    state ^= state >> 27;
                    let bits = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
                    if !self.scalar.is_float() && self.scalar != Scalar::Bool {
                        bytes.extend_from_slice(&bits.to_le_bytes()[..self.scalar.size() as usize]);
                        continue;
                    }
                    (bits >> 40) as f64 / (1u64 << 24) as f64
                }
            };
            encode(self.scalar, value, &mut bytes);
        }
        Ok((bytes, self.count.is_none()))
    }
}

fn encode(scalar: Scalar, value: f64, out: &mut Vec<u8>) {
    match scalar {
        Scalar::Bool => out.push(u8::from(value >= 0.5)),
        Scalar::F16 => out.extend(f16::from_f64(value).to_le_bytes()),
        Scalar::BF16 => out.extend(bf16::from_f64(value).to_le_bytes()),
        Scalar::F32 => out.extend((value as f32).to_le_bytes()),
        Scalar::U64 => out.extend((value as u64).to_le_bytes()),
        _ => out.extend_from_slice(&(value as i64).to_le_bytes()[..scalar.size() as usize]),
    }
}

/// The elements of memory as text.
pub fn decode(scalar: Scalar, bytes: &[u8]) -> Vec<String> {
    bytes
        .chunks_exact(scalar.size() as usize)
        .map(|b| {
            let mut wide = [0; 8];
            wide[..b.len()].copy_from_slice(b);
            let bits = u64::from_le_bytes(wide);
            match scalar {
                Scalar::Bool => (bits != 0).to_string(),
                Scalar::I8 => (bits as i8).to_string(),
                Scalar::I16 => (bits as i16).to_string(),
                Scalar::I32 => (bits as i32).to_string(),
                Scalar::I64 => (bits as i64).to_string(),
                Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => bits.to_string(),
                Scalar::F16 => f16::from_bits(bits as u16).to_string(),
                Scalar::BF16 => bf16::from_bits(bits as u16).to_string(),
                Scalar::F32 => f32::from_bits(bits as u32).to_string(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_describe_memory() {
        let bytes = |text: &str| parse_spec(text).unwrap().bytes().unwrap();
        assert_eq!(bytes("0=uint[3]:iota").0, [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(bytes("1=float:1.5"), (1.5f32.to_le_bytes().to_vec(), true));
        assert_eq!(bytes("1=short[3]:-1,2").0, [255, 255, 2, 0, 255, 255]);
        assert_eq!(bytes("2=half[2]").0, [0; 4]);
        assert!(parse_spec("x=float:1").is_err());
        assert!(parse_spec("0=vec[2]").is_err());
        assert!(parse_spec("0=float[0]").is_err());
        assert_eq!(decode(Scalar::F32, &bytes("0=float[2]:0.5,3").0), ["0.5", "3"]);
    }
}
