//! Random statements: control flow that ends, and what changes variables and memory.

use super::program::{ATOMICS, Parameter, WORDS, Writer};
use super::types::*;

use Scalar::*;

const WORD: Type = Type::Number(UInt, 1);

impl Writer {
    /// A new variable with a value.
    pub fn declare(&mut self) {
        let name = self.name("v");
        let storage = match self.random.below(9) {
            0 => Storage::Struct(self.random.below(self.structs.len())),
            1 => Storage::Array(Box::new(Storage::Value(self.number())), self.random.pick(&[2, 4, 8])),
            2 if self.random.chance(2) => {
                let s = self.random.below(self.structs.len());
                Storage::Array(Box::new(Storage::Struct(s)), 2)
            }
            _ => Storage::Value(self.value_type()),
        };
        // Of a structure, perhaps a copy.
        let same: Vec<String> = self
            .variables
            .iter()
            .filter(|v| v.storage == storage && matches!(storage, Storage::Struct(_)))
            .map(|v| v.name.clone())
            .collect();
        let value = if same.is_empty() || self.random.chance(2) {
            self.initializer(&storage, 3)
        } else {
            let at = self.random.below(same.len());
            same[at].clone()
        };
        let declarator = self.declarator(&name, &storage);
        let is_const = self.random.chance(6);
        self.line(&format!("{}{declarator} = {value};", if is_const { "const " } else { "" }));
        self.variables.push(Variable { name, storage, is_assignable: !is_const });
    }

    fn initializer(&mut self, storage: &Storage, depth: u32) -> String {
        match storage {
            Storage::Value(ty) => self.expression(*ty, depth),
            Storage::Array(element, n) => {
                let parts: Vec<String> =
                    (0..*n).map(|_| self.initializer(element, depth.min(2).saturating_sub(1))).collect();
                format!("{{ {} }}", parts.join(", "))
            }
            Storage::Struct(s) => {
                let fields = self.structs[*s].clone();
                let parts: Vec<String> =
                    fields.iter().map(|(_, f)| self.initializer(f, depth.min(2).saturating_sub(1))).collect();
                format!("{{ {} }}", parts.join(", "))
            }
        }
    }

    /// Something to assign to, that lies in `thread` memory.
    fn target(&mut self) -> (String, Type) {
        let of: Vec<usize> = (0..self.variables.len()).filter(|&v| self.variables[v].is_assignable).collect();
        if of.is_empty() {
            self.declare_value(WORD);
            return self.target();
        }
        let v = self.variables[of[self.random.below(of.len())]].clone();
        self.path(v.name, &v.storage)
    }

    /// A new variable of just that type, which can be assigned to.
    fn declare_value(&mut self, ty: Type) -> String {
        let name = self.name("v");
        let value = self.expression(ty, 2);
        self.line(&format!("{} {name} = {value};", ty.name()));
        self.variables.push(Variable { name: name.clone(), storage: Storage::Value(ty), is_assignable: true });
        name
    }

    /// Statements in braces that the caller has opened.
    fn block(&mut self, depth: u32) {
        let (variables, uniform) = (self.variables.len(), self.uniform.len());
        self.indent += 1;
        for _ in 0..1 + self.random.below(2) {
            self.statement(depth);
        }
        self.indent -= 1;
        self.variables.truncate(variables);
        self.uniform.truncate(uniform);
    }

    pub fn statement(&mut self, depth: u32) {
        self.budget -= 1;
        if self.budget < 0 {
            return self.assign();
        }
        match self.random.below(if depth == 0 { 15 } else { 26 }) {
            0..=3 => self.assign(),
            4 | 5 => self.declare(),
            6 => self.component(depth),
            7 => self.pointer(),
            8 if !self.in_helper => match self.random.below(4) {
                0 => self.own_rows(),
                1 => self.rows(),
                2 => self.one_of_several(),
                _ => self.own_memory(),
            },
            9 if !self.in_helper => self.atomic(),
            10 => self.simd(),
            11 | 12 => self.leave(),
            13 if self.is_uniform && self.random.chance(2) => self.together(),
            13 => self.generic(),
            14 => self.out_parameter(),
            15..=17 => self.branch(depth),
            18..=20 => self.counted_loop(depth),
            21 | 22 => self.switch(depth),
            23 | 24 => self.call(),
            25 => {
                self.line("{");
                self.block(depth - 1);
                self.line("}");
            }
            _ => self.assign(),
        }
    }

    fn assign(&mut self) {
        let (text, ty) = self.target();
        let depth = 1 + self.random.below(3) as u32;
        let value = self.expression(ty, depth);
        match ty {
            Type::Number(s, n) if s != Bool && self.random.chance(2) => {
                let ops: &[&str] =
                    if s.is_float() { &["+=", "-=", "*=", "/="] } else { &["+=", "-=", "*=", "&=", "|=", "^="] };
                let op = self.random.pick(ops);
                if !s.is_float() && n == 1 && self.random.chance(4) {
                    let step = self.random.pick(&["++", "--"]);
                    return if self.random.chance(2) {
                        self.line(&format!("{text}{step};"))
                    } else {
                        self.line(&format!("{step}{text};"))
                    };
                }
                if !s.is_float() && self.random.chance(5) {
                    let name = ty.name();
                    let op = self.random.pick(&["<<=", ">>="]);
                    return self.line(&format!("{text} {op} {name}({value} & {name}({}));", s.bits() - 1));
                }
                self.line(&format!("{text} {op} {value};"));
            }
            _ => self.line(&format!("{text} = {value};")),
        }
    }

    /// Part of a vector.
    fn component(&mut self, depth: u32) {
        let n = 2 + self.random.below(3) as u8;
        let s = self.random.pick(&SCALARS);
        let wanted = Storage::Value(Type::Number(s, n));
        let found =
            self.variables.iter().rev().find(|v| v.is_assignable && v.storage == wanted).map(|v| v.name.clone());
        let name = match found {
            Some(name) => name,
            None => self.declare_value(Type::Number(s, n)),
        };
        match self.random.below(4) {
            0 => {
                let (c, value) = (self.component_letter(n), self.expression(Type::Number(s, 1), depth.min(2)));
                self.line(&format!("{name}.{c} = {value};"));
            }
            1 => {
                let at = if n == 3 { format!("({}) % 3u", self.expression(WORD, 1)) } else { self.index(u32::from(n)) };
                let value = self.expression(Type::Number(s, 1), depth.min(2));
                self.line(&format!("{name}[{at}] = {value};"));
            }
            2 => {
                let swizzle = self.random.pick(&["xy", "yx"]);
                let value = self.expression(Type::Number(s, 2), depth.min(2));
                self.line(&format!("{name}.{swizzle} = {value};"));
            }
            _ => {
                let swizzle = match n {
                    2 => "yx",
                    3 => self.random.pick(&["zxy", "yxz", "bgr"]),
                    _ => self.random.pick(&["wzyx", "zwxy", "rgba", "yzxw"]),
                };
                let value = self.expression(Type::Number(s, n), depth.min(2));
                self.line(&format!("{name}.{swizzle} = {value};"));
            }
        }
    }

    /// A pointer or reference to one of several places.
    fn pointer(&mut self) {
        let ty = self.number();
        let wanted = Storage::Value(ty);
        let mut found: Vec<String> =
            self.variables.iter().filter(|v| v.is_assignable && v.storage == wanted).map(|v| v.name.clone()).collect();
        while found.len() < 2 {
            found.push(self.declare_value(ty));
        }
        let (a, b) = (found[self.random.below(found.len())].clone(), found[self.random.below(found.len())].clone());
        let name = self.name("r");
        match self.random.below(4) {
            0 => {
                let c = self.expression(Type::Number(Bool, 1), 2);
                self.line(&format!("thread {}* {name} = {c} ? &{a} : &{b};", ty.name()));
                let value = self.expression(ty, 2);
                self.line(&format!("*{name} = {value};"));
            }
            1 => {
                let value = self.expression(ty, 2);
                self.line(&format!("thread {}& {name} = {a};", ty.name()));
                self.line(&format!("{name} = {value};"));
                self.line(&format!("{b} = {name};"));
            }
            2 => {
                let array = self.name("a");
                let parts: Vec<String> = (0..4).map(|_| self.expression(ty, 1)).collect();
                self.line(&format!("{} {array}[4] = {{ {} }};", ty.name(), parts.join(", ")));
                let (from, to) = (self.index(4), self.index(4));
                self.line(&format!("thread {}* {name} = {array} + ({from});", ty.name()));
                let value = self.expression(ty, 2);
                self.line(&format!("*{name} = {value};"));
                self.line(&format!(
                    "for (thread {}* q = {array}; q != {array} + 4; q++) if (q == {name}) *q = {a};",
                    ty.name()
                ));
                self.line(&format!("{b} = {array}[{to}];"));
            }
            _ => self.line(&format!("exchange({a}, {b});")),
        }
    }

    /// The part of the output that is this thread's.
    fn own_memory(&mut self) {
        let s = self.random.pick(&[UInt, Int, Float, UShort, Half, UChar, Char, Short, ULong, Long]);
        let n = self.random.pick(&[1, 1, 2, 4]);
        let ty = Type::Number(s, n);
        let slots = (WORDS as u32 * 32) / (s.bits() * n as u32);
        let at = self.index(slots);
        let place = format!("((device {}*)mine)[{at}]", ty.name());
        let clean = |x: String| if s.is_float() { format!("nn({x})") } else { x };
        if self.random.chance(2) {
            let value = clean(self.expression(ty, 2));
            self.line(&format!("{place} = {value};"));
        } else {
            let name = self.name("v");
            self.line(&format!("{} {name} = {};", ty.name(), clean(place)));
            self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
        }
    }

    /// A field of [`Row`] or `Wide`: how it is written, and its type where it is read.
    fn field(&mut self, is_wide: bool) -> (&'static str, &'static str, Type) {
        if is_wide {
            self.random.pick(&[
                ("v", "v", Type::Number(UInt, 4)),
                ("v.y", "v.y", WORD),
                ("h", "h", Type::Number(Half, 2)),
                ("l", "l", Type::Number(Long, 1)),
                ("k", "k", Type::Number(Char, 3)),
                ("k.z", "k.z", Type::Number(Char, 1)),
            ])
        } else {
            self.random.pick(&[
                ("a", "a", Type::Number(Float, 1)),
                ("b", "b", Type::Number(Float, 3)),
                ("b[1]", "b[1]", Type::Number(Float, 1)),
                ("c", "c", Type::Number(UShort, 1)),
                ("d[1]", "d[tid & 1u]", Type::Number(UChar, 1)),
                ("e", "e", Type::Number(Short, 2)),
                ("e.x", "e.x", Type::Number(Short, 1)),
            ])
        }
    }

    /// Reads fields of structures in an array: neighbors', by a stride, or anywhere.
    fn rows(&mut self) {
        let is_wide = self.random.chance(3);
        let (row, limit) = if is_wide { ("Wide", 15) } else { ("Row", 63) };
        let at = match self.random.below(4) {
            0 => "i".to_string(),
            1 => format!("i * {}u + {}u", 1 + self.random.below(4), self.random.below(3)),
            2 => "tid".into(),
            _ => self.expression(WORD, 1),
        };
        let rows = self.name("rows");
        self.line(&format!("device const {row}* {rows} = (device const {row}*)in + (({at}) & {limit}u);"));
        for _ in 0..1 + self.random.below(3) {
            let (_, read, ty) = self.field(is_wide);
            let name = self.name("v");
            let offset = self.random.below(2);
            let value = format!("{}({rows}[{offset}].{read})", ty.name());
            let value = if ty.scalar().is_float() { format!("nn({value})") } else { value };
            self.line(&format!("{} {name} = {value};", ty.name()));
            self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
        }
    }

    /// The same in the part of the output that is this thread's: written, copied as a whole, read.
    fn own_rows(&mut self) {
        let is_wide = self.random.chance(3);
        let (row, last) = if is_wide { ("Wide", 0) } else { ("Row", 1) };
        let rows = self.name("rows");
        self.line(&format!("device {row}* {rows} = (device {row}*)mine;"));
        for _ in 0..1 + self.random.below(3) {
            let (written, _, ty) = self.field(is_wide);
            let at = format!("({}) & {last}u", self.expression(WORD, 1));
            let value = self.expression(ty, 2);
            let value = if ty.scalar().is_float() { format!("nn({value})") } else { value };
            self.line(&format!("{rows}[{at}].{written} = {value};"));
        }
        let (_, read, ty) = self.field(is_wide);
        let (copy, name, at) = (self.name("row"), self.name("v"), self.random.below(last + 1));
        self.line(&format!("{row} {copy} = {rows}[{at}];"));
        let value = format!("{}({copy}.{read})", ty.name());
        let value = if ty.scalar().is_float() { format!("nn({value})") } else { value };
        self.line(&format!("{} {name} = {value};", ty.name()));
        self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
    }

    /// A pointer into one of two buffers, which threads choose each for itself, and a walk from there.
    fn one_of_several(&mut self) {
        let (c, at) = (self.expression(Type::Number(Bool, 1), 2), self.index(256));
        let (p, name) = (self.name("p"), self.name("v"));
        let (step, rounds) = (1 + self.random.below(3), 1 + self.random.below(4));
        self.line(&format!("device const uint* {p} = {c} ? in + ({at}) : mine;"));
        self.line(&format!("uint {name} = 0;"));
        match self.random.below(3) {
            0 => self.line(&format!("for (uint q = 0; q < {rounds}u; q++) {name} = {name} * 5u + {p}[q * {step}u];")),
            1 => self.line(&format!(
                "for (device const uint* q = {p}; q < {p} + {}; q += {step}) {name} ^= *q;",
                step * rounds
            )),
            _ => {
                let e = self.index(8);
                self.line(&format!("{name} = {p}[{e}];"));
            }
        }
        self.variables.push(Variable { name, storage: Storage::Value(WORD), is_assignable: true });
    }

    /// An operation whose order does not matter.
    fn atomic(&mut self) {
        let k = self.random.below(ATOMICS.len());
        let (ty, op) = ATOMICS[k];
        let value = self.expression(Type::Number(if ty == "int" { Int } else { UInt }, 1), 2);
        let at = format!("{}u + ({})", 4 * k, self.index(4));
        let object = if ty == "int" { format!("(device atomic_int*)&atoms[{at}]") } else { format!("&atoms[{at}]") };
        self.line(&format!("atomic_fetch_{op}_explicit({object}, {value}, memory_order_relaxed);"));
    }

    /// What is defined for whichever threads of the simdgroup are here.
    fn simd(&mut self) {
        let s = self.random.pick(&[UInt, Int, Float, UInt, Half, Short, Float]);
        let n = if self.random.chance(4) { 2 + self.random.below(3) as u8 } else { 1 };
        let ty = Type::Number(s, n);
        let name = self.name("v");
        let (ty, value) = match self.random.below(9) {
            0 => (WORD, format!("uint((ulong)simd_ballot({}))", self.expression(Type::Number(Bool, 1), 2))),
            1 => {
                let f = self.random.pick(&["simd_any", "simd_all", "quad_any", "quad_all"]);
                (Type::Number(Bool, 1), format!("{f}({})", self.expression(Type::Number(Bool, 1), 2)))
            }
            2 => (
                ty,
                format!(
                    "{}({})",
                    self.random.pick(&["simd_broadcast_first", "quad_broadcast_first"]),
                    self.expression(ty, 2)
                ),
            ),
            3 => {
                let f = self.random.pick(&["simd_is_first()", "quad_is_first()"]);
                (Type::Number(Bool, 1), f.into())
            }
            _ if s.is_float() => {
                let f = self.random.pick(&[
                    "simd_sum",
                    "simd_product",
                    "simd_min",
                    "simd_max",
                    "quad_sum",
                    "simd_prefix_inclusive_sum",
                    "simd_prefix_exclusive_sum",
                    "quad_max",
                ]);
                (ty, format!("({f}({}) + {}(0.0f))", self.expression(ty, 2), ty.name()))
            }
            _ => {
                let f = self.random.pick(&[
                    "simd_sum",
                    "simd_product",
                    "simd_min",
                    "simd_max",
                    "simd_and",
                    "simd_or",
                    "simd_xor",
                    "quad_sum",
                    "quad_min",
                    "quad_or",
                    "quad_xor",
                    "quad_and",
                    "simd_prefix_inclusive_sum",
                    "simd_prefix_exclusive_sum",
                    "simd_prefix_inclusive_product",
                    "simd_prefix_exclusive_product",
                    "quad_prefix_inclusive_sum",
                    "quad_prefix_exclusive_sum",
                ]);
                (ty, format!("{f}({})", self.expression(ty, 2)))
            }
        };
        self.line(&format!("{} {name} = {value};", ty.name()));
        self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
    }

    /// `break`, `continue` or `return`, under a condition; none where threads would be missing later.
    fn leave(&mut self) {
        let mut ways = Vec::new();
        if !self.is_uniform {
            if self.can_break {
                ways.push("break;".to_string());
            }
            if self.can_continue {
                ways.push("continue;".into());
            }
            if let (Some(result), true) = (self.result, self.random.chance(2)) {
                ways.push(format!("return {};", self.expression(result, 1)));
            }
            if !self.in_helper && !self.has_barriers && self.random.chance(4) {
                ways.push("{ mine[2] = acc; return; }".into());
            }
        }
        if ways.is_empty() {
            return self.assign();
        }
        let way = ways[self.random.below(ways.len())].clone();
        let c = self.expression(Type::Number(Bool, 1), 2);
        self.line(&format!("if ({c}) {way}"));
    }

    /// The templates of the library.
    fn generic(&mut self) {
        let s = self.random.pick(&[UInt, Int, Float, UShort, Char, ULong, Half]);
        let ty = Type::Number(s, 1);
        let (a, b) = (self.expression(ty, 2), self.expression(ty, 2));
        let name = self.name("v");
        let (ty, value) = if self.random.chance(2) {
            let n = self.random.pick(&[1, 3, 4, 9]);
            (ty, format!("fold<{n}>({}({a}), {}({b}))", ty.name(), ty.name()))
        } else {
            (WORD, format!("swap_digest({}({a}), {}({b}))", ty.name(), ty.name()))
        };
        self.line(&format!("{} {name} = {value};", ty.name()));
        self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
    }

    /// Standard functions that give two results.
    fn out_parameter(&mut self) {
        let s = self.random.pick(&[Float, Float, Half]);
        let n = 1 + self.random.below(4) as u8;
        let ty = Type::Number(s, n);
        let x = self.expression(ty, 2);
        let (whole, part) = (self.name("v"), self.name("v"));
        match self.random.below(3) {
            0 => {
                self.line(&format!("{} {whole};", ty.name()));
                self.line(&format!("{} {part} = modf({x}, {whole});", ty.name()));
                self.variables.push(Variable { name: whole, storage: Storage::Value(ty), is_assignable: true });
            }
            1 => {
                self.line(&format!("{} {whole};", ty.name()));
                self.line(&format!("{} {part} = sincos({x}, {whole});", ty.name()));
                self.variables.push(Variable { name: whole, storage: Storage::Value(ty), is_assignable: true });
            }
            _ => {
                // The exponent of what is not finite is unspecified.
                let int = Type::Number(Int, n);
                self.line(&format!("{} {whole};", int.name()));
                self.line(&format!(
                    "{} {part} = frexp(select({}(0.75f), {x}, isfinite({x})), {whole});",
                    ty.name(),
                    ty.name()
                ));
                self.variables.push(Variable { name: whole, storage: Storage::Value(int), is_assignable: true });
            }
        }
        self.variables.push(Variable { name: part, storage: Storage::Value(ty), is_assignable: true });
    }

    /// A condition, and whether all threads of the threadgroup agree on it.
    fn test(&mut self) -> (String, bool) {
        if self.random.chance(3) && !self.uniform.is_empty() {
            let at = self.random.below(self.uniform.len());
            let u = self.uniform[at].clone();
            let bound = self.random.pick(&["0u", "1u", "2u", "5u", "31u", "200u"]);
            let op = self.random.pick(&["<", ">", "==", "!="]);
            return (format!("({u} & 255u) {op} {bound}"), true);
        }
        (self.expression(Type::Number(Bool, 1), 3), false)
    }

    fn branch(&mut self, depth: u32) {
        let was_uniform = self.is_uniform;
        let (c, is_uniform) = self.test();
        self.is_uniform &= is_uniform;
        self.line(&format!("if ({c}) {{"));
        self.block(depth - 1);
        match self.random.below(4) {
            0 | 1 => {
                self.line("} else {");
                self.block(depth - 1);
            }
            2 => {
                let (c, is_uniform) = self.test();
                self.is_uniform &= is_uniform;
                self.line(&format!("}} else if ({c}) {{"));
                self.block(depth - 1);
                self.line("} else {");
                self.block(depth - 1);
            }
            _ => {}
        }
        self.line("}");
        self.is_uniform = was_uniform;
    }

    /// A loop with few rounds.
    fn counted_loop(&mut self, depth: u32) {
        let was = (self.is_uniform, self.can_break, self.can_continue);
        let trips = if self.loops > 0 { 3 } else { 7 };
        let (limit, is_uniform) = match self.random.below(3) {
            0 => ((1 + self.random.below(trips)).to_string() + "u", true),
            1 if !self.uniform.is_empty() => {
                let at = self.random.below(self.uniform.len());
                (format!("({} & {trips}u)", self.uniform[at].clone()), true)
            }
            _ => (format!("({} & {trips}u)", self.expression(WORD, 2)), false),
        };
        // Either all threads stay together, or any of them may leave.
        self.is_uniform &= is_uniform && self.random.chance(2);
        (self.can_break, self.can_continue) = (!self.is_uniform, !self.is_uniform);
        self.loops += 1;
        let j = self.name("j");
        let counter = Variable { name: j.clone(), storage: Storage::Value(WORD), is_assignable: false };
        let outer = self.variables.len();
        let uniform = self.uniform.len();
        // What the limit is made of may change in the loop: it is fixed before.
        let l = self.name("limit");
        self.line(&format!("const uint {l} = {limit};"));
        match self.random.below(5) {
            0 => {
                self.line(&format!("for (uint {j} = {l}; {j}-- > 0u;) {{"));
                self.variables.push(counter);
                if self.is_uniform {
                    self.uniform.push(j);
                }
                self.block(depth - 1);
                self.line("}");
            }
            1 => {
                self.line(&format!("uint {j} = 0;"));
                self.line(&format!("while ({j} < {l}) {{"));
                self.line(&format!("  {j}++;"));
                self.variables.push(counter);
                if self.is_uniform {
                    self.uniform.push(j);
                }
                self.block(depth - 1);
                self.line("}");
            }
            2 => {
                self.line(&format!("uint {j} = 0;"));
                self.line("do {");
                self.variables.push(counter);
                if self.is_uniform {
                    self.uniform.push(j.clone());
                }
                self.block(depth - 1);
                self.line(&format!("}} while (++{j} < {l});"));
            }
            3 => {
                self.line(&format!("for (uint {j} = 0; ; ++{j}) {{"));
                self.line(&format!("  if ({j} >= {l}) break;"));
                self.variables.push(counter);
                if self.is_uniform {
                    self.uniform.push(j);
                }
                self.block(depth - 1);
                self.line("}");
            }
            _ => {
                if self.random.chance(4) {
                    self.line("#pragma unroll");
                }
                self.line(&format!("for (uint {j} = 0; {j} < {l}; {j} += 1) {{"));
                self.variables.push(counter);
                if self.is_uniform {
                    self.uniform.push(j);
                }
                self.block(depth - 1);
                self.line("}");
            }
        }
        self.variables.truncate(outer);
        self.uniform.truncate(uniform);
        self.loops -= 1;
        (self.is_uniform, self.can_break, self.can_continue) = was;
    }

    fn switch(&mut self, depth: u32) {
        let was = (self.is_uniform, self.can_break);
        let (value, is_uniform) = if self.random.chance(3) && !self.uniform.is_empty() {
            let at = self.random.below(self.uniform.len());
            (self.uniform[at].clone(), true)
        } else {
            (self.expression(WORD, 2), false)
        };
        self.is_uniform &= is_uniform && self.random.chance(2);
        self.can_break = !self.is_uniform;
        self.line(&format!("switch (({value}) & 7u) {{"));
        let mut labels = vec![0, 1, 2, 3, 4, 5, 6, 7];
        let cases = 2 + self.random.below(3);
        let default_at = self.random.below(cases + 1);
        for at in 0..cases {
            if at == default_at {
                self.line("default:");
            }
            for _ in 0..1 + self.random.below(2) {
                let label = labels.remove(self.random.below(labels.len()));
                self.line(&format!("case {label}:"));
            }
            self.line("{");
            self.block(depth - 1);
            self.line("}");
            // Otherwise it falls through.
            if !self.random.chance(3) {
                self.line("break;");
            }
        }
        self.line("}");
        (self.is_uniform, self.can_break) = was;
    }

    fn call(&mut self) {
        if self.helpers.is_empty() {
            return self.assign();
        }
        let helper = self.helpers[self.random.below(self.helpers.len())].clone();
        let mut arguments = vec!["words".to_string(), "tid".into(), "lane".into()];
        for parameter in &helper.params {
            let argument = match *parameter {
                Parameter::Value(ty) => self.expression(ty, 2),
                Parameter::Struct(s) | Parameter::StructReference(s) => {
                    let found = self
                        .variables
                        .iter()
                        .rev()
                        .find(|v| v.is_assignable && v.storage == Storage::Struct(s))
                        .map(|v| v.name.clone());
                    match found {
                        Some(name) => name,
                        None => {
                            let name = self.name("v");
                            let value = self.initializer(&Storage::Struct(s), 2);
                            self.line(&format!("S{s} {name} = {value};"));
                            let storage = Storage::Struct(s);
                            self.variables.push(Variable { name: name.clone(), storage, is_assignable: true });
                            name
                        }
                    }
                }
                Parameter::Reference(ty) => {
                    let wanted = Storage::Value(ty);
                    let found = self
                        .variables
                        .iter()
                        .rev()
                        .find(|v| v.is_assignable && v.storage == wanted)
                        .map(|v| v.name.clone());
                    match found {
                        Some(name) => name,
                        None => self.declare_value(ty),
                    }
                }
            };
            arguments.push(argument);
        }
        let name = self.name("v");
        self.line(&format!("{} {name} = {}({});", helper.result.name(), helper.name, arguments.join(", ")));
        let storage = Storage::Value(helper.result);
        self.variables.push(Variable { name, storage, is_assignable: true });
    }

    // ---- what needs all threads --------------------------------------------------------------

    /// Threads of the threadgroup or simdgroup that see each other; only where all of them are.
    pub fn together(&mut self) {
        match self.random.below(8) {
            0 | 1 => {
                let ty = self.tile;
                let value = self.expression(ty, 2);
                let from = self.expression(WORD, 2);
                let name = self.name("v");
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line(&format!("tile1[tid] = {value};"));
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line(&format!("{} {name} = tile1[({from}) % count];", ty.name()));
                self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
            }
            2 => {
                let (value, from) = (self.expression(WORD, 2), self.expression(WORD, 1));
                self.line(&format!("acc ^= neighbor(tile0, {value}, tid, ({from}) % count);"));
            }
            3 => {
                // A tree in a loop that is uniform.
                let value = self.expression(WORD, 2);
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line(&format!("tile0[tid] = {value};"));
                let start = self.count.next_power_of_two() / 2;
                let s = self.name("s");
                self.line(&format!("for (uint {s} = {start}u; {s} > 0; {s} /= 2) {{"));
                self.line("  threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line(&format!(
                    "  if (tid < {s} && tid + {s} < count) tile0[tid] = tile0[tid] * 3u + tile0[tid + {s}];"
                ));
                self.line("}");
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line("acc += tile0[0];");
            }
            4 => {
                let (at, value) = (self.index(8), self.expression(WORD, 2));
                let op = self.random.pick(&["add", "max", "xor", "or"]);
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                self.line(
                    "for (uint c = tid; c < 8; c += count) atomic_store_explicit(&cells[c], c, memory_order_relaxed);",
                );
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                let (c, _) = self.test();
                self.line(&format!(
                    "if ({c}) atomic_fetch_{op}_explicit(&cells[{at}], {value}, memory_order_relaxed);"
                ));
                self.line("threadgroup_barrier(mem_flags::mem_threadgroup);");
                let at = self.index(8);
                self.line(&format!("acc ^= atomic_load_explicit(&cells[{at}], memory_order_relaxed);"));
            }
            5 if self.is_one_dimensional => {
                let (at, from) = (self.index(16), self.expression(WORD, 1));
                self.line("threadgroup_barrier(mem_flags::mem_device);");
                self.line(&format!("acc += out[(i - tid + ({from}) % count) * {WORDS}u + ({at})];"));
                self.line("threadgroup_barrier(mem_flags::mem_device);");
            }
            _ => {
                let s = self.random.pick(&[UInt, Int, Float, Half, UShort, Float, ULong]);
                let n = if s != ULong && self.random.chance(3) { 2 + self.random.below(3) as u8 } else { 1 };
                let ty = Type::Number(s, n);
                let (x, e) = (self.name("v"), self.expression(ty, 2));
                self.line(&format!("{} {x} = {e};", ty.name()));
                let k = 1 + self.random.below(31);
                let value = match self.random.below(6) {
                    0 => format!("simd_shuffle({x}, ushort(({}) % lanes))", self.expression(WORD, 2)),
                    1 => format!("simd_broadcast({x}, ushort({k}u % lanes))"),
                    2 => format!("((lane ^ {k}u) < lanes ? simd_shuffle_xor({x}, {k}) : {x})"),
                    3 => format!("simd_shuffle_up({x}, {k})"),
                    4 => format!("simd_shuffle_down({x}, {k})"),
                    _ => format!("((lane | 3u) < lanes ? quad_shuffle_xor({x}, {}) : {x})", k % 4),
                };
                // Where a source may be absent, all threads read first and some forget it.
                let y = self.name("v");
                match value.strip_prefix("((") {
                    Some(rest) => {
                        let (c, rest) = rest.split_once(" ? ").unwrap();
                        let (call, _) = rest.split_once(" : ").unwrap();
                        self.line(&format!("{} {y} = {call};", ty.name()));
                        self.line(&format!("if (!(({c})) {y} = {x};"));
                    }
                    None if value.contains("_down") => {
                        self.line(&format!("{} {y} = {value};", ty.name()));
                        self.line(&format!("if (lane + {k}u >= lanes) {y} = {x};"));
                    }
                    None => self.line(&format!("{} {y} = {value};", ty.name())),
                }
                for name in [x, y] {
                    self.variables.push(Variable { name, storage: Storage::Value(ty), is_assignable: true });
                }
            }
        }
    }
}
