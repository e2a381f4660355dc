//! Module → text. The grammar is in the documentation of [`text`](crate::text).

use std::collections::HashMap;
use std::fmt::{self, Write};

use half::{bf16, f16};
use msl_base::{Arena, Symbol};

use super::names::{Spelled, is_plain_name};
use crate::*;

/// The whole module.
pub fn print(module: &Module) -> String {
    Printer::new(module, false).module()
}

/// The whole module, each line of an instruction ending in a comment with its span.
pub fn print_with_spans(module: &Module) -> String {
    Printer::new(module, true).module()
}

/// One function.
pub fn print_function(module: &Module, function: FunctionId) -> String {
    let mut p = Printer::new(module, false);
    p.function(function);
    p.out
}

/// One instruction on one line, `…` in place of nested blocks. Works on malformed functions.
pub fn print_inst(module: &Module, function: &Function, value: ValueId) -> String {
    let mut p = Printer::new(module, false);
    p.brief = true;
    match function.insts.get(value) {
        Some(_) => p.inst(function, value),
        None => p.put(format_args!("{value}: missing instruction")),
    }
    p.out.trim().to_owned()
}

/// A type, with structures by name.
pub fn print_type(module: &Module, ty: TypeId) -> String {
    let mut p = Printer::new(module, false);
    p.ty(ty);
    p.out
}

/// A string literal of the text form.
pub(super) fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

struct Printer<'m> {
    module: &'m Module,
    out: String,
    indent: usize,
    spans: bool,
    brief: bool,
    type_count: usize,
    struct_names: HashMap<Symbol, u32>,
    global_names: HashMap<Symbol, u32>,
    function_names: HashMap<Symbol, u32>,
}

fn count<I: msl_base::Id, T>(items: &Arena<I, T>, name: impl Fn(&T) -> Symbol) -> HashMap<Symbol, u32> {
    let mut counts = HashMap::new();
    for item in items.values() {
        *counts.entry(name(item)).or_insert(0) += 1;
    }
    counts
}

impl<'m> Printer<'m> {
    fn new(module: &'m Module, spans: bool) -> Printer<'m> {
        Printer {
            module,
            out: String::new(),
            indent: 0,
            spans,
            brief: false,
            type_count: module.types.iter().count(),
            struct_names: count(module.types.structs(), |s| s.name),
            global_names: count(&module.globals, |g| g.name),
            function_names: count(&module.functions, |f| f.name),
        }
    }

    fn put(&mut self, args: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(args);
    }
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }
    fn start_line(&mut self) {
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
    }

    fn module(mut self) -> String {
        for id in self.module.types.structs().ids() {
            self.structure(id);
        }
        for (id, global) in self.module.globals.iter() {
            self.text("global ");
            self.declared(global.name, &id, unique(&self.global_names, global.name));
            self.text(": ");
            self.ty(global.ty);
            self.put(format_args!(" {} align {}", global.space.name(), global.align));
            if let Some(bytes) = &global.init {
                self.text(" = x\"");
                for b in bytes {
                    self.put(format_args!("{b:02x}"));
                }
                self.text("\"");
            }
            // `, 8: @table 4` is the address of a place in another constant.
            for p in &global.pointers {
                self.put(format_args!(", {}: ", p.offset));
                self.global_ref(p.target);
                self.put(format_args!(" {}", p.addend));
            }
            self.text("\n");
        }
        for id in self.module.functions.ids() {
            if !self.out.is_empty() {
                self.text("\n");
            }
            self.function(id);
        }
        for entry in &self.module.entry_points {
            self.entry_point(entry);
        }
        self.out
    }

    /// `name`, or `id "name"` where the name cannot identify the thing.
    fn declared(&mut self, name: Symbol, id: &dyn fmt::Display, is_unique: bool) {
        if is_unique {
            self.put(format_args!("{name}"));
        } else {
            self.put(format_args!("{id} {}", quote(name.as_str())));
        }
    }
    /// A name that identifies nothing.
    fn label(&mut self, name: Symbol) {
        if is_plain_name(name.as_str()) {
            self.text(name.as_str());
        } else {
            self.text(&quote(name.as_str()));
        }
    }

    fn structure(&mut self, id: StructId) {
        let s = self.module.types.structure(id);
        self.text("struct ");
        self.declared(s.name, &id, unique(&self.struct_names, s.name));
        self.put(format_args!(" size {} align {} {{\n", s.size, s.align));
        for field in &s.fields {
            self.text("  ");
            self.label(field.name);
            self.text(": ");
            self.ty(field.ty);
            self.put(format_args!(" @{}\n", field.offset));
        }
        self.text("}\n");
    }

    fn ty(&mut self, ty: TypeId) {
        if ty.0 as usize >= self.type_count {
            // Only in messages about malformed modules.
            return self.put(format_args!("{ty}"));
        }
        match *self.module.types.get(ty) {
            Type::Void => self.text("void"),
            Type::Scalar(s) => self.text(s.name()),
            Type::Vector { elem, len, packed } => {
                let packed = if packed { "packed_" } else { "" };
                self.put(format_args!("{packed}vec{len}<{}>", elem.name()));
            }
            Type::Array { elem, len } => {
                self.text("array<");
                self.ty(elem);
                self.put(format_args!(", {len}>"));
            }
            Type::Struct(s) => match self.module.types.structs().get(s) {
                Some(def) if unique(&self.struct_names, def.name) => self.text(def.name.as_str()),
                _ => self.put(format_args!("{s}")),
            },
            Type::Pointer { space, pointee } => {
                self.put(format_args!("ptr<{}, ", space.name()));
                self.ty(pointee);
                self.text(">");
            }
        }
    }

    fn function_ref(&mut self, id: FunctionId) {
        match self.module.functions.get(id) {
            Some(f) if unique(&self.function_names, f.name) => self.put(format_args!("@{}", f.name)),
            _ => self.put(format_args!("{id}")),
        }
    }
    fn global_ref(&mut self, id: GlobalId) {
        match self.module.globals.get(id) {
            Some(g) if unique(&self.global_names, g.name) => self.put(format_args!("@{}", g.name)),
            _ => self.put(format_args!("{id}")),
        }
    }

    fn function(&mut self, id: FunctionId) {
        let function = &self.module.functions[id];
        self.text("fn ");
        self.declared(function.name, &id, unique(&self.function_names, function.name));
        self.text("(");
        for (i, &p) in function.params.iter().enumerate() {
            if i > 0 {
                self.text(", ");
            }
            self.ty(p);
        }
        self.text(") -> ");
        self.ty(function.ret);
        self.text(" {\n");
        self.indent = 1;
        for (id, local) in function.locals.iter() {
            self.put(format_args!("  {id} "));
            self.label(local.name);
            self.text(": ");
            self.ty(local.ty);
            self.put(format_args!(" align {}\n", local.align));
        }
        for &v in &function.body.insts {
            self.inst(function, v);
        }
        self.indent = 0;
        self.text("}\n");
    }

    /// ` {`, the instructions, `}`; no line end.
    fn block(&mut self, function: &Function, block: &Block) {
        if self.brief {
            return self.text(" { … }");
        }
        self.text(" {\n");
        self.indent += 1;
        for &v in &block.insts {
            self.inst(function, v);
        }
        self.indent -= 1;
        self.start_line();
        self.text("}");
    }

    fn operands(&mut self, list: &[ValueId]) {
        for (i, v) in list.iter().enumerate() {
            self.put(format_args!("{}{v}", if i > 0 { ", " } else { " " }));
        }
    }

    fn inst(&mut self, function: &Function, value: ValueId) {
        self.start_line();
        let Some(inst) = function.insts.get(value) else {
            return self.put(format_args!("{value}: missing instruction\n"));
        };
        if self.module.types.find(&Type::Void) != Some(inst.ty) {
            self.put(format_args!("{value}: "));
            self.ty(inst.ty);
            self.text(" = ");
        }
        self.op(function, inst);
        if self.spans && !inst.span.is_none() {
            self.put(format_args!(" // {}..{}", inst.span.start, inst.span.end));
        }
        self.text("\n");
    }

    fn op(&mut self, function: &Function, inst: &Inst) {
        let flags = match inst.fp {
            FpFlags::STRICT => String::new(),
            FpFlags::CONTRACT => ".contract".to_owned(),
            FpFlags::FAST => ".fast".to_owned(),
            FpFlags(bits) => format!(".fp{bits}"),
        };
        let f = flags.as_str();
        match &inst.op {
            Op::Const(bits) => {
                let text = constant(&self.module.types, inst.ty, *bits);
                self.put(format_args!("const{f} {text}"));
            }
            Op::Undef => self.put(format_args!("undef{f}")),
            Op::Splat(a) => self.put(format_args!("splat{f} {a}")),
            Op::Compose(list) => {
                self.put(format_args!("compose{f}"));
                self.operands(list);
            }
            Op::Extract { vector, index } => self.put(format_args!("extract{f} {vector}, {index}")),
            Op::ExtractDynamic { vector, index } => self.put(format_args!("extract_dyn{f} {vector}, {index}")),
            Op::Insert { vector, value, index } => self.put(format_args!("insert{f} {vector}, {value}, {index}")),
            Op::InsertDynamic { vector, value, index } => {
                self.put(format_args!("insert_dyn{f} {vector}, {value}, {index}"));
            }
            Op::Shuffle { vector, components } => self.put(format_args!("shuffle{f} {vector}, {components:?}")),
            Op::Unary(op, a) => self.put(format_args!("{}{f} {a}", op.spelling())),
            Op::Binary(op, a, b) => self.put(format_args!("{}{f} {a}, {b}", op.spelling())),
            Op::Compare(op, a, b) => self.put(format_args!("{}{f} {a}, {b}", op.spelling())),
            Op::Select { condition, a, b } => self.put(format_args!("select{f} {condition}, {a}, {b}")),
            Op::Fma(a, b, c) => self.put(format_args!("fma{f} {a}, {b}, {c}")),
            Op::Convert(a) => self.put(format_args!("convert{f} {a}")),
            Op::Bitcast(a) => self.put(format_args!("bitcast{f} {a}")),
            Op::Param(n) => self.put(format_args!("param{f} {n}")),
            Op::LocalAddr(l) => self.put(format_args!("local_addr{f} {l}")),
            Op::GlobalAddr(g) => {
                self.put(format_args!("global_addr{f} "));
                self.global_ref(*g);
            }
            Op::FieldAddr { base, field } => self.put(format_args!("field_addr{f} {base}, {field}")),
            Op::IndexAddr { base, index } => self.put(format_args!("index_addr{f} {base}, {index}")),
            Op::PtrOffset { base, offset } => self.put(format_args!("ptr_offset{f} {base}, {offset}")),
            Op::PtrCast(a) => self.put(format_args!("ptr_cast{f} {a}")),
            Op::PtrDiff(a, b) => self.put(format_args!("ptr_diff{f} {a}, {b}")),
            Op::PtrToInt(a) => self.put(format_args!("ptr_to_int{f} {a}")),
            Op::IntToPtr(a) => self.put(format_args!("int_to_ptr{f} {a}")),
            Op::AssumeValid(a) => self.put(format_args!("assume_valid{f} {a}")),
            Op::Load { ptr, align, volatile } => {
                self.put(format_args!("load{}{f} {ptr} align {align}", volatile_suffix(*volatile)));
            }
            Op::Store { ptr, value, align, volatile } => {
                self.put(format_args!("store{}{f} {ptr}, {value} align {align}", volatile_suffix(*volatile)));
            }
            Op::Copy { dst, src, align } => self.put(format_args!("copy{f} {dst}, {src} align {align}")),
            Op::Atomic { op, ptr, value, space } => {
                self.put(format_args!("atomic.{}{f} {ptr}", op.spelling()));
                if let Some(v) = value {
                    self.put(format_args!(", {v}"));
                }
                self.put(format_args!(" {}", space.spelling()));
            }
            Op::CompareExchange { ptr, expected, desired, space } => {
                let space = space.spelling();
                self.put(format_args!("compare_exchange{f} {ptr}, {expected}, {desired} {space}"));
            }
            Op::Fence { scope, flags } => {
                self.put(format_args!("fence{f} {} {}", scope.spelling(), mem_flags(*flags)));
            }
            Op::Builtin(b) => self.put(format_args!("builtin{f} {}", b.spelling())),
            Op::Barrier { scope, flags } => {
                self.put(format_args!("barrier{f} {} {}", scope.spelling(), mem_flags(*flags)));
            }
            Op::Simd(op, list) => {
                self.put(format_args!("simd.{}{f}", op.spelling()));
                self.operands(list);
            }
            Op::Log { format, args } => {
                self.put(format_args!("log{f} "));
                self.global_ref(*format);
                for a in args {
                    self.put(format_args!(", {a}"));
                }
            }
            Op::Trap(message) => self.put(format_args!("trap{f} {}", quote(message.as_str()))),
            Op::Call { function: callee, args } => {
                self.put(format_args!("call{f} "));
                self.function_ref(*callee);
                self.text("(");
                for (i, a) in args.iter().enumerate() {
                    self.put(format_args!("{}{a}", if i > 0 { ", " } else { "" }));
                }
                self.text(")");
            }
            Op::If { condition, then, otherwise } => {
                self.put(format_args!("if{f} {condition}"));
                self.block(function, then);
                if !otherwise.insts.is_empty() {
                    self.text(" else");
                    self.block(function, otherwise);
                }
            }
            Op::Loop { label, body, continuing, hint } => {
                self.put(format_args!("loop{f} {label}"));
                match hint {
                    LoopHint::None => {}
                    LoopHint::Unroll(n) => self.put(format_args!(" unroll {n}")),
                    LoopHint::NoUnroll => self.text(" no_unroll"),
                }
                self.block(function, body);
                if !continuing.insts.is_empty() {
                    self.text(" continuing");
                    self.block(function, continuing);
                }
            }
            Op::Switch { label, value, cases } => {
                self.put(format_args!("switch{f} {label} {value} {{\n"));
                self.indent += 1;
                for case in cases {
                    self.start_line();
                    self.text("case");
                    let mut separator = " ";
                    for v in &case.values {
                        self.put(format_args!("{separator}{v}"));
                        separator = ", ";
                    }
                    if case.is_default {
                        self.put(format_args!("{separator}default"));
                    }
                    self.block(function, &case.body);
                    self.text("\n");
                }
                self.indent -= 1;
                self.start_line();
                self.text("}");
            }
            Op::Scope { label, body } => {
                self.put(format_args!("scope{f} {label}"));
                self.block(function, body);
            }
            Op::Break(label) => self.put(format_args!("break{f} {label}")),
            Op::Continue(label) => self.put(format_args!("continue{f} {label}")),
            Op::Return(None) => self.put(format_args!("return{f}")),
            Op::Return(Some(v)) => self.put(format_args!("return{f} {v}")),
            Op::Unreachable => self.put(format_args!("unreachable{f}")),
        }
    }

    fn entry_point(&mut self, entry: &EntryPoint) {
        self.text("\nkernel ");
        self.label(entry.name);
        self.text(" = ");
        self.function_ref(entry.function);
        if let Some(n) = entry.max_total_threads {
            self.put(format_args!(" max_threads {n}"));
        }
        if let Some(n) = entry.required_threads {
            self.put(format_args!(" required_threads {n:?}"));
        }
        self.text(" {\n");
        for param in &entry.params {
            self.text("  ");
            self.label(param.name);
            match &param.kind {
                ParamKind::Buffer { is_constant, is_reference, element } => {
                    let space = if *is_constant { "constant" } else { "device" };
                    let reference = if *is_reference { " reference" } else { "" };
                    let access = param.access.spelling();
                    self.put(format_args!(": buffer {} {space}{reference} {access} ", param.index));
                    self.host_type(element);
                }
                ParamKind::Threadgroup { element } => {
                    self.put(format_args!(": threadgroup {} {} ", param.index, param.access.spelling()));
                    self.host_type(element);
                }
                ParamKind::Texture { dimension, component, array_len } => self.put(format_args!(
                    ": texture {} {} {} {} {array_len}",
                    param.index,
                    param.access.spelling(),
                    dimension.spelling(),
                    component.name(),
                )),
                ParamKind::Sampler => self.put(format_args!(": sampler {} {}", param.index, param.access.spelling())),
            }
            self.text(if param.used { "\n" } else { " unused\n" });
        }
        self.text("}\n");
    }

    fn host_type(&mut self, ty: &HostType) {
        match ty {
            HostType::Scalar(s) => self.text(s.name()),
            HostType::Vector { elem, len, size } => self.put(format_args!("vec{len}<{}, {size}>", elem.name())),
            HostType::Matrix { elem, columns, rows, size } => {
                self.put(format_args!("matrix<{}, {columns}, {rows}, {size}>", elem.name()));
            }
            HostType::Array { elem, len, stride } => {
                self.text("array<");
                self.host_type(elem);
                self.put(format_args!(", {len}, {stride}>"));
            }
            HostType::Struct { name, size, align, fields } => {
                self.text("struct ");
                self.label(*name);
                self.put(format_args!(" size {size} align {align} {{"));
                for field in fields {
                    self.text(" ");
                    self.label(field.name);
                    self.text(": ");
                    self.host_type(&field.ty);
                    self.put(format_args!(" @{}", field.offset));
                }
                self.text(" }");
            }
            HostType::Pointer => self.text("pointer"),
            HostType::Texture => self.text("texture"),
            HostType::Sampler => self.text("sampler"),
            HostType::FunctionTable { function } => {
                self.text("function_table<");
                self.label(*function);
                self.text(">");
            }
            HostType::Other { size, align } => self.put(format_args!("other<{size}, {align}>")),
        }
    }
}

fn unique(counts: &HashMap<Symbol, u32>, name: Symbol) -> bool {
    counts.get(&name) == Some(&1) && is_plain_name(name.as_str())
}

fn volatile_suffix(volatile: bool) -> &'static str {
    if volatile { ".volatile" } else { "" }
}

fn mem_flags(flags: MemFlags) -> String {
    let mut names = Vec::new();
    for (bit, name) in [(1, "device"), (2, "threadgroup"), (4, "texture")] {
        if flags.0 & bit != 0 {
            names.push(name);
        }
    }
    format!("[{}]", names.join(" "))
}

/// A constant such that the parser finds the same bits again: hexadecimal wherever decimal would not do.
fn constant(types: &TypeTable, ty: TypeId, bits: u64) -> String {
    let hex = format!("0x{bits:x}");
    let Some(scalar) = types.scalar_of(ty) else { return if bits == 0 { "0".into() } else { hex } };
    if scalar.bits() < 64 && bits >> scalar.bits() != 0 {
        return hex;
    }
    let float = |x: f32| if x.is_finite() { format!("{x:?}") } else { hex.clone() };
    match scalar {
        Scalar::Bool => if bits == 0 { "false" } else { "true" }.into(),
        Scalar::I8 => (bits as i8).to_string(),
        Scalar::I16 => (bits as i16).to_string(),
        Scalar::I32 => (bits as i32).to_string(),
        Scalar::I64 => (bits as i64).to_string(),
        Scalar::U8 | Scalar::U16 | Scalar::U32 | Scalar::U64 => bits.to_string(),
        Scalar::F16 => float(f16::from_bits(bits as u16).to_f32()),
        Scalar::BF16 => float(bf16::from_bits(bits as u16).to_f32()),
        Scalar::F32 => float(f32::from_bits(bits as u32)),
    }
}
