//! A thin layer over the C interface of LLVM: one module under construction and a builder.
//!
//! In: requests for types, constants and instructions. Out: value references, valid as long as the
//! [`Ll`] that made them. Promised: every owned LLVM object is released on drop. Deliberately not
//! here: any knowledge of the IR or of gangs. Operands must have matching LLVM types; this is the
//! emitter's duty and is checked by the LLVM verifier in debug builds.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::os::raw::c_uint;
use std::ptr;

use llvm_sys::core::*;
use llvm_sys::debuginfo::{LLVMMetadataReplaceAllUsesWith, LLVMTemporaryMDNode};
use llvm_sys::prelude::*;
use llvm_sys::{
    LLVMAtomicOrdering, LLVMAtomicRMWBinOp, LLVMDiagnosticSeverity, LLVMIntPredicate, LLVMLinkage, LLVMOpcode,
    LLVMRealPredicate, LLVMTypeKind,
};

pub type V = LLVMValueRef;
pub type T = LLVMTypeRef;
pub type B = LLVMBasicBlockRef;

/// Every fast-math permission.
pub const FAST: c_uint = llvm_sys::LLVMFastMathAll;
pub const CONTRACT: c_uint = llvm_sys::LLVMFastMathAllowContract;
/// A part of [`FAST`] that LLVM sees nothing in where no division is: stands for the freedom to add in another order.
pub const REORDER: c_uint = llvm_sys::LLVMFastMathAllowReciprocal;

/// Bytes that code may take on the stack: a small part of what the least of threads have (2 MiB), for code may call
/// other code.
const MOST_STACK: u32 = 256 << 10;

/// LLVM has opinions on loops that it could not unroll; it would print them. Only what it says about the stack is of
/// interest.
extern "C" fn take_diagnostic(info: LLVMDiagnosticInfoRef, has_large_frame: *mut std::os::raw::c_void) {
    // SAFETY: the second argument is what `Ll::new` gave, which lives as long as the context; LLVM calls on the thread that
    // uses the context.
    unsafe {
        if matches!(LLVMGetDiagInfoSeverity(info), LLVMDiagnosticSeverity::LLVMDSWarning)
            && take_message(LLVMGetDiagInfoDescription(info)).contains("stack frame size")
        {
            (*has_large_frame.cast::<Cell<bool>>()).set(true);
        }
    }
}

/// One LLVM module being built.
pub struct Ll {
    pub context: LLVMContextRef,
    pub module: LLVMModuleRef,
    pub builder: LLVMBuilderRef,
    intrinsics: RefCell<HashMap<String, (T, V)>>,
    has_large_frame: Box<Cell<bool>>,
    /// The freedom with floats that LLVM has at all.
    pub allowed_flags: c_uint,
}

impl Drop for Ll {
    fn drop(&mut self) {
        // SAFETY: the three objects were created together in `new`, are owned here, and are released
        // in the order of their dependence.
        unsafe {
            LLVMDisposeBuilder(self.builder);
            LLVMDisposeModule(self.module);
            LLVMContextDispose(self.context);
        }
    }
}

/// Text for the C interface; inner zero bytes are dropped.
pub fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

/// Takes ownership of a message made by LLVM.
///
/// # Safety
/// `message` is null or was returned by LLVM for the caller to dispose.
pub unsafe fn take_message(message: *mut std::os::raw::c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: the caller promises a valid message that is ours to dispose.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        LLVMDisposeMessage(message);
        text
    }
}

const NAME: *const std::os::raw::c_char = c"".as_ptr();

// SAFETY (whole block): all methods pass references that belong to this object's context to the C
// interface; the emitter gives operands of matching types.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Ll {
    pub fn new(name: &str) -> Ll {
        unsafe {
            let context = LLVMContextCreate();
            let has_large_frame = Box::new(Cell::new(false));
            let flag = (&raw const *has_large_frame).cast_mut().cast();
            LLVMContextSetDiagnosticHandler(context, Some(take_diagnostic), flag);
            let module = LLVMModuleCreateWithNameInContext(c_string(name).as_ptr(), context);
            let builder = LLVMCreateBuilderInContext(context);
            Ll { context, module, builder, intrinsics: RefCell::default(), has_large_frame, allowed_flags: FAST }
        }
    }

    /// Whether machine code that was made of the module takes too much of the stack.
    pub fn has_large_frame(&self) -> bool {
        self.has_large_frame.get()
    }
    /// Has [`Ll::has_large_frame`] answer for a function.
    pub fn watch_frame(&self, f: V) {
        self.string_attr(f, "warn-stack-size", &MOST_STACK.to_string());
    }

    // ---- types -------------------------------------------------------------------------------
    pub fn int(&self, bits: u32) -> T {
        unsafe { LLVMIntTypeInContext(self.context, bits) }
    }
    pub fn f32(&self) -> T {
        unsafe { LLVMFloatTypeInContext(self.context) }
    }
    pub fn f64(&self) -> T {
        unsafe { LLVMDoubleTypeInContext(self.context) }
    }
    pub fn f16(&self) -> T {
        unsafe { LLVMHalfTypeInContext(self.context) }
    }
    pub fn ptr(&self) -> T {
        unsafe { LLVMPointerTypeInContext(self.context, 0) }
    }
    pub fn void(&self) -> T {
        unsafe { LLVMVoidTypeInContext(self.context) }
    }
    pub fn vec(&self, elem: T, n: u32) -> T {
        unsafe { LLVMVectorType(elem, n) }
    }
    pub fn array(&self, elem: T, n: u64) -> T {
        unsafe { LLVMArrayType2(elem, n) }
    }
    pub fn fn_type(&self, ret: T, params: &[T]) -> T {
        unsafe { LLVMFunctionType(ret, params.as_ptr().cast_mut(), params.len() as c_uint, 0) }
    }
    pub fn type_of(&self, v: V) -> T {
        unsafe { LLVMTypeOf(v) }
    }
    pub fn is_vector(&self, t: T) -> bool {
        unsafe { LLVMGetTypeKind(t) == LLVMTypeKind::LLVMVectorTypeKind }
    }
    pub fn is_pointer(&self, t: T) -> bool {
        unsafe { LLVMGetTypeKind(t) == LLVMTypeKind::LLVMPointerTypeKind }
    }
    /// Lanes of a vector type, 1 otherwise.
    pub fn lanes(&self, t: T) -> u32 {
        if self.is_vector(t) { unsafe { LLVMGetVectorSize(t) } } else { 1 }
    }
    pub fn elem(&self, t: T) -> T {
        if self.is_vector(t) { unsafe { LLVMGetElementType(t) } } else { t }
    }
    /// `elem`, or a vector of as many as `like` has.
    pub fn like(&self, elem: T, like: V) -> T {
        let t = self.type_of(like);
        if self.is_vector(t) { self.vec(elem, self.lanes(t)) } else { elem }
    }

    // ---- constants ---------------------------------------------------------------------------
    pub fn cint(&self, t: T, value: u64) -> V {
        unsafe {
            if self.is_vector(t) {
                let s = LLVMConstInt(self.elem(t), value, 0);
                self.cvec(&vec![s; self.lanes(t) as usize])
            } else {
                LLVMConstInt(t, value, 0)
            }
        }
    }
    pub fn c32(&self, value: u32) -> V {
        self.cint(self.int(32), u64::from(value))
    }
    pub fn c64(&self, value: u64) -> V {
        self.cint(self.int(64), value)
    }
    pub fn cbool(&self, value: bool) -> V {
        self.cint(self.int(1), u64::from(value))
    }
    pub fn creal(&self, t: T, value: f64) -> V {
        unsafe {
            if self.is_vector(t) {
                let s = LLVMConstReal(self.elem(t), value);
                self.cvec(&vec![s; self.lanes(t) as usize])
            } else {
                LLVMConstReal(t, value)
            }
        }
    }
    pub fn cvec(&self, elems: &[V]) -> V {
        unsafe { LLVMConstVector(elems.as_ptr().cast_mut(), elems.len() as c_uint) }
    }
    pub fn zero(&self, t: T) -> V {
        unsafe { LLVMConstNull(t) }
    }
    pub fn ones(&self, t: T) -> V {
        unsafe { LLVMConstAllOnes(t) }
    }
    pub fn poison(&self, t: T) -> V {
        unsafe { LLVMGetPoison(t) }
    }
    pub fn null(&self) -> V {
        self.zero(self.ptr())
    }
    /// The value of an integer constant of at most 64 bits.
    pub fn as_const_int(&self, v: V) -> Option<u64> {
        unsafe {
            let is = !LLVMIsAConstantInt(v).is_null();
            is.then(|| LLVMConstIntGetZExtValue(v))
        }
    }
    pub fn is_constant(&self, v: V) -> bool {
        unsafe { LLVMIsConstant(v) != 0 }
    }
    pub fn is_const_ones(&self, v: V) -> bool {
        unsafe { v == LLVMConstAllOnes(LLVMTypeOf(v)) }
    }

    // ---- functions and blocks ----------------------------------------------------------------
    pub fn add_function(&self, name: &str, ty: T, internal: bool) -> V {
        unsafe {
            let f = LLVMAddFunction(self.module, c_string(name).as_ptr(), ty);
            if internal {
                LLVMSetLinkage(f, LLVMLinkage::LLVMInternalLinkage);
            }
            self.attr(f, "nounwind");
            f
        }
    }
    pub fn named_function(&self, name: &str) -> Option<V> {
        let f = unsafe { LLVMGetNamedFunction(self.module, c_string(name).as_ptr()) };
        (!f.is_null()).then_some(f)
    }
    pub fn attr(&self, f: V, name: &str) {
        self.attr_at(f, llvm_sys::LLVMAttributeFunctionIndex, name);
    }
    pub fn attr_at(&self, f: V, index: c_uint, name: &str) {
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            LLVMAddAttributeAtIndex(f, index, LLVMCreateEnumAttribute(self.context, kind, 0));
        }
    }
    pub fn string_attr(&self, f: V, key: &str, value: &str) {
        unsafe {
            let a = LLVMCreateStringAttribute(
                self.context,
                key.as_ptr().cast(),
                key.len() as c_uint,
                value.as_ptr().cast(),
                value.len() as c_uint,
            );
            LLVMAddAttributeAtIndex(f, llvm_sys::LLVMAttributeFunctionIndex, a);
        }
    }
    /// Makes a pointer parameter a copy of memory of this type that is passed itself and never written.
    pub fn by_value_param(&self, f: V, param: u32, ty: T, align: u64) {
        unsafe {
            let kind = |name: &str| LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let index = param + 1;
            LLVMAddAttributeAtIndex(f, index, LLVMCreateTypeAttribute(self.context, kind("byval"), ty));
            LLVMAddAttributeAtIndex(f, index, LLVMCreateEnumAttribute(self.context, kind("align"), align));
            self.attr_at(f, index, "readonly");
            let key = "nvvm.grid_constant";
            let mark = LLVMCreateStringAttribute(
                self.context,
                key.as_ptr().cast(),
                key.len() as c_uint,
                key.as_ptr().cast(),
                0,
            );
            LLVMAddAttributeAtIndex(f, index, mark);
        }
    }
    pub fn set_call_conv(&self, f: V, cc: c_uint) {
        unsafe { LLVMSetFunctionCallConv(f, cc) }
    }
    pub fn param(&self, f: V, i: u32) -> V {
        unsafe { LLVMGetParam(f, i) }
    }
    pub fn block(&self, f: V, name: &str) -> B {
        unsafe { LLVMAppendBasicBlockInContext(self.context, f, c_string(name).as_ptr()) }
    }
    pub fn at_end(&self, b: B) {
        unsafe { LLVMPositionBuilderAtEnd(self.builder, b) }
    }
    /// Before the terminator of a finished block.
    pub fn before_terminator(&self, b: B) {
        unsafe { LLVMPositionBuilderBefore(self.builder, LLVMGetBasicBlockTerminator(b)) }
    }
    /// Before an instruction, at its place in the source.
    pub fn before(&self, v: V) {
        unsafe { LLVMPositionBuilderBefore(self.builder, v) }
    }
    pub fn current(&self) -> B {
        unsafe { LLVMGetInsertBlock(self.builder) }
    }
    pub fn current_function(&self) -> V {
        unsafe { LLVMGetBasicBlockParent(self.current()) }
    }
    pub fn terminated(&self) -> bool {
        unsafe { !LLVMGetBasicBlockTerminator(self.current()).is_null() }
    }
    pub fn new_block(&self, name: &str) -> B {
        self.block(self.current_function(), name)
    }

    // ---- control -----------------------------------------------------------------------------
    pub fn br(&self, to: B) {
        self.br_back(to);
    }
    /// The same; gives the branch.
    pub fn br_back(&self, to: B) -> V {
        unsafe { LLVMBuildBr(self.builder, to) }
    }
    pub fn cond_br(&self, c: V, then: B, otherwise: B) -> V {
        unsafe { LLVMBuildCondBr(self.builder, c, then, otherwise) }
    }
    /// A branch expected to go to `then`.
    pub fn likely_br(&self, c: V, then: B, otherwise: B) {
        let br = self.cond_br(c, then, otherwise);
        unsafe {
            let name = |s: &str| LLVMMDStringInContext2(self.context, s.as_ptr().cast(), s.len());
            let weight = |n: u32| LLVMValueAsMetadata(self.c32(n));
            let mut parts = [name("branch_weights"), weight(1_000_000), weight(1)];
            let node = LLVMMDNodeInContext2(self.context, parts.as_mut_ptr(), 3);
            let kind = LLVMGetMDKindIDInContext(self.context, c"prof".as_ptr(), 4);
            LLVMSetMetadata(br, kind, LLVMMetadataAsValue(self.context, node));
        }
    }
    pub fn switch(&self, v: V, default: B, cases: &[(u64, B)]) {
        unsafe {
            let s = LLVMBuildSwitch(self.builder, v, default, cases.len() as c_uint);
            for (value, block) in cases {
                LLVMAddCase(s, self.cint(self.type_of(v), *value), *block);
            }
        }
    }
    pub fn ret_void(&self) {
        unsafe { LLVMBuildRetVoid(self.builder) };
    }
    pub fn ret(&self, v: V) {
        unsafe { LLVMBuildRet(self.builder, v) };
    }
    pub fn unreachable(&self) {
        unsafe { LLVMBuildUnreachable(self.builder) };
    }
    pub fn phi(&self, t: T, incoming: &[(V, B)]) -> V {
        unsafe {
            let p = LLVMBuildPhi(self.builder, t, NAME);
            self.add_incoming(p, incoming);
            p
        }
    }
    pub fn add_incoming(&self, phi: V, incoming: &[(V, B)]) {
        for (v, b) in incoming {
            let (mut v, mut b) = (*v, *b);
            unsafe { LLVMAddIncoming(phi, &raw mut v, &raw mut b, 1) };
        }
    }
    pub fn call(&self, ty: T, f: V, args: &[V]) -> V {
        unsafe { LLVMBuildCall2(self.builder, ty, f, args.as_ptr().cast_mut(), args.len() as c_uint, NAME) }
    }
    pub fn set_instr_call_conv(&self, call: V, cc: c_uint) {
        unsafe { LLVMSetInstructionCallConv(call, cc) }
    }

    /// An LLVM intrinsic by its full mangled name; declared on first use.
    pub fn intrinsic(&self, name: &str, ret: T, args: &[V]) -> V {
        let cached = self.intrinsics.borrow().get(name).copied();
        let (ty, f) = cached.unwrap_or_else(|| {
            let params: Vec<T> = args.iter().map(|a| self.type_of(*a)).collect();
            let ty = self.fn_type(ret, &params);
            let f = unsafe { LLVMAddFunction(self.module, c_string(name).as_ptr(), ty) };
            self.intrinsics.borrow_mut().insert(name.to_string(), (ty, f));
            (ty, f)
        });
        self.call(ty, f, args)
    }
    /// An intrinsic overloaded on one type: `llvm.<stem>.<type suffix of t>`.
    pub fn intrinsic1(&self, stem: &str, t: T, args: &[V]) -> V {
        self.intrinsic(&format!("llvm.{stem}.{}", self.suffix(t)), t, args)
    }
    /// The name of a function or global.
    pub fn name_of(&self, v: V) -> String {
        unsafe {
            let mut length = 0;
            let name = LLVMGetValueName2(v, &raw mut length);
            String::from_utf8_lossy(std::slice::from_raw_parts(name.cast(), length)).into_owned()
        }
    }
    /// The name of a type inside of an intrinsic's.
    pub fn suffix(&self, t: T) -> String {
        unsafe {
            match LLVMGetTypeKind(t) {
                LLVMTypeKind::LLVMVectorTypeKind => format!("v{}{}", self.lanes(t), self.suffix(self.elem(t))),
                LLVMTypeKind::LLVMIntegerTypeKind => format!("i{}", LLVMGetIntTypeWidth(t)),
                LLVMTypeKind::LLVMFloatTypeKind => "f32".into(),
                LLVMTypeKind::LLVMDoubleTypeKind => "f64".into(),
                LLVMTypeKind::LLVMHalfTypeKind => "f16".into(),
                _ => "p0".into(),
            }
        }
    }

    // ---- arithmetic --------------------------------------------------------------------------
    pub fn bin(&self, op: LLVMOpcode, a: V, b: V) -> V {
        unsafe { LLVMBuildBinOp(self.builder, op, a, b, NAME) }
    }
    pub fn add(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMAdd, a, b)
    }
    /// A sum of numbers without a sign that is promised not to wrap.
    pub fn add_nuw(&self, a: V, b: V) -> V {
        unsafe { LLVMBuildNUWAdd(self.builder, a, b, NAME) }
    }
    pub fn mul_nuw(&self, a: V, b: V) -> V {
        unsafe { LLVMBuildNUWMul(self.builder, a, b, NAME) }
    }
    pub fn sub(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMSub, a, b)
    }
    pub fn mul(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMMul, a, b)
    }
    pub fn and(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMAnd, a, b)
    }
    /// All of them, which may be conjunctions themselves: each term once, one after the other. LLVM compares every
    /// term with those that it is combined with, down to some depth: with trees on both sides that is most of the
    /// time it takes for a kernel.
    pub fn all(&self, conditions: &[V]) -> V {
        let mut todo: Vec<V> = conditions.iter().rev().copied().collect();
        let (mut seen, mut terms) = (HashSet::new(), Vec::new());
        while let Some(v) = todo.pop() {
            // SAFETY: a value of this module; an instruction with that opcode has two operands.
            let and = unsafe {
                let is_and = !LLVMIsAInstruction(v).is_null() && LLVMGetInstructionOpcode(v) == LLVMOpcode::LLVMAnd;
                is_and.then(|| [LLVMGetOperand(v, 0), LLVMGetOperand(v, 1)])
            };
            match and {
                _ if self.as_const_int(v) == Some(1) || !seen.insert(v) => {}
                Some([a, b]) => todo.extend([b, a]),
                None => terms.push(v),
            }
        }
        terms.into_iter().reduce(|a, b| self.and(a, b)).unwrap_or_else(|| self.cbool(true))
    }
    pub fn or(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMOr, a, b)
    }
    pub fn xor(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMXor, a, b)
    }
    pub fn shl(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMShl, a, b)
    }
    pub fn lshr(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMLShr, a, b)
    }
    pub fn ashr(&self, a: V, b: V) -> V {
        self.bin(LLVMOpcode::LLVMAShr, a, b)
    }
    pub fn not(&self, a: V) -> V {
        unsafe { LLVMBuildNot(self.builder, a, NAME) }
    }
    pub fn neg(&self, a: V) -> V {
        unsafe { LLVMBuildNeg(self.builder, a, NAME) }
    }
    pub fn fneg(&self, a: V) -> V {
        unsafe { LLVMBuildFNeg(self.builder, a, NAME) }
    }
    /// Gives an instruction those of the flags that [`Ll::allowed_flags`] has.
    pub fn flags(&self, v: V, flags: c_uint) -> V {
        unsafe {
            let flags = flags & self.allowed_flags;
            if flags != 0 && !LLVMIsAInstruction(v).is_null() && LLVMCanValueUseFastMathFlags(v) != 0 {
                LLVMSetFastMathFlags(v, flags);
            }
        }
        v
    }
    pub fn icmp(&self, p: LLVMIntPredicate, a: V, b: V) -> V {
        unsafe { LLVMBuildICmp(self.builder, p, a, b, NAME) }
    }
    pub fn fcmp(&self, p: LLVMRealPredicate, a: V, b: V) -> V {
        unsafe { LLVMBuildFCmp(self.builder, p, a, b, NAME) }
    }
    pub fn ult(&self, a: V, b: V) -> V {
        self.icmp(LLVMIntPredicate::LLVMIntULT, a, b)
    }
    pub fn eq(&self, a: V, b: V) -> V {
        self.icmp(LLVMIntPredicate::LLVMIntEQ, a, b)
    }
    pub fn ne(&self, a: V, b: V) -> V {
        self.icmp(LLVMIntPredicate::LLVMIntNE, a, b)
    }
    pub fn select(&self, c: V, a: V, b: V) -> V {
        unsafe { LLVMBuildSelect(self.builder, c, a, b, NAME) }
    }
    pub fn freeze(&self, v: V) -> V {
        unsafe { LLVMBuildFreeze(self.builder, v, NAME) }
    }
    pub fn cast(&self, op: LLVMOpcode, v: V, t: T) -> V {
        if self.type_of(v) == t { v } else { unsafe { LLVMBuildCast(self.builder, op, v, t, NAME) } }
    }
    pub fn zext(&self, v: V, t: T) -> V {
        self.cast(LLVMOpcode::LLVMZExt, v, t)
    }
    pub fn sext(&self, v: V, t: T) -> V {
        self.cast(LLVMOpcode::LLVMSExt, v, t)
    }
    pub fn trunc(&self, v: V, t: T) -> V {
        self.cast(LLVMOpcode::LLVMTrunc, v, t)
    }
    pub fn bitcast(&self, v: V, t: T) -> V {
        self.cast(LLVMOpcode::LLVMBitCast, v, t)
    }
    pub fn int_to_ptr(&self, v: V) -> V {
        let t = self.like(self.ptr(), v);
        self.cast(LLVMOpcode::LLVMIntToPtr, v, t)
    }
    pub fn ptr_to_int(&self, v: V) -> V {
        let t = self.like(self.int(64), v);
        self.cast(LLVMOpcode::LLVMPtrToInt, v, t)
    }

    // ---- vectors -----------------------------------------------------------------------------
    pub fn extract(&self, v: V, i: u32) -> V {
        unsafe { LLVMBuildExtractElement(self.builder, v, self.c32(i), NAME) }
    }
    pub fn extract_at(&self, v: V, i: V) -> V {
        unsafe { LLVMBuildExtractElement(self.builder, v, i, NAME) }
    }
    pub fn insert(&self, v: V, e: V, i: u32) -> V {
        unsafe { LLVMBuildInsertElement(self.builder, v, e, self.c32(i), NAME) }
    }
    pub fn insert_at(&self, v: V, e: V, i: V) -> V {
        unsafe { LLVMBuildInsertElement(self.builder, v, e, i, NAME) }
    }
    pub fn shuffle(&self, a: V, b: V, mask: &[u32]) -> V {
        let m: Vec<V> = mask.iter().map(|i| self.c32(*i)).collect();
        unsafe { LLVMBuildShuffleVector(self.builder, a, b, self.cvec(&m), NAME) }
    }
    pub fn shuffle1(&self, a: V, mask: &[u32]) -> V {
        self.shuffle(a, self.poison(self.type_of(a)), mask)
    }
    pub fn splat(&self, v: V, n: u32) -> V {
        if unsafe { LLVMIsConstant(v) } != 0 {
            return self.cvec(&vec![v; n as usize]);
        }
        let t = self.vec(self.type_of(v), n);
        let one = self.insert(self.poison(t), v, 0);
        self.shuffle1(one, &vec![0; n as usize])
    }
    /// 0, 1, 2, … in the integer type `t`.
    pub fn iota(&self, t: T, n: u32, step: u64) -> V {
        let v: Vec<V> = (0..u64::from(n)).map(|i| self.cint(t, i.wrapping_mul(step))).collect();
        self.cvec(&v)
    }
    /// Joins vectors of one type, pairwise; the count is a power of two.
    pub fn concat(&self, parts: &[V]) -> V {
        let mut parts = parts.to_vec();
        while parts.len() > 1 {
            let n = self.lanes(self.type_of(parts[0]));
            let mask: Vec<u32> = (0..2 * n).collect();
            parts =
                parts.chunks(2).map(|c| if c.len() == 2 { self.shuffle(c[0], c[1], &mask) } else { c[0] }).collect();
        }
        parts[0]
    }
    pub fn slice(&self, v: V, start: u32, n: u32) -> V {
        if self.lanes(self.type_of(v)) == n {
            return v;
        }
        self.shuffle1(v, &(start..start + n).collect::<Vec<_>>())
    }
    pub fn reduce(&self, what: &str, v: V) -> V {
        let t = self.type_of(v);
        self.intrinsic(&format!("llvm.vector.reduce.{what}.{}", self.suffix(t)), self.elem(t), &[v])
    }

    // ---- memory ------------------------------------------------------------------------------
    /// A stack slot in the entry block of the current function.
    pub fn structure(&self, members: &[T]) -> T {
        unsafe { LLVMStructTypeInContext(self.context, members.as_ptr().cast_mut(), members.len() as c_uint, 0) }
    }
    pub fn extract_value(&self, v: V, i: u32) -> V {
        unsafe { LLVMBuildExtractValue(self.builder, v, i, c"".as_ptr()) }
    }
    /// Text for the assembler that computes a value from its operands.
    pub fn plain_asm(&self, text: &str, constraints: &str, ret: T, args: &[V]) -> V {
        let types: Vec<T> = args.iter().map(|a| self.type_of(*a)).collect();
        let ty = self.fn_type(ret, &types);
        unsafe {
            let f = LLVMGetInlineAsm(
                ty,
                text.as_ptr().cast(),
                text.len(),
                constraints.as_ptr().cast(),
                constraints.len(),
                0,
                0,
                llvm_sys::LLVMInlineAsmDialect::LLVMInlineAsmDialectATT,
                0,
            );
            let call = self.call(ty, f, args);
            self.call_attr(call, "nounwind");
            call
        }
    }
    /// The same, where all threads that run together must reach it together.
    pub fn convergent_asm(&self, text: &str, constraints: &str, ret: T, args: &[V]) -> V {
        let call = self.plain_asm(text, constraints, ret, args);
        self.call_attr(call, "convergent");
        call
    }
    pub fn call_attr(&self, call: V, name: &str) {
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(name.as_ptr().cast(), name.len());
            let a = LLVMCreateEnumAttribute(self.context, kind, 0);
            LLVMAddCallSiteAttribute(call, llvm_sys::LLVMAttributeFunctionIndex, a);
        }
    }

    pub fn alloca(&self, t: T, align: u32) -> V {
        unsafe {
            let here = self.current();
            let entry = LLVMGetEntryBasicBlock(self.current_function());
            let first = LLVMGetFirstInstruction(entry);
            if first.is_null() {
                LLVMPositionBuilderAtEnd(self.builder, entry);
            } else {
                LLVMPositionBuilderBefore(self.builder, first);
            }
            let a = LLVMBuildAlloca(self.builder, t, NAME);
            if align != 0 {
                LLVMSetAlignment(a, align);
            }
            LLVMPositionBuilderAtEnd(self.builder, here);
            a
        }
    }
    /// Memory of the function that holds zeros when it starts.
    pub fn zeroed_alloca(&self, t: T, align: u32) -> V {
        let a = self.alloca(t, align);
        unsafe {
            let here = self.current();
            LLVMPositionBuilderBefore(self.builder, LLVMGetNextInstruction(a));
            self.store(self.zero(t), a, align);
            LLVMPositionBuilderAtEnd(self.builder, here);
        }
        a
    }
    pub fn load(&self, t: T, p: V, align: u32) -> V {
        unsafe {
            let v = LLVMBuildLoad2(self.builder, t, p, NAME);
            if align != 0 {
                LLVMSetAlignment(v, align);
            }
            v
        }
    }
    pub fn store(&self, v: V, p: V, align: u32) -> V {
        unsafe {
            let s = LLVMBuildStore(self.builder, v, p);
            if align != 0 {
                LLVMSetAlignment(s, align);
            }
            s
        }
    }
    /// What a value is the extension of, and whether by its sign.
    pub fn widened(&self, v: V) -> Option<(V, bool)> {
        unsafe {
            if LLVMIsACastInst(v).is_null() {
                return None;
            }
            match LLVMGetInstructionOpcode(v) {
                LLVMOpcode::LLVMZExt => Some((LLVMGetOperand(v, 0), false)),
                LLVMOpcode::LLVMSExt => Some((LLVMGetOperand(v, 0), true)),
                _ => None,
            }
        }
    }
    /// The width of a type of numbers, or of the elements of a vector of them.
    pub fn bits(&self, t: T) -> u32 {
        let elem = if self.is_vector(t) { self.elem(t) } else { t };
        match unsafe { LLVMGetTypeKind(elem) } {
            LLVMTypeKind::LLVMHalfTypeKind | LLVMTypeKind::LLVMBFloatTypeKind => 16,
            LLVMTypeKind::LLVMFloatTypeKind => 32,
            LLVMTypeKind::LLVMDoubleTypeKind => 64,
            _ => unsafe { LLVMGetIntTypeWidth(elem) },
        }
    }
    pub fn set_volatile(&self, access: V) {
        unsafe { LLVMSetVolatile(access, 1) }
    }
    pub fn set_ordering(&self, access: V, ordering: LLVMAtomicOrdering) {
        unsafe { LLVMSetOrdering(access, ordering) }
    }
    /// `p + offset` bytes; vectors of offsets give vectors of pointers.
    pub fn gep(&self, p: V, offset: V) -> V {
        self.gep_typed(self.int(8), p, offset)
    }
    pub fn gep_typed(&self, t: T, p: V, index: V) -> V {
        unsafe {
            let mut i = index;
            LLVMBuildGEP2(self.builder, t, p, &raw mut i, 1, NAME)
        }
    }
    pub fn gep_const(&self, p: V, offset: u64) -> V {
        if offset == 0 { p } else { self.gep(p, self.c64(offset)) }
    }
    pub fn atomic_rmw(&self, op: LLVMAtomicRMWBinOp, p: V, v: V) -> V {
        unsafe { LLVMBuildAtomicRMW(self.builder, op, p, v, LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic, 0) }
    }
    /// The value found there.
    pub fn cmpxchg(&self, p: V, expected: V, desired: V) -> V {
        let o = LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic;
        unsafe {
            let r = LLVMBuildAtomicCmpXchg(self.builder, p, expected, desired, o, o, 0);
            LLVMBuildExtractValue(self.builder, r, 0, NAME)
        }
    }
    pub fn fence(&self, ordering: LLVMAtomicOrdering) {
        unsafe { LLVMBuildFence(self.builder, ordering, 0, NAME) };
    }
    /// Loads only the lanes in `mask`; the others are `pass`.
    pub fn masked_load(&self, t: T, p: V, align: u32, mask: V, pass: V) -> V {
        let name = format!("llvm.masked.load.{}.p0", self.suffix(t));
        let call = self.intrinsic(&name, t, &[p, mask, pass]);
        self.call_align(call, 1, align);
        call
    }
    pub fn masked_store(&self, v: V, p: V, align: u32, mask: V) -> V {
        let name = format!("llvm.masked.store.{}.p0", self.suffix(self.type_of(v)));
        let call = self.intrinsic(&name, self.void(), &[v, p, mask]);
        self.call_align(call, 2, align);
        call
    }
    pub fn gather(&self, t: T, ptrs: V, align: u32, mask: V, pass: V) -> V {
        let name = format!("llvm.masked.gather.{}.{}", self.suffix(t), self.suffix(self.type_of(ptrs)));
        let call = self.intrinsic(&name, t, &[ptrs, mask, pass]);
        self.call_align(call, 1, align);
        call
    }
    pub fn scatter(&self, v: V, ptrs: V, align: u32, mask: V) -> V {
        let name = format!("llvm.masked.scatter.{}.{}", self.suffix(self.type_of(v)), self.suffix(self.type_of(ptrs)));
        let call = self.intrinsic(&name, self.void(), &[v, ptrs, mask]);
        self.call_align(call, 2, align);
        call
    }
    /// Sets the alignment of a pointer argument (1-based index).
    fn call_align(&self, call: V, index: c_uint, align: u32) {
        unsafe {
            let kind = LLVMGetEnumAttributeKindForName(c"align".as_ptr(), 5);
            let a = LLVMCreateEnumAttribute(self.context, kind, u64::from(align.max(1)));
            LLVMAddCallSiteAttribute(call, index, a);
        }
    }

    // ---- metadata and globals ------------------------------------------------------------------
    pub fn md_string(&self, text: &str) -> LLVMMetadataRef {
        unsafe { LLVMMDStringInContext2(self.context, text.as_ptr().cast(), text.len()) }
    }
    pub fn md_node(&self, parts: &[LLVMMetadataRef]) -> LLVMMetadataRef {
        unsafe { LLVMMDNodeInContext2(self.context, parts.as_ptr().cast_mut(), parts.len()) }
    }
    /// Says how a loop, by the branch back to its start, should be unrolled.
    pub fn loop_hint(&self, back: V, name: &str, value: Option<u32>) {
        let mut hint = vec![self.md_string(name)];
        hint.extend(value.map(|v| self.md_int(v)));
        let hint = self.md_node(&hint);
        // The node of a loop has itself as first operand.
        unsafe {
            let placeholder = LLVMTemporaryMDNode(self.context, ptr::null_mut(), 0);
            let node = self.md_node(&[placeholder, hint]);
            LLVMMetadataReplaceAllUsesWith(placeholder, node);
            self.set_md(back, "llvm.loop", node);
        }
    }
    /// Whether something was said about a loop.
    pub fn has_loop_hint(&self, back: V) -> bool {
        let kind = "llvm.loop";
        unsafe {
            let id = LLVMGetMDKindIDInContext(self.context, kind.as_ptr().cast(), kind.len() as c_uint);
            !LLVMGetMetadata(back, id).is_null()
        }
    }
    /// A loop around a kernel, by the branch back to its start, is left as it is. What the loop does is much already: to find
    /// out how often it runs, and to repeat it, took a third of the time for a small kernel and gained nothing
    /// (`benches/cpu.py`).
    pub fn stays(&self, back: V) {
        self.loop_hint(back, "llvm.loop.unroll.disable", None);
    }
    pub fn set_md(&self, v: V, kind: &str, node: LLVMMetadataRef) {
        unsafe {
            if LLVMIsAInstruction(v).is_null() {
                return;
            }
            let id = LLVMGetMDKindIDInContext(self.context, kind.as_ptr().cast(), kind.len() as c_uint);
            LLVMSetMetadata(v, id, LLVMMetadataAsValue(self.context, node));
        }
    }
    pub fn md_int(&self, value: u32) -> LLVMMetadataRef {
        unsafe { LLVMValueAsMetadata(self.c32(value)) }
    }
    /// Carries vectors of `i1` over joins as vectors of `i32`, all ones or zero: the form in which
    /// machines without mask registers compare and blend. Instruction selection would pack them into
    /// bytes. Last of all: LLVM's passes would undo it.
    pub fn widen_mask_phis(&self) {
        let mut phis = Vec::new();
        // SAFETY: walks the lists of a live module; nothing is changed on the way.
        unsafe {
            let mut f = LLVMGetFirstFunction(self.module);
            while !f.is_null() {
                let mut b = LLVMGetFirstBasicBlock(f);
                while !b.is_null() {
                    let mut i = LLVMGetFirstInstruction(b);
                    while !i.is_null() && !LLVMIsAPHINode(i).is_null() {
                        let t = LLVMTypeOf(i);
                        if self.is_vector(t) && self.elem(t) == self.int(1) {
                            phis.push((b, i));
                        }
                        i = LLVMGetNextInstruction(i);
                    }
                    b = LLVMGetNextBasicBlock(b);
                }
                f = LLVMGetNextFunction(f);
            }
        }
        let mut wide = Vec::new();
        for &(block, phi) in &phis {
            let t = self.type_of(phi);
            let to = self.vec(self.int(32), self.lanes(t));
            // SAFETY: `phi` is an instruction of `block`, which has one that is no phi: its terminator.
            unsafe {
                LLVMPositionBuilderBefore(self.builder, phi);
                let new = LLVMBuildPhi(self.builder, to, c"".as_ptr());
                let mut after = LLVMGetFirstInstruction(block);
                while !LLVMIsAPHINode(after).is_null() {
                    after = LLVMGetNextInstruction(after);
                }
                LLVMPositionBuilderBefore(self.builder, after);
                wide.push(new);
                LLVMReplaceAllUsesWith(phi, self.icmp(LLVMIntPredicate::LLVMIntSLT, new, self.zero(to)));
            }
        }
        for (&(_, phi), new) in phis.iter().zip(wide) {
            let to = self.type_of(new);
            // SAFETY: the old phi is still in its block, with the incoming values it had or their replacements.
            unsafe {
                let incoming: Vec<(V, B)> = (0..LLVMCountIncoming(phi))
                    .map(|k| (LLVMGetIncomingValue(phi, k), LLVMGetIncomingBlock(phi, k)))
                    .map(|(v, from)| {
                        self.before_terminator(from);
                        (self.sext(v, to), from)
                    })
                    .collect();
                self.add_incoming(new, &incoming);
            }
        }
        for (_, phi) in phis {
            // SAFETY: nothing uses it any more but other such phis, which go too.
            unsafe {
                LLVMReplaceAllUsesWith(phi, LLVMGetPoison(LLVMTypeOf(phi)));
                LLVMInstructionEraseFromParent(phi);
            }
        }
    }
    /// A constant byte array.
    pub fn constant_bytes(&self, name: &str, bytes: &[u8], align: u32) -> V {
        self.constant_with_pointers(name, bytes, &[], align)
    }
    /// Constant bytes with addresses of other constants in them.
    pub fn constant_with_pointers(&self, name: &str, bytes: &[u8], pointers: &[(u64, V, u64)], align: u32) -> V {
        unsafe {
            let init = match pointers {
                [] => LLVMConstStringInContext2(self.context, bytes.as_ptr().cast(), bytes.len(), 1),
                _ => self.bytes_with_pointers(bytes, pointers),
            };
            let g = LLVMAddGlobal(self.module, LLVMTypeOf(init), c_string(name).as_ptr());
            LLVMSetInitializer(g, init);
            LLVMSetGlobalConstant(g, 1);
            LLVMSetLinkage(g, LLVMLinkage::LLVMPrivateLinkage);
            LLVMSetAlignment(g, align.max(1));
            g
        }
    }
    /// The bytes of a constant in which addresses of other constants stand: at an offset a global and the place in it.
    fn bytes_with_pointers(&self, bytes: &[u8], pointers: &[(u64, V, u64)]) -> V {
        let mut pointers = pointers.to_vec();
        pointers.sort_by_key(|p| p.0);
        let text = |b: &[u8]| unsafe { LLVMConstStringInContext2(self.context, b.as_ptr().cast(), b.len(), 1) };
        let mut parts = Vec::new();
        let mut at = 0;
        for (offset, target, addend) in pointers {
            let offset = offset as usize;
            if offset < at || offset + 8 > bytes.len() {
                continue;
            }
            parts.push(text(&bytes[at..offset]));
            unsafe {
                let mut index = self.c64(addend);
                let place = LLVMConstInBoundsGEP2(self.int(8), target, &mut index, 1);
                parts.push(LLVMConstPointerCast(place, self.ptr()));
            }
            at = offset + 8;
        }
        parts.push(text(&bytes[at..]));
        unsafe { LLVMConstStructInContext(self.context, parts.as_mut_ptr(), parts.len() as c_uint, 1) }
    }
    // ---- address spaces and synchronization scopes (GPUs) ------------------------------------
    pub fn ptr_in(&self, space: u32) -> T {
        unsafe { LLVMPointerTypeInContext(self.context, space) }
    }
    pub fn int_to_ptr_in(&self, v: V, space: u32) -> V {
        self.cast(LLVMOpcode::LLVMIntToPtr, v, self.ptr_in(space))
    }
    /// Bytes in an address space: a constant with `init`; uninitialized memory of each threadgroup, or (with
    /// size 0) memory whose size the launch decides, without.
    pub fn global_bytes(
        &self,
        name: &str,
        size: u64,
        init: Option<(&[u8], &[(u64, V, u64)])>,
        align: u32,
        space: u32,
    ) -> V {
        unsafe {
            let mut value = None;
            if let Some((bytes, pointers)) = init {
                let mut bytes = bytes.to_vec();
                bytes.resize(size as usize, 0);
                value = Some(match pointers {
                    [] => LLVMConstStringInContext2(self.context, bytes.as_ptr().cast(), bytes.len(), 1),
                    _ => self.bytes_with_pointers(&bytes, pointers),
                });
            }
            let ty = value.map_or_else(|| self.array(self.int(8), size), |v| LLVMTypeOf(v));
            let g = LLVMAddGlobalInAddressSpace(self.module, ty, c_string(name).as_ptr(), space);
            LLVMSetAlignment(g, align.max(1));
            if let Some(value) = value {
                LLVMSetInitializer(g, value);
                LLVMSetGlobalConstant(g, 1);
                LLVMSetLinkage(g, LLVMLinkage::LLVMInternalLinkage);
            } else if size > 0 {
                LLVMSetInitializer(g, LLVMGetUndef(ty));
                LLVMSetLinkage(g, LLVMLinkage::LLVMInternalLinkage);
            }
            g
        }
    }
    /// The number of a synchronization scope such as `device`.
    fn scope(&self, name: &str) -> c_uint {
        unsafe { LLVMGetSyncScopeID(self.context, name.as_ptr().cast(), name.len()) }
    }
    pub fn atomic_rmw_in(&self, op: LLVMAtomicRMWBinOp, p: V, v: V, scope: &str) -> V {
        let order = LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic;
        unsafe { LLVMBuildAtomicRMWSyncScope(self.builder, op, p, v, order, self.scope(scope)) }
    }
    /// The value found there.
    pub fn cmpxchg_in(&self, p: V, expected: V, desired: V, scope: &str) -> V {
        let o = LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic;
        unsafe {
            let r = LLVMBuildAtomicCmpXchgSyncScope(self.builder, p, expected, desired, o, o, self.scope(scope));
            LLVMBuildExtractValue(self.builder, r, 0, NAME)
        }
    }
    /// Makes a load or store atomic (relaxed) at a scope.
    pub fn set_atomic_in(&self, access: V, scope: &str) {
        unsafe {
            LLVMSetOrdering(access, LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic);
            LLVMSetAtomicSyncScopeID(access, self.scope(scope));
        }
    }
    /// Copies bytes between address spaces.
    pub fn copy_bytes(&self, to: V, to_space: u32, from: V, from_space: u32, size: u64, align: u32) {
        let name = format!("llvm.memcpy.p{to_space}.p{from_space}.i64");
        let call = self.intrinsic(&name, self.void(), &[to, from, self.c64(size), self.cbool(false)]);
        self.call_align(call, 1, align);
        self.call_align(call, 2, align);
    }
    pub fn fence_in(&self, scope: &str) {
        let order = LLVMAtomicOrdering::LLVMAtomicOrderingAcquireRelease;
        unsafe { LLVMBuildFenceSyncScope(self.builder, order, self.scope(scope), NAME) };
    }

    pub fn to_text(&self) -> String {
        unsafe { take_message(LLVMPrintModuleToString(self.module)) }
    }
    /// The verifier's complaint, if it has one.
    pub fn verify(&self) -> Result<(), String> {
        unsafe {
            let mut message = ptr::null_mut();
            let action = llvm_sys::analysis::LLVMVerifierFailureAction::LLVMReturnStatusAction;
            let bad = llvm_sys::analysis::LLVMVerifyModule(self.module, action, &raw mut message);
            let text = take_message(message);
            if bad != 0 { Err(text) } else { Ok(()) }
        }
    }
}
