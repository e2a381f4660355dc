//! Lowering of programs built by hand: only what is hard to see through the front end. The
//! language is tested end to end in `tests/run`.

use std::sync::Arc;

use msl_base::{Arena, Span, Symbol};
use msl_ir as ir;
use msl_sema::hir::*;
use msl_sema::types::*;

use crate::lower;

/// Builds expressions of one kernel.
#[derive(Default)]
struct Build {
    program: Program,
    locals: Arena<LocalId, Local>,
}

fn expr(kind: ExprKind, ty: Ty, category: Category) -> Expr {
    Expr { kind, ty, category, span: Span::NONE }
}

fn stmt(kind: StmtKind) -> Stmt {
    Stmt { kind, span: Span::NONE }
}

impl Build {
    fn ty(&mut self, kind: TyKind) -> Ty {
        self.program.types.intern(kind)
    }
    fn scalar(&mut self, s: Scalar) -> Ty {
        self.ty(TyKind::Scalar(s))
    }
    fn pointer(&mut self, pointee: Ty, space: AddressSpace) -> Ty {
        self.ty(TyKind::Pointer { pointee, quals: Quals::default(), space })
    }
    fn local(&mut self, name: &str, ty: Ty) -> LocalId {
        self.locals.push(Local { name: Some(name.into()), ty, align: 0, span: Span::NONE })
    }
    fn get(&self, local: LocalId) -> Expr {
        expr(ExprKind::Local(local), self.locals[local].ty, Category::LValue(AddressSpace::Thread))
    }
    fn load(&self, e: Expr) -> Expr {
        let ty = e.ty;
        expr(ExprKind::Load(Box::new(e)), ty, Category::RValue)
    }
    fn deref(&self, pointer: Expr) -> Expr {
        let TyKind::Pointer { pointee, space, .. } = *self.program.types.kind(pointer.ty) else { panic!() };
        expr(ExprKind::Deref(Box::new(pointer)), pointee, Category::LValue(space))
    }
    fn constant(&mut self, value: u64, s: Scalar) -> Expr {
        let ty = self.scalar(s);
        expr(ExprKind::Constant(value), ty, Category::RValue)
    }
    fn assign(&self, left: Expr, right: Expr) -> Stmt {
        let (ty, category) = (left.ty, left.category);
        let kind = ExprKind::Assign { left: Box::new(left), right: Box::new(right) };
        stmt(StmtKind::Expr(expr(kind, ty, category)))
    }
    fn kernel(mut self, inputs: Vec<(LocalId, InputKind)>, body: Block) -> ir::Module {
        let inputs: Vec<Input> = inputs
            .into_iter()
            .map(|(local, kind)| Input {
                name: self.locals[local].name.unwrap(),
                ty: self.locals[local].ty,
                kind,
                span: Span::NONE,
            })
            .collect();
        let void = self.ty(TyKind::Void);
        let function = self.program.functions.push(Function {
            name: "k".into(),
            locals: self.locals,
            param_count: inputs.len() as u32,
            ret: void,
            body: Some(body),
            is_kernel: true,
            span: Span::NONE,
        });
        let entry = EntryPoint { name: "k".into(), function, inputs, max_total_threads: None, required_threads: None };
        self.program.entry_points.push(entry);
        let module = lower(&self.program).expect("lowers");
        if let Err(errors) = ir::verify::verify(&module) {
            let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("{}\n{}", list.join("\n"), ir::text::print(&module));
        }
        module
    }
}

fn buffer(index: u32) -> InputKind {
    InputKind::Buffer { index, is_reference: false }
}

#[test]
fn swizzle_stores_to_shared_memory_leave_other_components_alone() {
    let mut b = Build::default();
    let float4 = b.ty(TyKind::Vector(Scalar::Float, 4));
    let float2 = b.ty(TyKind::Vector(Scalar::Float, 2));
    let device = b.pointer(float4, AddressSpace::Device);
    let p = b.local("p", device);
    let v = b.local("v", float4);
    let swizzled = |base: Expr, ty, components: &[u8]| {
        let category = base.category;
        expr(ExprKind::Swizzle { base: Box::new(base), components: components.to_vec() }, ty, category)
    };
    let source = b.load(swizzled(b.get(v), float2, &[0, 1]));
    let target = swizzled(b.deref(b.load(b.get(p))), float2, &[3, 1]);
    let to_device = b.assign(target, source.clone());
    let to_thread = b.assign(swizzled(b.get(v), float2, &[2, 3]), source);
    let zero = expr(ExprKind::Zero, float4, Category::RValue);
    let body = vec![stmt(StmtKind::Variable { local: v, init: Some(zero) }), to_device, to_thread];
    let text = ir::text::print(&b.kernel(vec![(p, buffer(0))], body));
    // Two scalar stores to device memory; one whole vector to the local after its initialisation.
    let f32_stores = text.lines().filter(|l| l.contains("store") && l.contains("align 4")).count();
    let vector_stores = text.lines().filter(|l| l.contains("store") && l.contains("align 16")).count();
    assert_eq!((f32_stores, vector_stores), (2, 2), "{text}");
}

#[test]
fn builtin_inputs_are_converted_to_the_declared_type() {
    let mut b = Build::default();
    let ushort2 = b.ty(TyKind::Vector(Scalar::UShort, 2));
    let uint = b.scalar(Scalar::UInt);
    let device = b.pointer(ushort2, AddressSpace::Device);
    let (out, gid, origin) = (b.local("out", device), b.local("gid", ushort2), b.local("origin", uint));
    let store = b.assign(b.deref(b.load(b.get(out))), b.load(b.get(gid)));
    let inputs = vec![
        (out, buffer(3)),
        (gid, InputKind::Builtin(BuiltinInput::ThreadPositionInGrid)),
        (origin, InputKind::Builtin(BuiltinInput::GridOrigin)),
    ];
    let module = b.kernel(inputs, vec![store]);
    let entry = &module.entry_points[0];
    assert_eq!(entry.params.len(), 1);
    assert_eq!((entry.params[0].index, entry.params[0].access), (3, ir::Access::ReadWrite));
    let element = ir::HostType::Vector { elem: ir::Scalar::U16, len: 2, size: 4 };
    assert_eq!(entry.params[0].kind, ir::ParamKind::Buffer { is_constant: false, is_reference: false, element });
}

#[test]
fn classes_are_built_where_they_go_and_what_follows_a_return_is_dropped() {
    let mut b = Build::default();
    let int = b.scalar(Scalar::Int);
    let array = b.ty(TyKind::Array { element: int, quals: Quals::default(), len: Some(100) });
    let class = b.program.classes.push(Class {
        name: "S".into(),
        is_union: false,
        fields: vec![
            Field { name: Some("a".into()), ty: int, offset: 0, is_base: false, id: None, bits: None },
            Field { name: Some("b".into()), ty: array, offset: 4, is_base: false, id: None, bits: None },
        ],
        size: 404,
        align: 4,
        special: SpecialClass::None,
    });
    let s = b.ty(TyKind::Class(class));
    let device = b.pointer(s, AddressSpace::Device);
    let p = b.local("p", device);
    let one = b.constant(1, Scalar::Int);
    let value = expr(ExprKind::ConstructClass { fields: vec![(0, one)] }, s, Category::RValue);
    let store = b.assign(b.deref(b.load(b.get(p))), value);
    let body = vec![store.clone(), stmt(StmtKind::Return(None)), store];
    let module = b.kernel(vec![(p, buffer(0))], body);
    let text = ir::text::print(&module);
    assert_eq!(text.matches("copy").count(), 1, "{text}");
    assert_eq!(text.matches("loop").count(), 1, "the array is cleared by a loop: {text}");
    let ir::ParamKind::Buffer { element: ir::HostType::Struct { fields, size: 404, .. }, .. } =
        &module.entry_points[0].params[0].kind
    else {
        panic!("{:?}", module.entry_points[0].params[0].kind)
    };
    assert_eq!(fields.len(), 2);
}

#[test]
fn barriers_take_their_flags_from_constant_arguments_of_library_functions() {
    let mut b = Build::default();
    let uint = b.scalar(Scalar::UInt);
    let void = b.ty(TyKind::Void);
    let mut locals = Arena::new();
    let flags = locals.push(Local { name: Some("flags".into()), ty: uint, align: 0, span: Span::NONE });
    let flags = expr(ExprKind::Local(flags), uint, Category::LValue(AddressSpace::Thread));
    let load = expr(ExprKind::Load(Box::new(flags)), uint, Category::RValue);
    let kind = ExprKind::Intrinsic {
        intrinsic: msl_stdlib::Intrinsic::ThreadgroupBarrier,
        args: vec![load],
        fp: FpMode::Fast,
    };
    let callee = b.program.functions.push(Function {
        name: "metal::threadgroup_barrier".into(),
        locals,
        param_count: 1,
        ret: void,
        body: Some(vec![stmt(StmtKind::Expr(expr(kind, void, Category::RValue)))]),
        is_kernel: false,
        span: Span::NONE,
    });
    let call = |b: &mut Build, bits| {
        let args = vec![b.constant(bits, Scalar::UInt)];
        stmt(StmtKind::Expr(expr(ExprKind::Call { function: callee, args }, void, Category::RValue)))
    };
    let body = vec![call(&mut b, 2), call(&mut b, 1), call(&mut b, 2)];
    let module = b.kernel(vec![], body);
    let mut found = Vec::new();
    for f in module.functions.values() {
        for inst in f.insts.values() {
            if let ir::Op::Barrier { flags, .. } = inst.op {
                found.push(flags.0);
            }
        }
    }
    found.sort_unstable();
    assert_eq!(found, [1, 2]);
}

#[test]
fn globals_keep_bytes_and_short_circuits_branch_only_where_needed() {
    let mut b = Build::default();
    let uint = b.scalar(Scalar::UInt);
    let boolean = b.scalar(Scalar::Bool);
    let global = b.program.globals.push(Global {
        name: Symbol::new("table"),
        ty: uint,
        align: 16,
        storage: GlobalStorage::Constant(Arc::from([7u8, 0, 0, 0])),
        pointers: Vec::new(),
        span: Span::NONE,
    });
    let device = b.pointer(uint, AddressSpace::Device);
    let p = b.local("p", device);
    let x = b.local("x", uint);
    let table = expr(ExprKind::Global(global), uint, Category::LValue(AddressSpace::Constant));
    let compare = |b: &Build, a: Expr, c: Expr| {
        let _ = b;
        expr(ExprKind::Compare(CompareOp::Lt, Box::new(a), Box::new(c)), boolean, Category::RValue)
    };
    let zero = b.constant(0, Scalar::UInt);
    let local = compare(&b, b.load(b.get(x)), zero.clone());
    let memory = compare(&b, b.load(b.deref(b.load(b.get(p)))), b.load(table));
    let and =
        |l: &Expr, r: &Expr| expr(ExprKind::And(Box::new(l.clone()), Box::new(r.clone())), boolean, Category::RValue);
    let body = [and(&memory, &local), and(&local, &memory)]
        .into_iter()
        .map(|condition| stmt(StmtKind::If { condition, then: vec![], otherwise: vec![] }))
        .collect();
    let module = b.kernel(vec![(p, buffer(0)), (x, InputKind::Builtin(BuiltinInput::ThreadIndexInThreadgroup))], body);
    assert_eq!(module.globals.values().next().map(|g| (g.align, g.init.clone())), Some((16, Some(vec![7, 0, 0, 0]))));
    let text = ir::text::print(&module);
    assert_eq!(text.lines().filter(|l| l.trim_start().starts_with("if")).count(), 3, "{text}");
}
