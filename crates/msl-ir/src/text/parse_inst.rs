//! Text → instructions of one function.
//!
//! Values get provisional ids in the order of the text; at the end, numbered names take the id
//! they state and everything else the ids that are left, so that printing gives them back.

use std::collections::{HashMap, HashSet};

use half::{bf16, f16};
use msl_base::{Arena, Id, Span, Symbol};

use super::lex::Token;
use super::names::{Spelled, numbered};
use super::parse::{ParseError, Parser};
use crate::*;

/// Of nested blocks, against overflow of the stack.
const MAX_DEPTH: u32 = 200;
/// Above this, a numbered value is taken for a mistake rather than allocated for.
const MAX_VALUE: u32 = 1 << 24;

struct Body<'p> {
    p: &'p mut Parser,
    function: Function,
    values: HashMap<String, ValueId>,
    /// By provisional id: the number a name states.
    wanted: Vec<Option<u32>>,
    locals: HashMap<String, LocalId>,
    labels: HashMap<String, LabelId>,
}

pub(super) fn parse_body(
    p: &mut Parser,
    function: Function,
    params: &[Option<String>],
) -> Result<Function, ParseError> {
    let mut b = Body {
        p,
        function,
        values: HashMap::new(),
        wanted: Vec::new(),
        locals: HashMap::new(),
        labels: HashMap::new(),
    };
    b.p.punct('{')?;
    let mut top = Vec::new();
    for (i, name) in params.iter().enumerate() {
        if let Some(name) = name {
            let ty = b.function.params[i];
            top.push(b.add(Some(name), Op::Param(i as u32), ty, FpFlags::STRICT)?);
        }
    }
    while b.opt_local()? {}
    while !b.p.opt_punct('}') {
        let v = b.inst()?;
        top.push(v);
    }
    // A name in the header that nothing uses stands for nothing.
    let mut used = HashSet::new();
    for inst in b.function.insts.values() {
        inst.op.for_each_operand(|v| {
            used.insert(v);
        });
    }
    let named = params.iter().flatten().count();
    let is_needed = |(i, v): (usize, ValueId)| (i >= named || used.contains(&v)).then_some(v);
    b.function.body = Block { insts: top.into_iter().enumerate().filter_map(is_needed).collect() };
    b.finish()
}

impl Body<'_> {
    fn types(&mut self) -> &mut TypeTable {
        &mut self.p.module.types
    }

    fn add(&mut self, name: Option<&String>, op: Op, ty: TypeId, fp: FpFlags) -> Result<ValueId, ParseError> {
        let id = self.function.insts.push(Inst { op, ty, fp, span: Span::NONE });
        let mut wanted = None;
        if let Some(name) = name {
            if self.values.insert(name.clone(), id).is_some() {
                return self.p.error(format!("%{name} is defined twice"));
            }
            wanted = numbered(name, "");
            if wanted.is_some_and(|n| n >= MAX_VALUE) {
                return self.p.error(format!("the number of %{name} is too large"));
            }
        }
        self.wanted.push(wanted);
        Ok(id)
    }

    /// Renumbers, filling ids that no instruction has with `undef`.
    fn finish(mut self) -> Result<Function, ParseError> {
        let count = self.function.insts.len();
        let highest = self.wanted.iter().flatten().max().map_or(0, |&m| m as usize + 1);
        let mut owner = vec![None; highest.max(count)];
        for (old, wanted) in self.wanted.iter().enumerate() {
            if let Some(n) = wanted {
                owner[*n as usize] = Some(old);
            }
        }
        let mut free = 0;
        for (old, wanted) in self.wanted.iter().enumerate() {
            if wanted.is_none() {
                while owner[free..].first().is_some_and(Option::is_some) {
                    free += 1;
                }
                if free == owner.len() {
                    owner.push(None);
                }
                owner[free] = Some(old);
            }
        }
        while owner.last() == Some(&None) {
            owner.pop();
        }
        let mut new_id = vec![ValueId(0); count];
        for (new, old) in owner.iter().enumerate() {
            if let Some(old) = old {
                new_id[*old] = ValueId::from_index(new);
            }
        }
        let renumber = |v: ValueId| new_id.get(v.index()).copied().unwrap_or(v);
        let void = self.types().void();
        let mut insts: Vec<Option<Inst>> = self.function.insts.values().cloned().map(Some).collect();
        self.function.insts = owner
            .iter()
            .map(|old| {
                let taken = old.and_then(|old| insts[old].take());
                let mut inst = taken.unwrap_or(Inst { op: Op::Undef, ty: void, fp: FpFlags::STRICT, span: Span::NONE });
                inst.op.map_operands(renumber);
                for block in inst.op.blocks_mut() {
                    block.insts.iter_mut().for_each(|v| *v = renumber(*v));
                }
                inst
            })
            .collect::<Arena<ValueId, Inst>>();
        self.function.body.insts.iter_mut().for_each(|v| *v = renumber(*v));
        self.renumber_labels();
        Ok(self.function)
    }

    /// Gives named labels the least numbers that the text does not state.
    fn renumber_labels(&mut self) {
        let mut labels: Vec<LabelId> = self.labels.values().copied().collect();
        labels.sort();
        let stated: HashSet<u32> = labels.iter().map(|l| l.0).filter(|&n| n < MAX_VALUE).collect();
        let mut free = (0..).filter(|n| !stated.contains(n));
        let mut new_id = HashMap::new();
        for label in labels {
            let n = if label.0 < MAX_VALUE { label.0 } else { free.next().unwrap_or(label.0) };
            new_id.insert(label, LabelId(n));
            self.function.next_label = self.function.next_label.max(n + 1);
        }
        for (_, inst) in self.function.insts.iter_mut() {
            match &mut inst.op {
                Op::Loop { label, .. } | Op::Switch { label, .. } | Op::Scope { label, .. } => *label = new_id[label],
                Op::Break(label) | Op::Continue(label) => *label = new_id[label],
                _ => {}
            }
        }
    }

    fn opt_local(&mut self) -> Result<bool, ParseError> {
        let Token::Word(word) = self.p.peek().clone() else { return Ok(false) };
        let next = self.function.locals.len();
        let number = numbered(&word, "local");
        if word != "local" && number.is_none() {
            return Ok(false);
        }
        self.p.next();
        if number.is_some_and(|n| n as usize != next) {
            return self.p.error(format!("this is local{next}"));
        }
        let name = match self.p.next() {
            Token::Word(w) => w,
            Token::Text(t) => t,
            _ => return self.p.error("expected the name of the local"),
        };
        self.p.punct(':')?;
        let ty = self.p.ty()?;
        let align = self.p.opt_align(ty)?;
        let id = self.function.locals.push(Local { name: Symbol::new(&name), ty, align });
        // Where names repeat, the later one hides the earlier; ids always work.
        self.locals.insert(name, id);
        Ok(true)
    }

    fn block(&mut self) -> Result<Block, ParseError> {
        if self.p.depth > MAX_DEPTH {
            return self.p.error_at(self.p.at, "nested too deeply");
        }
        self.p.depth += 1;
        self.p.punct('{')?;
        let mut insts = Vec::new();
        while !self.p.opt_punct('}') {
            insts.push(self.inst()?);
        }
        self.p.depth -= 1;
        Ok(Block { insts })
    }

    // ---- operands ----------------------------------------------------------------------
    fn value(&mut self) -> Result<ValueId, ParseError> {
        match self.p.next() {
            Token::Value(name) => match self.values.get(&name) {
                Some(&v) => Ok(v),
                None => self.p.error(format!("%{name} is not defined here")),
            },
            _ => self.p.error("expected a value"),
        }
    }
    fn comma_value(&mut self) -> Result<ValueId, ParseError> {
        self.p.punct(',')?;
        self.value()
    }
    fn comma_number<T: TryFrom<u64>>(&mut self) -> Result<T, ParseError> {
        self.p.punct(',')?;
        self.p.number()
    }
    fn value_list(&mut self) -> Result<Vec<ValueId>, ParseError> {
        let mut list = Vec::new();
        if matches!(self.p.peek(), Token::Value(_)) && !self.starts_definition() {
            list.push(self.value()?);
            while self.p.opt_punct(',') {
                list.push(self.value()?);
            }
        }
        Ok(list)
    }
    /// Whether the value at hand begins the next instruction: `%1 =` or `%1: f32 =`.
    fn starts_definition(&self) -> bool {
        matches!(self.p.peek(), Token::Value(_)) && matches!(self.p.peek_at(1), Token::Punct('=' | ':'))
    }
    fn label(&mut self) -> Result<LabelId, ParseError> {
        let word = self.p.word("a label")?;
        if let Some(&id) = self.labels.get(&word) {
            return Ok(id);
        }
        let id = match numbered(&word, "l") {
            Some(n) if n < MAX_VALUE => LabelId(n),
            Some(_) => return self.p.error("the number of the label is too large"),
            // Provisional: a name must not take a number that the text states further on.
            None => LabelId(MAX_VALUE + self.labels.len() as u32),
        };
        self.labels.insert(word, id);
        Ok(id)
    }
    fn mem_flags(&mut self) -> Result<MemFlags, ParseError> {
        let mut flags = MemFlags::NONE;
        if self.p.opt_punct('[') {
            while !self.p.opt_punct(']') {
                flags.0 |= match self.p.word("a memory flag")?.as_str() {
                    "device" => MemFlags::DEVICE.0,
                    "threadgroup" => MemFlags::THREADGROUP.0,
                    "texture" => MemFlags::TEXTURE.0,
                    _ => return self.p.error("memory flags are 'device', 'threadgroup' and 'texture'"),
                };
                self.p.opt_punct(',');
            }
        }
        Ok(flags)
    }

    fn ty_of(&self, v: ValueId) -> TypeId {
        self.function.insts[v].ty
    }
    /// The pointee of a pointer value.
    fn pointee(&self, v: ValueId) -> Option<(AddressSpace, TypeId)> {
        self.p.module.types.pointee(self.ty_of(v))
    }
    /// The type with the same shape and another component.
    fn like(&mut self, v: ValueId, elem: Scalar) -> TypeId {
        let ty = self.ty_of(v);
        let len = self.types().component_count(ty).max(1);
        self.types().vector(elem, len)
    }
    /// What a load from the pointer gives.
    fn loaded(&mut self, v: ValueId) -> Option<TypeId> {
        let (_, pointee) = self.pointee(v)?;
        match *self.types().get(pointee) {
            Type::Vector { elem, len, packed: true } => Some(self.types().vector(elem, len)),
            _ => Some(pointee),
        }
    }
    fn align(&mut self, ptr: ValueId) -> Result<u32, ParseError> {
        match self.pointee(ptr) {
            Some((_, ty)) => self.p.opt_align(ty),
            None => self.p.error("expected a pointer"),
        }
    }

    // ---- instructions ------------------------------------------------------------------
    fn inst(&mut self) -> Result<ValueId, ParseError> {
        let start = self.p.at;
        let mut name = None;
        let mut ty = None;
        if let Token::Value(v) = self.p.peek() {
            name = Some(v.clone());
            self.p.next();
            if self.p.opt_punct(':') {
                ty = Some(self.p.ty()?);
            }
            self.p.punct('=')?;
        }
        let word = self.p.word("an instruction")?;
        let (word, fp) = split_flags(&word);
        // Constructs that nest come first: the large frame of `op` must not pile up.
        let (op, implied) = match self.control_op(word)? {
            Some(op) => (op, None),
            None => self.op(word, name.is_some(), ty)?,
        };
        let void = self.types().void();
        let ty = match (ty.or(implied), &name) {
            (Some(ty), _) => ty,
            (None, None) => void,
            (None, Some(_)) => return self.p.error_at(start, "the type must be stated here: '%x: type = …'"),
        };
        if name.is_none()
            && ty != void
            && !matches!(op, Op::Call { .. } | Op::Atomic { .. } | Op::CompareExchange { .. })
        {
            return self.p.error_at(start, "this instruction has a value: '%x = …'");
        }
        // An unnamed call keeps its type: it has a value that nothing uses.
        self.add(name.as_ref(), op, ty, fp)
    }

    /// The operation, and its type where the operands imply it.
    fn op(&mut self, word: &str, has_name: bool, ty: Option<TypeId>) -> Result<(Op, Option<TypeId>), ParseError> {
        if let Some(op) = UnaryOp::from_spelling(word) {
            let a = self.value()?;
            let is_test = matches!(op, UnaryOp::IsNan | UnaryOp::IsInf);
            let implied = if is_test { self.like(a, Scalar::Bool) } else { self.ty_of(a) };
            return Ok((Op::Unary(op, a), Some(implied)));
        }
        if let Some(op) = BinaryOp::from_spelling(word) {
            let (a, b) = (self.value()?, self.comma_value()?);
            return Ok((Op::Binary(op, a, b), Some(self.ty_of(a))));
        }
        if let Some(op) = CompareOp::from_spelling(word) {
            let (a, b) = (self.value()?, self.comma_value()?);
            let implied = self.like(a, Scalar::Bool);
            return Ok((Op::Compare(op, a, b), Some(implied)));
        }
        if let Some(op) = word.strip_prefix("atomic.").and_then(AtomicOp::from_spelling) {
            let ptr = self.value()?;
            let value = if self.p.is_punct(',') { Some(self.comma_value()?) } else { None };
            let space = self.p.spelled("memory scope")?;
            let implied = if op == AtomicOp::Store { None } else { self.loaded(ptr) };
            return Ok((Op::Atomic { op, ptr, value, space }, implied));
        }
        if let Some(op) = word.strip_prefix("simd.").and_then(SimdOp::from_spelling) {
            let args = self.value_list()?;
            let implied = match op {
                SimdOp::Ballot => Some(self.types().scalar(Scalar::U64)),
                SimdOp::IsFirst => Some(self.types().scalar(Scalar::Bool)),
                SimdOp::MatrixMultiply => args.get(2).map(|&a| self.ty_of(a)),
                _ => args.first().map(|&a| self.ty_of(a)),
            };
            return Ok((Op::Simd(op, args), implied));
        }
        if let Some(result) = self.memory_op(word)? {
            return Ok(result);
        }
        Ok(match word {
            "const" => {
                let Some(ty) = ty else { return self.p.error("the type must be stated here: '%x: f32 = const 1.5'") };
                (Op::Const(self.constant(ty)?), None)
            }
            "undef" => (Op::Undef, None),
            "splat" => (Op::Splat(self.value()?), None),
            "compose" => {
                let list = self.value_list()?;
                let implied = list.first().and_then(|&v| {
                    let ty = self.ty_of(v);
                    self.types().scalar_of(ty)
                });
                let len = list.len() as u8;
                let implied = implied.map(|s| self.types().vector(s, len));
                (Op::Compose(list), implied)
            }
            "extract" | "extract_dyn" => {
                let vector = self.value()?;
                let elem = self.element(vector);
                if word == "extract" {
                    (Op::Extract { vector, index: self.comma_number()? }, elem)
                } else {
                    (Op::ExtractDynamic { vector, index: self.comma_value()? }, elem)
                }
            }
            "insert" | "insert_dyn" => {
                let (vector, value) = (self.value()?, self.comma_value()?);
                let implied = Some(self.ty_of(vector));
                if word == "insert" {
                    (Op::Insert { vector, value, index: self.comma_number()? }, implied)
                } else {
                    (Op::InsertDynamic { vector, value, index: self.comma_value()? }, implied)
                }
            }
            "shuffle" => {
                let vector = self.value()?;
                self.p.punct(',')?;
                self.p.punct('[')?;
                let mut components = Vec::new();
                while !self.p.opt_punct(']') {
                    components.push(self.p.number()?);
                    self.p.opt_punct(',');
                }
                let elem = self.element(vector).and_then(|t| self.types().scalar_of(t));
                let len = components.len() as u8;
                (Op::Shuffle { vector, components }, elem.map(|s| self.types().vector(s, len)))
            }
            "select" => {
                let (condition, a, b) = (self.value()?, self.comma_value()?, self.comma_value()?);
                (Op::Select { condition, a, b }, Some(self.ty_of(a)))
            }
            "fma" => {
                let (a, b, c) = (self.value()?, self.comma_value()?, self.comma_value()?);
                (Op::Fma(a, b, c), Some(self.ty_of(a)))
            }
            "convert" => (Op::Convert(self.value()?), None),
            "bitcast" => (Op::Bitcast(self.value()?), None),
            "builtin" => {
                let builtin: Builtin = self.p.spelled("builtin")?;
                let implied = self.types().vector(Scalar::U32, if builtin.is_vector() { 3 } else { 1 });
                (Op::Builtin(builtin), Some(implied))
            }
            "barrier" => (Op::Barrier { scope: self.p.spelled("barrier scope")?, flags: self.mem_flags()? }, None),
            "fence" => (Op::Fence { scope: self.p.spelled("memory scope")?, flags: self.mem_flags()? }, None),
            "log" => {
                let format = self.p.global_ref()?;
                let mut args = Vec::new();
                while self.p.opt_punct(',') {
                    args.push(self.value()?);
                }
                (Op::Log { format, args }, None)
            }
            "trap" => match self.p.next() {
                Token::Text(t) => (Op::Trap(Symbol::new(&t)), None),
                _ => return self.p.error("expected the message as a string"),
            },
            "call" => {
                let function = self.p.function_ref()?;
                self.p.punct('(')?;
                let args = self.value_list()?;
                self.p.punct(')')?;
                let ret = self.p.module.functions[function].ret;
                (Op::Call { function, args }, Some(ret))
            }
            _ => {
                let what = if has_name { "operation" } else { "instruction" };
                return self.p.error(format!("unknown {what} '{word}'"));
            }
        })
    }

    fn element(&mut self, vector: ValueId) -> Option<TypeId> {
        let ty = self.ty_of(vector);
        let elem = self.types().scalar_of(ty)?;
        Some(self.types().scalar(elem))
    }

    fn memory_op(&mut self, word: &str) -> Result<Option<(Op, Option<TypeId>)>, ParseError> {
        Ok(Some(match word {
            "param" => {
                let n: u32 = self.p.number()?;
                let implied = self.function.params.get(n as usize).copied();
                (Op::Param(n), implied)
            }
            "local_addr" => {
                let word = self.p.word("a local")?;
                let by_number = numbered(&word, "local").map(LocalId);
                let Some(id) = by_number.or_else(|| self.locals.get(&word).copied()) else {
                    return self.p.error(format!("unknown local '{word}'"));
                };
                let implied = self.function.locals.get(id).map(|l| l.ty);
                (Op::LocalAddr(id), implied.map(|ty| self.types().pointer(AddressSpace::Thread, ty)))
            }
            "global_addr" => {
                let id = self.p.global_ref()?;
                // Globals are parsed before bodies.
                let (space, ty) =
                    self.p.module.globals.get(id).map_or((AddressSpace::Constant, None), |g| (g.space, Some(g.ty)));
                (Op::GlobalAddr(id), ty.map(|ty| self.types().pointer(space, ty)))
            }
            "field_addr" => {
                let base = self.value()?;
                let field: u32 = self.comma_number()?;
                let mut implied = None;
                if let Some((space, pointee)) = self.pointee(base)
                    && let Type::Struct(s) = *self.types().get(pointee)
                    && let Some(ty) = self.types().structure(s).fields.get(field as usize).map(|f| f.ty)
                {
                    implied = Some(self.types().pointer(space, ty));
                }
                (Op::FieldAddr { base, field }, implied)
            }
            "index_addr" => {
                let (base, index) = (self.value()?, self.comma_value()?);
                let mut implied = None;
                if let Some((space, pointee)) = self.pointee(base) {
                    let elem = match *self.types().get(pointee) {
                        Type::Array { elem, .. } => Some(elem),
                        Type::Vector { elem, .. } => Some(self.types().scalar(elem)),
                        _ => None,
                    };
                    implied = elem.map(|elem| self.types().pointer(space, elem));
                }
                (Op::IndexAddr { base, index }, implied)
            }
            "ptr_offset" => {
                let (base, offset) = (self.value()?, self.comma_value()?);
                (Op::PtrOffset { base, offset }, Some(self.ty_of(base)))
            }
            "ptr_cast" => (Op::PtrCast(self.value()?), None),
            "ptr_diff" => {
                let (a, b) = (self.value()?, self.comma_value()?);
                (Op::PtrDiff(a, b), Some(self.types().scalar(Scalar::I64)))
            }
            "ptr_to_int" => (Op::PtrToInt(self.value()?), Some(self.types().scalar(Scalar::U64))),
            "int_to_ptr" => (Op::IntToPtr(self.value()?), None),
            "assume_valid" => {
                let a = self.value()?;
                (Op::AssumeValid(a), Some(self.ty_of(a)))
            }
            "load" | "load.volatile" => {
                let ptr = self.value()?;
                let align = self.align(ptr)?;
                (Op::Load { ptr, align, volatile: word != "load" }, self.loaded(ptr))
            }
            "store" | "store.volatile" => {
                let (ptr, value) = (self.value()?, self.comma_value()?);
                let align = self.align(ptr)?;
                (Op::Store { ptr, value, align, volatile: word != "store" }, None)
            }
            "copy" => {
                let (dst, src) = (self.value()?, self.comma_value()?);
                let align = self.align(dst)?;
                (Op::Copy { dst, src, align }, None)
            }
            "compare_exchange" => {
                let (ptr, expected, desired) = (self.value()?, self.comma_value()?, self.comma_value()?);
                let space = self.p.spelled("memory scope")?;
                (Op::CompareExchange { ptr, expected, desired, space }, self.loaded(ptr))
            }
            _ => return Ok(None),
        }))
    }

    fn control_op(&mut self, word: &str) -> Result<Option<Op>, ParseError> {
        Ok(Some(match word {
            "if" => {
                let condition = self.value()?;
                let then = self.block()?;
                let otherwise = if self.p.opt_word("else") { self.block()? } else { Block::default() };
                Op::If { condition, then, otherwise }
            }
            "loop" => {
                let label = self.label()?;
                let mut hint = LoopHint::None;
                if self.p.opt_word("unroll") {
                    hint = LoopHint::Unroll(if self.p.is_punct('{') { 0 } else { self.p.number()? });
                } else if self.p.opt_word("no_unroll") {
                    hint = LoopHint::NoUnroll;
                }
                let body = self.block()?;
                let continuing = if self.p.opt_word("continuing") { self.block()? } else { Block::default() };
                Op::Loop { label, body, continuing, hint }
            }
            "switch" => {
                let label = self.label()?;
                let value = self.value()?;
                self.p.punct('{')?;
                let mut cases = Vec::new();
                while !self.p.opt_punct('}') {
                    if !self.p.opt_word("case") {
                        return self.p.error_at(self.p.at, "expected 'case'");
                    }
                    cases.push(self.case()?);
                }
                Op::Switch { label, value, cases }
            }
            "scope" => Op::Scope { label: self.label()?, body: self.block()? },
            "break" => Op::Break(self.label()?),
            "continue" => Op::Continue(self.label()?),
            "return" => {
                let has_value = matches!(self.p.peek(), Token::Value(_)) && !self.starts_definition();
                Op::Return(if has_value { Some(self.value()?) } else { None })
            }
            "unreachable" => Op::Unreachable,
            _ => return Ok(None),
        }))
    }

    fn case(&mut self) -> Result<Case, ParseError> {
        let (mut values, mut is_default) = (Vec::new(), false);
        while !self.p.is_punct('{') {
            if self.p.opt_word("default") {
                is_default = true;
            } else {
                match self.p.next() {
                    Token::Number(n) => match n.parse() {
                        Ok(v) => values.push(v),
                        Err(_) => return self.p.error("expected an integer of 64 bits"),
                    },
                    _ => return self.p.error("expected a value, 'default' or '{'"),
                }
            }
            self.p.opt_punct(',');
        }
        Ok(Case { values, is_default, body: self.block()? })
    }

    fn constant(&mut self, ty: TypeId) -> Result<u64, ParseError> {
        let scalar = self.types().scalar_of(ty);
        let text = match self.p.next() {
            Token::Word(w) if w == "true" => return Ok(1),
            Token::Word(w) if w == "false" => return Ok(0),
            Token::Number(n) => n,
            _ => return self.p.error("expected a number, 'true' or 'false'"),
        };
        if let Some(hex) = text.strip_prefix("0x") {
            return match u64::from_str_radix(hex, 16) {
                Ok(bits) => Ok(bits),
                Err(_) => self.p.error("expected hexadecimal digits"),
            };
        }
        let bits = match scalar {
            Some(Scalar::F32) => text.parse::<f32>().ok().map(|x| u64::from(x.to_bits())),
            Some(Scalar::F16) => text.parse::<f32>().ok().map(|x| u64::from(f16::from_f32(x).to_bits())),
            Some(Scalar::BF16) => text.parse::<f32>().ok().map(|x| u64::from(bf16::from_f32(x).to_bits())),
            Some(s) => integer(s, &text),
            None => text.parse().ok(),
        };
        match bits {
            Some(bits) => Ok(bits),
            None => self.p.error("the number does not fit the type"),
        }
    }
}

/// Bits of a decimal integer that the type can hold.
fn integer(scalar: Scalar, text: &str) -> Option<u64> {
    let n: i128 = text.parse().ok()?;
    let bits = scalar.bits();
    let (least, most) =
        if scalar.is_signed() { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) };
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    (least..=most).contains(&n).then_some(n as u64 & mask)
}

/// `add.fast` → `add`, flags.
fn split_flags(word: &str) -> (&str, FpFlags) {
    if let Some((rest, last)) = word.rsplit_once('.') {
        match last {
            "fast" => return (rest, FpFlags::FAST),
            "contract" => return (rest, FpFlags::CONTRACT),
            _ => {
                if let Some(bits) = last.strip_prefix("fp").and_then(|n| n.parse().ok()) {
                    return (rest, FpFlags(bits));
                }
            }
        }
    }
    (word, FpFlags::STRICT)
}
