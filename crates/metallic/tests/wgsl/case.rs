//! A shader of `tests/wgsl/shaders`, what it is given, and how its results are compared.
//!
//! Comments at the beginning of a shader, `//@ …`, one a line, describe what it is given. All bindings are in group 0.
//!
//! ```text
//! //@ dispatch 4 2 1                      workgroups
//! //@ in 0 u32 64 random                  a buffer (storage or uniform): type, number of elements, contents
//! //@ out 1 64                            a storage buffer of so many words, all 0, that is compared
//! //@ inout 2 u32 64 ramp                 both
//! //@ texture 3 rgba8unorm 8 4 random     a texture that is read or sampled: 2-D, 3-D with a third number
//! //@ storage 4 rgba8unorm 8 4            a texture that is written; compared as bytes
//! //@ sampler 5 linear repeat             nearest or linear; clamp, repeat or mirror
//! //@ needs f16 subgroups int64           what not every device has
//! //@ styles wgpu zero                    how it may be translated, where not in every way
//! //@ compare 1 x x ulp:3 abs:1e-5        how words of an output are compared, again and again from the left
//! ```
//!
//! Contents: `ramp` (0, 1, 2, …), `random` (any bits), `small` (integers below 100), `edges` (integers where things
//! overflow), `float LOW HIGH`, or `values A B C …` again and again. Words are compared exactly (`x`), or as floats
//! with so many units in the last place (`ulp:N`) or so much absolute difference (`abs:N`) of the result; `any` is not
//! compared. `ulp:N|abs:M` allows either. Bounds are those that WGSL states for the function ("Accuracy").

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub source: String,
    pub dispatch: [u32; 3],
    pub bindings: BTreeMap<u32, Binding>,
    pub needs: Vec<String>,
    pub styles: Option<Vec<String>>,
    compare: BTreeMap<u32, Vec<Compare>>,
}

#[derive(Clone, Debug)]
pub enum Binding {
    Buffer { bytes: Vec<u8>, is_compared: bool },
    Texture { format: Format, size: [u32; 3], bytes: Vec<u8>, is_storage: bool },
    Sampler { is_linear: bool, address: Address },
}

impl Binding {
    pub fn is_compared(&self) -> bool {
        match self {
            Binding::Buffer { is_compared, .. } => *is_compared,
            Binding::Texture { is_storage, .. } => *is_storage,
            Binding::Sampler { .. } => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    Clamp,
    Repeat,
    Mirror,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Rgba8Unorm,
    Rgba8Snorm,
    Rgba8Uint,
    Rgba8Sint,
    Rgba16Float,
    Rgba16Uint,
    R32Float,
    R32Uint,
    R32Sint,
    Rg32Float,
    Rgba32Float,
    Rgba32Uint,
    Rgba32Sint,
}

impl Format {
    fn parse(word: &str) -> Option<Format> {
        Some(match word {
            "rgba8unorm" => Format::Rgba8Unorm,
            "rgba8snorm" => Format::Rgba8Snorm,
            "rgba8uint" => Format::Rgba8Uint,
            "rgba8sint" => Format::Rgba8Sint,
            "rgba16float" => Format::Rgba16Float,
            "rgba16uint" => Format::Rgba16Uint,
            "r32float" => Format::R32Float,
            "r32uint" => Format::R32Uint,
            "r32sint" => Format::R32Sint,
            "rg32float" => Format::Rg32Float,
            "rgba32float" => Format::Rgba32Float,
            "rgba32uint" => Format::Rgba32Uint,
            "rgba32sint" => Format::Rgba32Sint,
            _ => return None,
        })
    }
    pub fn bytes(self) -> u32 {
        match self {
            Format::Rgba8Unorm | Format::Rgba8Snorm | Format::Rgba8Uint | Format::Rgba8Sint => 4,
            Format::R32Float | Format::R32Uint | Format::R32Sint => 4,
            Format::Rgba16Float | Format::Rgba16Uint | Format::Rg32Float => 8,
            Format::Rgba32Float | Format::Rgba32Uint | Format::Rgba32Sint => 16,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Exact,
    Any,
    Float { ulp: f32, abs: f32 },
}

/// What a shader leaves in a binding, as words.
pub type Results = BTreeMap<u32, Vec<u32>>;

/// The folder `tests/wgsl`.
pub fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|p| p.join("tests/wgsl/shaders").is_dir());
    root.expect("the repository").join("tests/wgsl")
}

/// All cases, or those whose names hold `METALLIC_TEST`, in order.
pub fn cases(folder: &Path) -> Vec<Case> {
    let wanted = std::env::var("METALLIC_TEST").unwrap_or_default();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|x| x == "wgsl"))
        .collect();
    paths.sort();
    let case = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let source = std::fs::read_to_string(path).unwrap();
        Case::parse(&name, source).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    paths.iter().map(case).filter(|c| c.name.contains(&wanted)).collect()
}

impl Case {
    pub fn parse(name: &str, source: String) -> Result<Case, String> {
        let mut case = Case {
            name: name.into(),
            source: String::new(),
            dispatch: [1; 3],
            bindings: BTreeMap::new(),
            needs: Vec::new(),
            styles: None,
            compare: BTreeMap::new(),
        };
        for line in source.lines().filter_map(|l| l.strip_prefix("//@ ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            case.directive(&words).ok_or_else(|| format!("what is `{line}`?"))?;
        }
        case.source = source;
        Ok(case)
    }

    fn directive(&mut self, words: &[&str]) -> Option<()> {
        let (&directive, rest) = words.split_first()?;
        if directive == "needs" {
            self.needs = rest.iter().map(|w| w.to_string()).collect();
            return Some(());
        }
        if directive == "styles" {
            self.styles = Some(rest.iter().map(|w| w.to_string()).collect());
            return Some(());
        }
        let (&first, rest) = rest.split_first()?;
        let at: u32 = first.parse().ok()?;
        match directive {
            "dispatch" => self.dispatch = [at, rest.first()?.parse().ok()?, rest.get(1)?.parse().ok()?],
            "in" | "inout" => {
                let bytes = contents(rest.first()?, rest.get(1)?.parse().ok()?, rest.get(2..)?, at)?;
                self.bindings.insert(at, Binding::Buffer { bytes, is_compared: directive == "inout" });
            }
            "out" => {
                let words: usize = rest.first()?.parse().ok()?;
                self.bindings.insert(at, Binding::Buffer { bytes: vec![0; 4 * words], is_compared: true });
            }
            "texture" | "storage" => {
                let (&format, rest) = rest.split_first()?;
                let format = Format::parse(format)?;
                let mut size = [1; 3];
                let mut dimensions = 0;
                while dimensions < 3
                    && let Some(n) = rest.get(dimensions).and_then(|w| w.parse().ok())
                {
                    size[dimensions] = n;
                    dimensions += 1;
                }
                let n = (format.bytes() * size.iter().product::<u32>()) as usize;
                let bytes = match rest.get(dimensions..).filter(|r| !r.is_empty()) {
                    None => vec![0; n],
                    Some(["float16", low, high]) => {
                        let floats = contents("f32", n / 2, &["float", low, high], at)?;
                        let half = |b: &[u8]| half::f16::from_f32(f32::from_le_bytes(b.try_into().unwrap()));
                        floats.chunks(4).flat_map(|b| half(b).to_le_bytes()).collect()
                    }
                    Some(kind) => contents("u32", n / 4, kind, at)?,
                };
                let is_storage = directive == "storage";
                self.bindings.insert(at, Binding::Texture { format, size, bytes, is_storage });
            }
            "sampler" => {
                let is_linear = match *rest.first()? {
                    "linear" => true,
                    "nearest" => false,
                    _ => return None,
                };
                let address = match *rest.get(1)? {
                    "clamp" => Address::Clamp,
                    "repeat" => Address::Repeat,
                    "mirror" => Address::Mirror,
                    _ => return None,
                };
                self.bindings.insert(at, Binding::Sampler { is_linear, address });
            }
            "compare" => {
                let all: Option<Vec<Compare>> = rest.iter().map(|w| compare(w)).collect();
                self.compare.insert(at, all.filter(|all| !all.is_empty())?);
            }
            _ => return None,
        }
        Some(())
    }

    /// Where two results differ by more than is allowed, in words; `b` is the reference.
    pub fn difference(&self, a: &Results, b: &Results) -> Option<String> {
        for (at, binding) in self.bindings.iter().filter(|(_, b)| b.is_compared()) {
            let (Some(a), Some(b)) = (a.get(at), b.get(at)) else {
                return Some(format!("binding {at} is missing"));
            };
            if a.len() != b.len() {
                return Some(format!("binding {at} has {} words and {}", a.len(), b.len()));
            }
            let exact = match binding {
                // Conversions to normalized integers may round either way where a value lies between two.
                Binding::Texture { format: Format::Rgba8Unorm | Format::Rgba8Snorm, .. } => None,
                _ => Some([Compare::Exact]),
            };
            let how = match (self.compare.get(at), &exact) {
                (Some(how), _) => &how[..],
                (None, Some(exact)) => &exact[..],
                (None, None) => &[],
            };
            for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
                let agrees = if how.is_empty() {
                    a.to_le_bytes().iter().zip(b.to_le_bytes()).all(|(a, b)| a.abs_diff(b) <= 1)
                } else {
                    how[i % how.len()].agrees(a, b)
                };
                if !agrees {
                    let (x, y) = (f32::from_bits(a), f32::from_bits(b));
                    return Some(format!("binding {at} word {i}: {a:#x} ({x}) instead of {b:#x} ({y})"));
                }
            }
        }
        None
    }
}

fn compare(word: &str) -> Option<Compare> {
    match word {
        "x" => return Some(Compare::Exact),
        "any" => return Some(Compare::Any),
        _ => {}
    }
    let (mut ulp, mut abs) = (0.0, 0.0);
    for part in word.split('|') {
        match part.split_once(':')? {
            ("ulp", n) => ulp = n.parse().ok()?,
            ("abs", n) => abs = n.parse().ok()?,
            _ => return None,
        }
    }
    Some(Compare::Float { ulp, abs })
}

impl Compare {
    fn agrees(self, a: u32, b: u32) -> bool {
        let Compare::Float { ulp, abs } = self else { return self == Compare::Any || a == b };
        let (a, b) = (f32::from_bits(a), f32::from_bits(b));
        if a.is_nan() || b.is_nan() {
            return a.is_nan() && b.is_nan();
        }
        let difference = (f64::from(a) - f64::from(b)).abs();
        // The distance of two neighbors of the reference; denormal numbers may be flushed to zero.
        let size = b.abs().max(f32::MIN_POSITIVE);
        let unit = f64::from(f32::from_bits(size.to_bits() + 1)) - f64::from(size);
        a == b || difference <= f64::from(ulp) * unit || difference <= f64::from(abs)
    }
}

/// The bytes of so many elements.
fn contents(ty: &str, n: usize, kind: &[&str], seed: u32) -> Option<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(seed) + 1) | 1;
    let mut random = move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    };
    const EDGES: [u32; 16] = [
        0,
        1,
        2,
        0xffff_ffff,
        0x8000_0000,
        0x7fff_ffff,
        0x8000_0001,
        0xffff_fffe,
        31,
        32,
        33,
        0xffff,
        0x1_0000,
        7,
        0x5555_5555,
        0xdead_beef,
    ];
    let (&kind, rest) = kind.split_first()?;
    let mut out = Vec::new();
    for i in 0..n {
        let word = match kind {
            "ramp" if ty == "f32" => (i as f32).to_bits(),
            "ramp" => i as u32,
            "random" => random(),
            "small" if ty == "f32" => ((random() % 100) as f32).to_bits(),
            "small" => random() % 100,
            // Every pair of neighbors comes up.
            "edges" => EDGES[(i + i / 16 * usize::from(i % 2 == 1)) % 16],
            "float" => {
                let (low, high): (f32, f32) = (rest.first()?.parse().ok()?, rest.get(1)?.parse().ok()?);
                (low + (high - low) * (random() >> 8) as f32 / (1 << 24) as f32).to_bits()
            }
            "values" => {
                let word = *rest.get(i % rest.len().max(1))?;
                match ty {
                    "f32" => word.parse::<f32>().ok()?.to_bits(),
                    "i32" => word.parse::<i32>().ok()? as u32,
                    _ => word.parse().ok()?,
                }
            }
            _ => return None,
        };
        match ty {
            "u32" | "i32" | "f32" => out.extend(word.to_le_bytes()),
            "f16" if kind == "float" => out.extend(half::f16::from_f32(f32::from_bits(word)).to_le_bytes()),
            _ => return None,
        }
    }
    while out.len() % 4 != 0 {
        out.push(0);
    }
    Some(out)
}

/// Results as text: a line `binding N` before the words of each, eight a line.
pub fn print(results: &Results) -> String {
    let mut out = String::new();
    for (at, words) in results {
        out.push_str(&format!("binding {at}\n"));
        for line in words.chunks(8) {
            let line: Vec<String> = line.iter().map(|w| format!("{w:08x}")).collect();
            out.push_str(&line.join(" "));
            out.push('\n');
        }
    }
    out
}

/// Reads what [`print`] wrote.
pub fn read(text: &str) -> Option<Results> {
    let mut out = Results::new();
    let mut at = None;
    for line in text.lines() {
        if let Some(n) = line.strip_prefix("binding ") {
            at = n.parse().ok();
            out.insert(at?, Vec::new());
            continue;
        }
        for word in line.split_whitespace() {
            out.get_mut(&at?)?.push(u32::from_str_radix(word, 16).ok()?);
        }
    }
    Some(out)
}

/// Bytes as words.
pub fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}
