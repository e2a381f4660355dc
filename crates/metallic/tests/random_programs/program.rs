//! A whole random program: types, tables, helpers, and the kernel `k`.

use std::fmt::Write as _;

use super::types::*;

/// Words of output of each thread.
pub const WORDS: usize = 16;
/// Words of input beside those of the threads.
pub const INPUT_WORDS: usize = 1024;
/// Atomic objects: of each of the operations in [`ATOMICS`], 4.
pub const ATOMICS: [(&str, &str); 8] = [
    ("uint", "add"),
    ("uint", "max"),
    ("uint", "min"),
    ("uint", "and"),
    ("uint", "or"),
    ("uint", "xor"),
    ("int", "max"),
    ("int", "sub"),
];

/// A program, and how it is to be run.
#[derive(Clone, Debug)]
pub struct Program {
    pub source: String,
    pub grid: Grid,
}

#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Threads, or threadgroups.
    pub size: [u32; 3],
    pub threadgroup: [u32; 3],
    pub is_threads: bool,
    /// `Params::n`.
    pub n: u32,
}

impl Grid {
    pub fn threads(&self) -> usize {
        (0..3)
            .map(|d| if self.is_threads { self.size[d] } else { self.size[d] * self.threadgroup[d] } as usize)
            .product()
    }
}

/// Grids and threadgroups that fit in nothing: edges in each dimension, parts of simdgroups, single threads.
const SHAPES: [([u32; 3], [u32; 3]); 16] = [
    ([64, 1, 1], [32, 1, 1]),
    ([70, 1, 1], [64, 1, 1]),
    ([100, 1, 1], [33, 1, 1]),
    ([5, 1, 1], [1, 1, 1]),
    ([31, 1, 1], [31, 1, 1]),
    ([130, 1, 1], [48, 1, 1]),
    ([96, 1, 1], [7, 1, 1]),
    ([64, 2, 1], [32, 2, 1]),
    ([32, 8, 1], [16, 8, 1]),
    ([20, 9, 1], [16, 4, 1]),
    ([9, 9, 1], [8, 8, 1]),
    ([3, 40, 1], [1, 32, 1]),
    ([14, 10, 3], [7, 5, 3]),
    ([6, 5, 4], [4, 4, 4]),
    ([2, 3, 20], [2, 1, 16]),
    ([17, 3, 2], [13, 2, 2]),
];

pub const LIBRARY: &str = r#"#include <metal_stdlib>
using namespace metal;

// A float without the bits of a NaN.
template <typename T> T nn(T x) { return select(x, T(1.5f), isnan(x)); }

// The bits of a value, all NaNs being one.
uint w(bool x) { return x ? 0x9e3779b9u : 7u; }
uint w(char x) { return uint(x); }
uint w(uchar x) { return uint(x); }
uint w(short x) { return uint(x); }
uint w(ushort x) { return uint(x); }
uint w(int x) { return uint(x); }
uint w(uint x) { return x; }
uint w(long x) { return uint(x) ^ uint(x >> 32) * 31u; }
uint w(ulong x) { return uint(x) ^ uint(x >> 32) * 31u; }
uint w(half x) { return isnan(x) ? 0x7e00u : uint(as_type<ushort>(x)); }
uint w(bfloat x) { return isnan(x) ? 0x7fc0u : uint(as_type<ushort>(x)); }
uint w(float x) { return isnan(x) ? 0x7fc00000u : as_type<uint>(x); }
template <typename T> uint w(vec<T, 2> v) { return w(v.x) * 31u + w(v.y); }
template <typename T> uint w(vec<T, 3> v) { return (w(v.x) * 31u + w(v.y)) * 31u + w(v.z); }
template <typename T> uint w(vec<T, 4> v) { return w(v.xy) * 961u + w(v.zw); }
template <typename T, int C, int R> uint w(matrix<T, C, R> m) {
  uint total = 0;
  for (int c = 0; c < C; c++) total = total * 31u + w(m[c]);
  return total;
}

template <typename T> struct Pair {
  T first, second;
  Pair(T a, T b) : first(a), second(b) {}
  Pair swapped() const { return Pair(second, first); }
  void rotate() thread { T t = first; first = second; second = t; }
  uint digest() const { return w(first) * 17u ^ w(second); }
};
template <typename T> Pair<T> operator+(Pair<T> a, Pair<T> b) { return Pair<T>(T(a.first + b.first), T(a.second + b.second)); }
template <typename T> uint swap_digest(T a, T b) {
  Pair<T> p(a, b), q = p.swapped();
  q.rotate();
  return (p + q).digest();
}
template <typename T> void exchange(thread T& a, thread T& b) { T t = a; a = b; b = t; }
template <int N, typename T> T fold(T x, T y) {
  T r = x;
  for (int k = 0; k < N; k++) {
    if (r == y) { r = T(r + T(3)); continue; }
    r = r < y ? T(y - r) : T(r - y);
    if (k == 5) break;
  }
  return r;
}
uint sum_of(thread const uint* p, uint n) {
  uint total = 0;
  while (n != 0) total = total * 3u + p[--n];
  return total;
}
uint neighbor(threadgroup uint* tile, uint x, uint tid, uint from) {
  threadgroup_barrier(mem_flags::mem_threadgroup);
  tile[tid] = x;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  return tile[from];
}

// What arrays in memory are made of, at the alignment of its widest number.
struct Row {
  float a;
  packed_float3 b;
  ushort c;
  uchar d[2];
  packed_short2 e;
};
struct Wide {
  uint4 v;
  half2 h;
  long l;
  char3 k;
};

struct Params {
  uint n;
  int k;
  float f;
  half h;
  ushort s;
  uint4 v;
  packed_float3 p;
  uchar c[4];
};
"#;

/// Writes a program.
pub struct Writer {
    pub random: Random,
    pub text: String,
    pub indent: usize,
    names: u32,
    /// How many indices this is inside of.
    pub indices: u32,
    pub structs: Structs,
    pub variables: Vec<Variable>,
    /// Texts of type `uint` that are the same for all threads of a threadgroup.
    pub uniform: Vec<String>,
    /// Whether all threads of the threadgroup are here.
    pub is_uniform: bool,
    pub in_helper: bool,
    /// Inside of how many loops, and whether the innermost construct can be left by `break` and `continue`.
    pub loops: u32,
    pub can_break: bool,
    pub can_continue: bool,
    /// What a helper gives back.
    pub result: Option<Type>,
    pub helpers: Vec<Helper>,
    pub budget: i32,
    pub is_one_dimensional: bool,
    /// A threadgroup's threads, at most.
    pub count: u32,
    pub has_barriers: bool,
    pub tile: Type,
}

#[derive(Clone, Debug)]
pub struct Helper {
    pub name: String,
    pub result: Type,
    pub params: Vec<Parameter>,
}

#[derive(Clone, Debug)]
pub enum Parameter {
    Value(Type),
    Reference(Type),
    Struct(usize),
    StructReference(usize),
}

/// The program of a seed.
pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let (size, threadgroup) = random.pick(&SHAPES);
    let is_threads = !random.chance(3);
    let size = if is_threads { size } else { [0, 1, 2].map(|d| size[d].div_ceil(threadgroup[d])) };
    let n = random.pick(&[0, 1, 5, 31, 32, 40, 64, 1000, 1000, 1000]);
    let grid = Grid { size, threadgroup, is_threads, n };
    let is_one_dimensional = threadgroup[1] * threadgroup[2] == 1;
    let has_barriers = random.chance(2);
    let mut w = Writer {
        random,
        text: LIBRARY.into(),
        indent: 0,
        names: 0,
        indices: 0,
        structs: Vec::new(),
        variables: Vec::new(),
        uniform: Vec::new(),
        is_uniform: false,
        in_helper: true,
        loops: 0,
        can_break: false,
        can_continue: false,
        result: None,
        helpers: Vec::new(),
        budget: 0,
        is_one_dimensional,
        count: threadgroup.iter().product(),
        has_barriers,
        tile: Type::Number(UInt, 1),
    };
    w.declarations();
    let size = w.random.pick(&[1, 1, 1, 2, 2, 4]);
    for _ in 0..w.random.below(size.min(3) + 1) {
        w.helper();
    }
    w.kernel(size as i32);
    Program { source: w.text, grid }
}

use Scalar::UInt;

impl Writer {
    pub fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{:1$}{text}", "", self.indent * 2);
    }
    pub fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }
    pub fn number(&mut self) -> Type {
        let s = self.random.pick(&SCALARS);
        let n = if self.random.chance(3) { 2 + self.random.below(3) as u8 } else { 1 };
        Type::Number(s, n)
    }
    /// Any type of values.
    pub fn value_type(&mut self) -> Type {
        match self.random.below(14) {
            0 => Type::Matrix(
                self.random.pick(&[Scalar::Float, Scalar::Float, Scalar::Half]),
                2 + self.random.below(3) as u8,
                2 + self.random.below(3) as u8,
            ),
            1 => Type::Number(Scalar::Bool, 1 + self.random.below(4) as u8),
            _ => self.number(),
        }
    }

    /// Declares `name` as a type writes it.
    pub fn declarator(&self, name: &str, storage: &Storage) -> String {
        match storage {
            Storage::Value(ty) => format!("{} {name}", ty.name()),
            Storage::Struct(s) => format!("S{s} {name}"),
            Storage::Array(element, n) => self.declarator(&format!("{name}[{n}]"), element),
        }
    }

    /// Structures and tables of constants.
    fn declarations(&mut self) {
        for s in 0..1 + self.random.below(3) {
            let mut fields = Vec::new();
            for f in 0..1 + self.random.below(4) {
                let storage = match self.random.below(8) {
                    0 if s > 0 => Storage::Struct(self.random.below(s)),
                    1 | 2 => Storage::Array(Box::new(Storage::Value(self.value_type())), self.random.pick(&[2, 4])),
                    _ => Storage::Value(self.value_type()),
                };
                fields.push((format!("f{f}"), storage));
            }
            let text: Vec<String> =
                fields.iter().map(|(n, storage)| format!("{};", self.declarator(n, storage))).collect();
            self.line(&format!("struct S{s} {{ {} }};", text.join(" ")));
            self.structs.push(fields);
        }
        for _ in 0..self.random.below(3) {
            let ty = self.number();
            let name = self.name("table");
            let values: Vec<String> = (0..4).map(|_| self.literal(ty)).collect();
            self.line(&format!("constant {} {name}[4] = {{ {} }};", ty.name(), values.join(", ")));
            let storage = Storage::Array(Box::new(Storage::Value(ty)), 4);
            self.variables.push(Variable { name, storage, is_assignable: false });
        }
    }

    fn helper(&mut self) {
        let name = self.name("helper");
        let result = self.value_type();
        let mut params = Vec::new();
        let mut texts = vec!["thread const uint* words".to_string(), "uint tid".into(), "uint lane".into()];
        let outer = self.variables.len();
        for at in 0..1 + self.random.below(4) {
            let p = format!("p{at}");
            let (parameter, text, storage, is_assignable) = match self.random.below(6) {
                0 | 1 => {
                    let ty = self.value_type();
                    (Parameter::Reference(ty), format!("thread {}& {p}", ty.name()), Storage::Value(ty), true)
                }
                2 => {
                    let s = self.random.below(self.structs.len());
                    (Parameter::Struct(s), format!("S{s} {p}"), Storage::Struct(s), true)
                }
                3 => {
                    let s = self.random.below(self.structs.len());
                    (Parameter::StructReference(s), format!("thread S{s}& {p}"), Storage::Struct(s), true)
                }
                _ => {
                    let ty = self.value_type();
                    (Parameter::Value(ty), format!("{} {p}", ty.name()), Storage::Value(ty), true)
                }
            };
            params.push(parameter);
            texts.push(text);
            self.variables.push(Variable { name: p, storage, is_assignable });
        }
        let linkage = self.random.pick(&["", "static ", "inline "]);
        self.line(&format!("{linkage}{} {name}({}) {{", result.name(), texts.join(", ")));
        self.indent += 1;
        self.in_helper = true;
        self.is_uniform = false;
        self.result = Some(result);
        self.budget = 5;
        for _ in 0..1 + self.random.below(3) {
            self.statement(2);
        }
        let value = self.expression(result, 2);
        self.line(&format!("return {value};"));
        self.indent -= 1;
        self.line("}");
        self.variables.truncate(outer);
        self.result = None;
        self.helpers.push(Helper { name, result, params });
    }

    fn kernel(&mut self, parts: i32) {
        let (three, dims) = if self.is_one_dimensional && self.random.chance(2) { ("", 1) } else { ("3", 3) };
        let tile = self.number();
        self.tile = tile;
        self.in_helper = false;
        self.line("kernel void k(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]],");
        self.line("              device atomic_uint* atoms [[buffer(2)]], constant Params& p [[buffer(3)]],");
        self.line(&format!(
            "              uint{three} gid [[thread_position_in_grid]], uint{three} size [[threads_per_grid]],"
        ));
        self.line(&format!(
            "              uint tid [[thread_index_in_threadgroup]], uint{three} tsize [[threads_per_threadgroup]],"
        ));
        self.line(&format!("              ushort{three} group [[threadgroup_position_in_grid]], uint lane [[thread_index_in_simdgroup]],"));
        self.line("              ushort sg [[simdgroup_index_in_threadgroup]]) {");
        self.indent = 1;
        let count = self.count;
        self.line(&format!("threadgroup uint tile0[{count}];"));
        self.line(&format!("threadgroup {} tile1[{count}];", tile.name()));
        self.line("threadgroup atomic_uint cells[8];");
        let i = if dims == 1 { "gid" } else { "(gid.z * size.y + gid.y) * size.x + gid.x" };
        self.line(&format!("const uint i = {i};"));
        self.line(&format!("const uint count = {};", if dims == 1 { "tsize" } else { "tsize.x * tsize.y * tsize.z" }));
        if !self.has_barriers && self.random.chance(2) {
            let x = if dims == 1 { "gid" } else { "gid.x" };
            let guard = match self.random.below(3) {
                0 => format!("if ({x} >= p.n) return;"),
                1 => format!("if (!({x} < p.n)) {{ return; }}"),
                _ => "if (i > p.n) return;".into(),
            };
            self.line(&guard);
        }
        self.is_uniform = self.has_barriers;
        // How many threads of the simdgroup there are.
        self.line("const uint lanes = simd_sum(1u);");
        self.line(&format!("device uint* mine = out + i * {WORDS}u;"));
        self.line("uint acc = i * 0x9e3779b9u + 1u;");
        self.line("uint words[8];");
        self.line("for (uint j = 0; j < 8; j++) words[j] = in[(i * 8u + j) & 1023u];");
        let group = if dims == 1 { "uint(group)" } else { "uint(group.x)" };
        self.uniform = ["p.n", group, "uint(p.k)", "p.v.y", "p.v.z", "3u", "uint(p.c[2])"].map(String::from).into();
        let fixed = |name: &str, ty| Variable { name: name.into(), storage: Storage::Value(ty), is_assignable: false };
        use Scalar::*;
        for (name, ty) in [
            ("i", Type::Number(UInt, 1)),
            ("tid", Type::Number(UInt, 1)),
            ("lane", Type::Number(UInt, 1)),
            ("count", Type::Number(UInt, 1)),
            ("group", Type::Number(UShort, dims)),
            ("tsize", Type::Number(UInt, dims)),
            ("gid", Type::Number(UInt, dims)),
            ("p.n", Type::Number(UInt, 1)),
            ("p.k", Type::Number(Int, 1)),
            ("p.f", Type::Number(Float, 1)),
            ("p.h", Type::Number(Half, 1)),
            ("p.s", Type::Number(UShort, 1)),
            ("p.v", Type::Number(UInt, 4)),
            ("float3(p.p)", Type::Number(Float, 3)),
        ] {
            self.variables.push(fixed(name, ty));
        }
        let words = Storage::Array(Box::new(Storage::Value(Type::Number(UInt, 1))), 8);
        self.variables.push(Variable { name: "words".into(), storage: words, is_assignable: true });
        let params = Storage::Array(Box::new(Storage::Value(Type::Number(UChar, 1))), 4);
        self.variables.push(Variable { name: "p.c".into(), storage: params, is_assignable: false });
        for _ in 0..3 {
            self.declare();
        }
        self.budget = 5 * parts;
        for _ in 0..2 + 2 * parts {
            self.statement(3);
            if self.has_barriers && self.random.chance(3) {
                self.together();
            }
        }
        // Everything ends up in the output, so that nothing is dead.
        let last: Vec<Variable> = self.variables.iter().rev().take(10).cloned().collect();
        for v in last {
            let (text, _) = self.path(v.name, &v.storage);
            self.line(&format!("acc = acc * 0x01000193u ^ w({text});"));
        }
        self.line("mine[0] ^= acc;");
        self.line("mine[1] += sum_of(words, 8);");
        self.indent = 0;
        self.line("}");
    }
}
