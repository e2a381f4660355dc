//! One function: its parameters, locals and the tree under construction.

use msl_base::{Arena, FxMap, Span, Symbol};
use msl_ir as ir;
use msl_sema::hir;
use msl_sema::types::Ty;

use crate::constant::ConstantValue;
use crate::{FunctionKey, Lowerer};

/// Where a variable of the source lives.
#[derive(Clone, Copy)]
enum Storage {
    Local(ir::LocalId),
    /// A parameter passed by pointer to the callee's copy.
    Pointer(ir::ValueId),
}

/// The state of lowering one function.
pub struct FunctionLowerer<'a, 'p> {
    pub cx: &'a mut Lowerer<'p>,
    pub source: &'p hir::Function,
    pub out: ir::Function,
    storage: FxMap<hir::LocalId, Storage>,
    /// What is known of parameters.
    pub known: FxMap<hir::LocalId, ConstantValue>,
    /// Where a result of aggregate type goes.
    pub result: Option<ir::ValueId>,
    /// Blocks under construction, innermost last; never empty.
    blocks: Vec<ir::Block>,
    /// Whether each of them has ended: what follows a `break` is dropped.
    ended: Vec<bool>,
    pub break_labels: Vec<ir::LabelId>,
    pub continue_labels: Vec<ir::LabelId>,
    /// Of the expression or statement being lowered.
    pub span: Span,
}

impl<'p> Lowerer<'p> {
    /// The IR function for a function, made when first asked for; its body follows in [`Lowerer::lower_pending`].
    pub fn function(&mut self, key: FunctionKey) -> ir::FunctionId {
        if let Some(&found) = self.functions.get(&key) {
            return found;
        }
        let source = &self.program.functions[key.0];
        let void = self.module.types.void();
        let id = self.module.functions.push(ir::Function::new(source.name, Vec::new(), void));
        self.functions.insert(key.clone(), id);
        self.pending.push((key, id));
        id
    }

    pub fn lower_pending(&mut self) {
        while let Some(((function, known), id)) = self.pending.pop() {
            let lowered = self.lower_function(function, &known);
            self.module.functions[id] = lowered;
        }
    }

    fn lower_function(&mut self, id: hir::FunctionId, known: &[Option<ConstantValue>]) -> ir::Function {
        let program = self.program;
        let source = &program.functions[id];
        let mut f = FunctionLowerer::new(self, source);
        if f.cx.is_aggregate(source.ret) {
            let pointer = f.thread_pointer(source.ret);
            f.result = Some(f.add_param(pointer));
        } else {
            f.out.ret = f.cx.value_type(source.ret);
        }
        for index in 0..source.param_count {
            let local = hir::LocalId(index);
            let Some(declared) = source.locals.get(local) else { break };
            f.span = declared.span;
            if let Some(Some(value)) = known.get(index as usize) {
                f.known.insert(local, *value);
            }
            if f.cx.is_aggregate(declared.ty) {
                let pointer = f.thread_pointer(declared.ty);
                let value = f.add_param(pointer);
                f.storage.insert(local, Storage::Pointer(value));
            } else {
                let ty = f.cx.value_type(declared.ty);
                let value = f.add_param(ty);
                f.init_variable(local, value);
            }
        }
        f.lower_body();
        f.out
    }
}

impl<'a, 'p> FunctionLowerer<'a, 'p> {
    pub fn new(cx: &'a mut Lowerer<'p>, source: &'p hir::Function) -> FunctionLowerer<'a, 'p> {
        let void = cx.module.types.void();
        let mut out = ir::Function::new(source.name, Vec::new(), void);
        out.span = source.span;
        FunctionLowerer {
            cx,
            source,
            out,
            storage: FxMap::default(),
            known: FxMap::default(),
            result: None,
            blocks: vec![ir::Block::default()],
            ended: vec![false],
            break_labels: Vec::new(),
            continue_labels: Vec::new(),
            span: source.span,
        }
    }

    /// Lowers the body; parameters have been set up. Leaves the finished tree in `out`.
    pub fn lower_body(&mut self) {
        let source = self.source;
        match &source.body {
            Some(body) => self.lower_block(body),
            None => {
                let message = format!("'{}' is called but has no definition", source.name);
                self.cx.error("undefined-function", source.span, message);
            }
        }
        self.span = source.span;
        let ret = self.out.ret;
        if !self.has_ended() && *self.cx.module.types.get(ret) != ir::Type::Void {
            // Flowing off the end of a function that returns a value is undefined in C++; it must do no harm here.
            if self.blocks.last().is_some_and(|b| cannot_complete(&self.out.insts, b)) {
                self.emit_void(ir::Op::Unreachable);
            } else {
                let value = self.emit(ir::Op::Undef, ret);
                self.emit_void(ir::Op::Return(Some(value)));
            }
        }
        self.out.body = self.blocks.pop().unwrap_or_default();
    }

    // ---- instructions ------------------------------------------------------------------

    pub fn emit_fp(&mut self, op: ir::Op, ty: ir::TypeId, fp: ir::FpFlags) -> ir::ValueId {
        let ends = op.is_terminator();
        let value = self.out.insts.push(ir::Inst { op, ty, fp, span: self.span });
        if let (Some(block), Some(ended)) = (self.blocks.last_mut(), self.ended.last_mut())
            && !*ended
        {
            block.insts.push(value);
            *ended = ends;
        }
        value
    }

    pub fn emit(&mut self, op: ir::Op, ty: ir::TypeId) -> ir::ValueId {
        self.emit_fp(op, ty, ir::FpFlags::STRICT)
    }

    pub fn emit_void(&mut self, op: ir::Op) {
        let void = self.cx.module.types.void();
        self.emit(op, void);
    }

    /// A scalar, a vector of equal components or (0) a null pointer. Bits beyond the type are dropped.
    pub fn constant(&mut self, bits: u64, ty: ir::TypeId) -> ir::ValueId {
        let width = self.cx.module.types.scalar_of(ty).map_or(64, ir::Scalar::bits);
        let bits = if width < 64 { bits & ((1 << width) - 1) } else { bits };
        self.emit(ir::Op::Const(bits), ty)
    }

    pub fn constant_u32(&mut self, value: u32) -> ir::ValueId {
        let ty = self.scalar_type(ir::Scalar::U32);
        self.constant(u64::from(value), ty)
    }

    /// Some value of a type. Of `void` there is none; the result then names an instruction that is in no block.
    pub fn undef(&mut self, ty: Ty) -> ir::ValueId {
        let ty = self.cx.value_type(ty);
        if matches!(self.cx.module.types.get(ty), ir::Type::Void | ir::Type::Array { .. } | ir::Type::Struct(_)) {
            return self.out.insts.push(ir::Inst { op: ir::Op::Undef, ty, fp: ir::FpFlags::STRICT, span: self.span });
        }
        self.emit(ir::Op::Undef, ty)
    }

    pub fn scalar_type(&mut self, scalar: ir::Scalar) -> ir::TypeId {
        self.cx.module.types.scalar(scalar)
    }

    pub fn type_of(&self, value: ir::ValueId) -> ir::TypeId {
        self.out.insts[value].ty
    }

    /// Whether the value, or its components, are floats.
    pub fn is_float(&self, ty: ir::TypeId) -> bool {
        self.cx.module.types.scalar_of(ty).is_some_and(ir::Scalar::is_float)
    }

    /// Flags for an instruction giving `ty`: integers carry none.
    pub fn fp_for(&self, ty: ir::TypeId, fp: ir::FpFlags) -> ir::FpFlags {
        if self.is_float(ty) { fp } else { ir::FpFlags::STRICT }
    }

    // ---- blocks ------------------------------------------------------------------------

    /// Builds a nested block.
    pub fn block(&mut self, build: impl FnOnce(&mut Self)) -> ir::Block {
        self.blocks.push(ir::Block::default());
        self.ended.push(false);
        build(self);
        self.ended.pop();
        self.blocks.pop().unwrap_or_default()
    }

    pub fn has_ended(&self) -> bool {
        self.ended.last().copied().unwrap_or(true)
    }

    pub fn emit_if(&mut self, condition: ir::ValueId, then: ir::Block, otherwise: ir::Block) {
        self.emit_void(ir::Op::If { condition, then, otherwise });
    }

    /// Runs `build` with the span of a piece of source.
    pub fn at<R>(&mut self, span: Span, build: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.span;
        if !span.is_none() {
            self.span = span;
        }
        let result = build(self);
        self.span = before;
        result
    }

    // ---- variables ---------------------------------------------------------------------

    pub fn add_param(&mut self, ty: ir::TypeId) -> ir::ValueId {
        self.out.params.push(ty);
        let index = self.out.params.len() as u32 - 1;
        self.emit(ir::Op::Param(index), ty)
    }

    pub fn thread_pointer(&mut self, ty: Ty) -> ir::TypeId {
        let pointee = self.cx.memory_type(ty);
        self.cx.module.types.pointer(ir::AddressSpace::Thread, pointee)
    }

    /// A fresh local; its address and alignment.
    pub fn make_local(&mut self, name: Symbol, ty: ir::TypeId, align: u32) -> (ir::ValueId, u32) {
        let align = align.max(self.cx.module.types.align_of(ty));
        let local = self.out.locals.push(ir::Local { name, ty, align });
        (self.local_address(local), align)
    }

    pub fn make_temporary(&mut self, ty: Ty) -> (ir::ValueId, u32) {
        let ty = self.cx.memory_type(ty);
        self.make_local(Symbol::new("temporary"), ty, 0)
    }

    fn local_address(&mut self, local: ir::LocalId) -> ir::ValueId {
        let ty = self.out.locals[local].ty;
        let pointer = self.cx.module.types.pointer(ir::AddressSpace::Thread, ty);
        self.emit(ir::Op::LocalAddr(local), pointer)
    }

    /// Address and alignment of a variable of the source.
    pub fn variable(&mut self, local: hir::LocalId) -> (ir::ValueId, u32) {
        let storage = match self.storage.get(&local) {
            Some(&storage) => storage,
            None => {
                let (ty, align, name) = match self.source.locals.get(local) {
                    Some(l) => (self.cx.memory_type(l.ty), l.align, l.name),
                    None => (self.scalar_type(ir::Scalar::U32), 0, None),
                };
                let align = align.max(self.cx.module.types.align_of(ty));
                let name = name.unwrap_or_else(|| Symbol::new("unnamed"));
                let id = self.out.locals.push(ir::Local { name, ty, align });
                self.storage.insert(local, Storage::Local(id));
                Storage::Local(id)
            }
        };
        match storage {
            Storage::Local(id) => (self.local_address(id), self.out.locals[id].align),
            Storage::Pointer(value) => {
                let pointee = self.cx.module.types.pointee(self.type_of(value)).map(|(_, t)| t);
                (value, pointee.map_or(1, |t| self.cx.module.types.align_of(t)))
            }
        }
    }

    /// Stores the first value of a variable that is not an aggregate.
    pub fn init_variable(&mut self, local: hir::LocalId, value: ir::ValueId) {
        let (ptr, align) = self.variable(local);
        self.emit_void(ir::Op::Store { ptr, value, align, volatile: false });
    }
}

/// Whether control cannot reach the end of a block, as far as is plain from its last instruction.
fn cannot_complete(insts: &Arena<ir::ValueId, ir::Inst>, block: &ir::Block) -> bool {
    let Some(&last) = block.insts.last() else { return false };
    match &insts[last].op {
        ir::Op::If { then, otherwise, .. } => cannot_complete(insts, then) && cannot_complete(insts, otherwise),
        ir::Op::Loop { label, body, continuing, .. } => {
            !breaks(insts, body, *label) && !breaks(insts, continuing, *label)
        }
        ir::Op::Switch { label, cases, .. } => {
            cases.iter().any(|c| c.is_default)
                && cases.last().is_some_and(|c| cannot_complete(insts, &c.body))
                && cases.iter().all(|c| !breaks(insts, &c.body, *label))
        }
        op => op.is_terminator(),
    }
}

fn breaks(insts: &Arena<ir::ValueId, ir::Inst>, block: &ir::Block, label: ir::LabelId) -> bool {
    block.insts.iter().any(|&value| match &insts[value].op {
        ir::Op::Break(target) => *target == label,
        op => op.blocks().iter().any(|b| breaks(insts, b, label)),
    })
}
