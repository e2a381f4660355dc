//! Mutations that keep tokens whole, so that most of what comes out still means something.

/// xorshift64*: the same numbers everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n.max(1) as u64) as usize
    }
}

/// What stands at a point of the language where something else could.
const WORDS: &[&str] = &[
    "kernel",
    "void",
    "device",
    "constant",
    "threadgroup",
    "thread",
    "const",
    "volatile",
    "static",
    "inline",
    "constexpr",
    "template",
    "typename",
    "struct",
    "class",
    "union",
    "enum",
    "namespace",
    "using",
    "typedef",
    "operator",
    "using enum",
    "::*",
    ".*",
    "->*",
    "?:",
    "(*p)(int)",
    "[[buffer(0)]]",
    "requires",
    "sizeof",
    "decltype",
    "auto",
    "if",
    "else",
    "for",
    "while",
    "do",
    "switch",
    "case",
    "default",
    "break",
    "continue",
    "return",
    "int",
    "uint",
    "float",
    "half",
    "bfloat",
    "char",
    "uchar",
    "short",
    "ushort",
    "long",
    "ulong",
    "bool",
    "float4",
    "uint3",
    "half2",
    "float4x4",
    "packed_float3",
    "texture2d",
    "sampler",
    "atomic_uint",
    "array",
    "vec",
    "matrix",
    "true",
    "false",
    "this",
    "0",
    "1",
    "-1",
    "0x7fffffff",
    "4294967296",
    "1e39f",
    "0.0f",
    "1u",
    "99999999999999999999",
    "'a'",
    "\"s\"",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "<",
    ">",
    ",",
    ";",
    ":",
    "::",
    ".",
    "->",
    "...",
    "=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "&",
    "|",
    "^",
    "~",
    "!",
    "?",
    "<<",
    ">>",
    "&&",
    "||",
    "==",
    "!=",
    "<=",
    ">=",
    "+=",
    "-=",
    "*=",
    "/=",
    "%=",
    "<<=",
    ">>=",
    "++",
    "--",
    "[[buffer(0)]]",
    "[[thread_position_in_grid]]",
    "[[kernel]]",
    "[[function_constant(0)]]",
    "#define ",
    "#if ",
    "#endif\n",
    "#include \"self.h\"\n",
    "#undef ",
    "##",
    "#",
    "__VA_ARGS__",
    "__VA_OPT__(",
    "\\\n",
    "\n",
    "//",
    "/*",
    "*/",
    "as_type",
    "simd_sum",
    "ptr",
    "u32",
    "f32",
    "i8",
    "u64",
    "f16",
    "vec4",
    "fn",
    "local",
    "global",
    "loop",
    "scope",
    "continuing",
    "load",
    "store",
    "index_addr",
    "field_addr",
    "ptr_offset",
    "call",
    "bitcast",
    "convert",
    "extract",
    "shuffle",
    "barrier",
    "%0",
    "%1",
    "@f",
];

/// A text with a few changes, of `limit` bytes at most. `other` is another one to take pieces from.
pub fn mutate(text: &str, other: &str, random: &mut Random, limit: usize) -> String {
    let mut tokens = split(text);
    let others = split(other);
    for _ in 0..1 + random.below(5) {
        let n = tokens.len();
        let at = random.below(n + 1);
        let end = (at + 1 + random.below(12)).min(n);
        match random.below(11) {
            0 if at < n => drop(tokens.drain(at..end)),
            1 if at < n => {
                tokens.remove(at);
            }
            2 => {
                let piece = tokens[at.min(end)..end].to_vec();
                let to = random.below(n + 1);
                tokens.splice(to..to, piece);
            }
            3 if n > 0 => {
                let a = random.below(n);
                tokens.swap(a, at.min(n - 1));
            }
            4 if n > 0 => {
                let from = tokens[random.below(n)];
                tokens[at.min(n - 1)] = from;
            }
            5 | 6 if n > 0 => tokens[at.min(n - 1)] = WORDS[random.below(WORDS.len())],
            7 => tokens.insert(at, WORDS[random.below(WORDS.len())]),
            8 if !others.is_empty() => {
                let from = random.below(others.len());
                let piece = others[from..(from + 1 + random.below(30)).min(others.len())].to_vec();
                tokens.splice(at..at, piece);
            }
            // Deep or long: a piece again and again.
            9 if at < n => {
                let piece = tokens[at..end.min(at + 3)].to_vec();
                let times = [3, 20, 200, 2000][random.below(4)];
                let many: Vec<&str> = piece.iter().copied().cycle().take(piece.len() * times).collect();
                tokens.splice(at..at, many);
            }
            _ => tokens.truncate(at.max(1)),
        }
    }
    let mut out = String::new();
    for token in tokens {
        if out.len() + token.len() >= limit {
            break;
        }
        out.push_str(token);
        // Words that came to stand side by side would become one.
        if token.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            out.push(' ');
        }
    }
    out
}

/// Words, numbers, spaces and single characters.
fn split(text: &str) -> Vec<&str> {
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            1
        } else if c == ' ' {
            2
        } else {
            0
        }
    };
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let k = kind(first);
        let end = if k == 0 { first.len_utf8() } else { rest.find(|c| kind(c) != k).unwrap_or(rest.len()) };
        if k != 2 {
            tokens.push(&rest[..end]);
        } else if !tokens.last().is_some_and(|t: &&str| t.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')) {
            tokens.push(&rest[..1]);
        }
        rest = &rest[end..];
    }
    tokens
}
