//! The types of operands and results, operation by operation.

use super::Verifier;
use crate::*;

type Check = Result<(), String>;

fn require(condition: bool, rule: &str) -> Check {
    if condition { Ok(()) } else { Err(rule.to_owned()) }
}

/// Checks one instruction whose operands exist; the error is the rule it breaks.
pub(super) fn check(v: &Verifier<'_>, function: &Function, inst: &Inst) -> Check {
    let c = Checker { v, types: &v.module.types, function, inst };
    if !matches!(inst.fp, FpFlags::STRICT | FpFlags::CONTRACT | FpFlags::FAST) {
        return Err("float flags are none, contract or fast".into());
    }
    if c.is_void(inst.ty) != c.has_no_value() {
        return Err(if c.has_no_value() { "this operation has no value" } else { "this operation has a value" }.into());
    }
    if !c.is_void(inst.ty) && !v.is_value_type(inst.ty) {
        return Err("a value is a scalar, an unpacked vector or a pointer".into());
    }
    c.op()
}

struct Checker<'a> {
    v: &'a Verifier<'a>,
    types: &'a TypeTable,
    function: &'a Function,
    inst: &'a Inst,
}

impl Checker<'_> {
    fn is_void(&self, ty: TypeId) -> bool {
        *self.types.get(ty) == Type::Void
    }
    fn ty(&self, value: ValueId) -> TypeId {
        self.function.insts[value].ty
    }
    fn scalar(&self, value: ValueId) -> Option<Scalar> {
        self.types.scalar_of(self.ty(value))
    }
    fn is_scalar(&self, ty: TypeId, scalar: Scalar) -> bool {
        *self.types.get(ty) == Type::Scalar(scalar)
    }
    fn is_vector(&self, ty: TypeId) -> bool {
        matches!(self.types.get(ty), Type::Vector { .. })
    }
    fn is_integer_scalar(&self, value: ValueId) -> bool {
        matches!(self.types.get(self.ty(value)), Type::Scalar(s) if s.is_integer())
    }
    fn pointee(&self, value: ValueId) -> Result<(AddressSpace, TypeId), String> {
        self.types.pointee(self.ty(value)).ok_or_else(|| format!("{value} is a pointer"))
    }
    /// The result is a pointer to that type in that space.
    fn gives_pointer(&self, space: AddressSpace, pointee: TypeId) -> Check {
        let found = self.types.pointee(self.inst.ty);
        require(found == Some((space, pointee)), "the result points to that object in the address space of the base")
    }
    fn has_no_value(&self) -> bool {
        match &self.inst.op {
            Op::Store { .. }
            | Op::Copy { .. }
            | Op::Fence { .. }
            | Op::Barrier { .. }
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable
            | Op::Atomic { op: AtomicOp::Store, .. } => true,
            Op::Call { function, .. } => self.v.module.functions.get(*function).is_some_and(|f| self.v.is_void(f.ret)),
            _ => false,
        }
    }
    fn same_types(&self, values: &[ValueId]) -> Check {
        let same = values.iter().all(|&v| self.ty(v) == self.inst.ty);
        require(same, "operands and result have the same type")
    }
    /// The result has the operand's shape with that component type.
    fn shaped_like(&self, value: ValueId, elem: Scalar) -> Check {
        let count = self.types.component_count(self.ty(value));
        let fits =
            self.types.component_count(self.inst.ty) == count && self.types.scalar_of(self.inst.ty) == Some(elem);
        require(fits, &format!("the result is {} in the shape of the operand", elem.name()))
    }
    fn alignment(&self, align: u32) -> Check {
        require(align.is_power_of_two(), "an alignment is a power of two")
    }
    /// What a load gives and a store takes.
    fn is_unpacked(&self, pointee: TypeId, value: TypeId) -> bool {
        match (self.types.get(pointee), self.types.get(value)) {
            (
                Type::Vector { elem, len, packed: true },
                Type::Vector { elem: value_elem, len: value_len, packed: false },
            ) => elem == value_elem && len == value_len,
            _ => pointee == value,
        }
    }

    fn op(&self) -> Check {
        let ty = self.inst.ty;
        match &self.inst.op {
            Op::Const(bits) => match self.types.scalar_of(ty) {
                Some(s) => require(s.bits() == 64 || bits >> s.bits() == 0, "the bits of a constant fit its type"),
                None => require(*bits == 0, "a constant pointer is null"),
            },
            Op::Undef => Ok(()),
            Op::Splat(a) => {
                let matches =
                    self.is_vector(ty) && self.types.scalar_of(ty).is_some_and(|s| self.is_scalar(self.ty(*a), s));
                require(matches, "splat makes a vector from one scalar of its component type")
            }
            Op::Compose(list) => {
                let elem = self.types.scalar_of(ty);
                require(
                    self.is_vector(ty)
                        && list.len() == usize::from(self.types.component_count(ty))
                        && list.iter().all(|&v| elem.is_some_and(|s| self.is_scalar(self.ty(v), s))),
                    "compose makes a vector from one scalar per component",
                )
            }
            Op::Extract { vector, index } => {
                self.component(*vector, ty)?;
                self.in_range(*vector, *index)
            }
            Op::ExtractDynamic { vector, index } => {
                self.component(*vector, ty)?;
                require(self.is_scalar(self.ty(*index), Scalar::U32), "the index is u32")
            }
            Op::Insert { vector, value, index } => {
                self.same_types(&[*vector])?;
                self.component(*vector, self.ty(*value))?;
                self.in_range(*vector, *index)
            }
            Op::InsertDynamic { vector, value, index } => {
                self.same_types(&[*vector])?;
                self.component(*vector, self.ty(*value))?;
                require(self.is_scalar(self.ty(*index), Scalar::U32), "the index is u32")
            }
            Op::Shuffle { vector, components } => {
                require(self.is_vector(self.ty(*vector)), "the operand is a vector")?;
                components.iter().try_for_each(|&c| self.in_range(*vector, c))?;
                require(
                    self.is_vector(ty)
                        && components.len() == usize::from(self.types.component_count(ty))
                        && self.types.scalar_of(ty) == self.scalar(*vector),
                    "shuffle makes a vector of as many components as it names",
                )
            }
            Op::Unary(op, a) => self.unary(*op, *a),
            Op::Binary(op, a, b) => self.binary(*op, *a, *b),
            Op::Compare(op, a, b) => self.compare(*op, *a, *b),
            Op::Select { condition, a, b } => {
                self.same_types(&[*a, *b])?;
                let condition = self.ty(*condition);
                let count = self.types.component_count(condition);
                require(
                    self.types.scalar_of(condition) == Some(Scalar::Bool)
                        && (count == 1 || (self.is_vector(ty) && count == self.types.component_count(ty))),
                    "the condition is bool, or a vector of bool in the shape of the result",
                )
            }
            Op::Fma(a, b, c) => {
                self.same_types(&[*a, *b, *c])?;
                require(self.scalar(*a).is_some_and(Scalar::is_float), "the operands are floats")
            }
            Op::Convert(a) => {
                let both = self.scalar(*a).is_some() && self.types.scalar_of(ty).is_some();
                let same = self.types.component_count(self.ty(*a)) == self.types.component_count(ty);
                require(both && same, "convert is between scalars, or vectors of one length")
            }
            Op::Bitcast(a) => {
                let bits = |ty: TypeId| match self.types.scalar_of(ty) {
                    None | Some(Scalar::Bool) => None,
                    Some(s) => Some(s.bits() * u32::from(self.types.component_count(ty))),
                };
                let from = bits(self.ty(*a));
                require(from.is_some() && from == bits(ty), "bitcast is between numbers of one size in bits")
            }
            Op::Param(n) => {
                require(self.function.params.get(*n as usize) == Some(&ty), "the function has that parameter and type")
            }
            Op::LocalAddr(local) => match self.function.locals.get(*local) {
                Some(l) => self.gives_pointer(AddressSpace::Thread, l.ty),
                None => Err("the local exists".into()),
            },
            Op::GlobalAddr(global) => match self.v.module.globals.get(*global) {
                Some(g) => self.gives_pointer(g.space, g.ty),
                None => Err("the global exists".into()),
            },
            Op::FieldAddr { base, field } => {
                let (space, pointee) = self.pointee(*base)?;
                let Type::Struct(s) = *self.types.get(pointee) else {
                    return Err("the base points to a structure".into());
                };
                match self.types.structure(s).fields.get(*field as usize) {
                    Some(f) => self.gives_pointer(space, f.ty),
                    None => Err("the structure has that field".into()),
                }
            }
            Op::IndexAddr { base, index } => {
                let (space, pointee) = self.pointee(*base)?;
                require(self.is_integer_scalar(*index), "the index is an integer")?;
                match *self.types.get(pointee) {
                    Type::Array { elem, .. } => self.gives_pointer(space, elem),
                    Type::Vector { elem, .. } => {
                        let found = self.types.pointee(ty);
                        let fits = found.is_some_and(|(s, p)| s == space && self.is_scalar(p, elem));
                        require(fits, "the result points to a component in the address space of the base")
                    }
                    _ => Err("the base points to an array or vector".into()),
                }
            }
            Op::PtrOffset { base, offset } => {
                self.pointee(*base)?;
                self.same_types(&[*base])?;
                require(self.is_integer_scalar(*offset), "the offset is an integer")
            }
            Op::PtrCast(a) => {
                let (space, _) = self.pointee(*a)?;
                let found = self.types.pointee(ty).map(|(s, _)| s);
                require(found == Some(space), "ptr_cast keeps the address space")
            }
            Op::PtrDiff(a, b) => {
                let ((sa, _), (sb, _)) = (self.pointee(*a)?, self.pointee(*b)?);
                require(sa == sb, "both pointers are in one address space")?;
                require(self.is_scalar(ty, Scalar::I64), "the result is i64")
            }
            Op::PtrToInt(a) => {
                self.pointee(*a)?;
                require(self.is_scalar(ty, Scalar::U64), "the result is u64")
            }
            Op::IntToPtr(a) => {
                require(self.is_scalar(self.ty(*a), Scalar::U64), "the operand is u64")?;
                require(self.types.pointee(ty).is_some(), "the result is a pointer")
            }
            Op::AssumeValid(a) => {
                self.pointee(*a)?;
                self.same_types(&[*a])
            }
            Op::Load { ptr, align, .. } => {
                let (_, pointee) = self.pointee(*ptr)?;
                self.alignment(*align)?;
                require(
                    self.is_unpacked(pointee, ty),
                    "a load gives the scalar, vector (unpacked) or pointer pointed to",
                )
            }
            Op::Store { ptr, value, align, .. } => {
                let (space, pointee) = self.pointee(*ptr)?;
                self.alignment(*align)?;
                require(space != AddressSpace::Constant, "constant memory is not written")?;
                require(
                    self.is_unpacked(pointee, self.ty(*value)),
                    "a store takes the scalar, vector (unpacked) or pointer pointed to",
                )
            }
            Op::Copy { dst, src, align } => {
                let ((space, to), (_, from)) = (self.pointee(*dst)?, self.pointee(*src)?);
                self.alignment(*align)?;
                require(space != AddressSpace::Constant, "constant memory is not written")?;
                require(to == from, "both pointers have one pointee type")
            }
            Op::Atomic { op, ptr, value, .. } => {
                let scalar = self.atomic(*ptr)?;
                let allowed = match op {
                    AtomicOp::Load | AtomicOp::Store | AtomicOp::Exchange => true,
                    AtomicOp::Add | AtomicOp::Sub | AtomicOp::Min | AtomicOp::Max => scalar != Scalar::Bool,
                    AtomicOp::And | AtomicOp::Or | AtomicOp::Xor => !scalar.is_float(),
                };
                require(allowed, "the atomic operation is defined on that type")?;
                require(value.is_some() == (*op != AtomicOp::Load), "all atomic operations but load take a value")?;
                if let Some(value) = value {
                    require(self.is_scalar(self.ty(*value), scalar), "the value has the pointee type")?;
                }
                require(*op == AtomicOp::Store || self.is_scalar(ty, scalar), "the result has the pointee type")
            }
            Op::CompareExchange { ptr, expected, desired, .. } => {
                let scalar = self.atomic(*ptr)?;
                let all = [self.ty(*expected), self.ty(*desired), ty];
                require(all.iter().all(|&t| self.is_scalar(t, scalar)), "operands and result have the pointee type")
            }
            Op::Fence { .. } | Op::Barrier { .. } | Op::Trap(_) | Op::Loop { .. } | Op::Scope { .. } => Ok(()),
            Op::Break(_) | Op::Continue(_) | Op::Unreachable => Ok(()),
            Op::Builtin(b) => {
                let count = if b.is_vector() { 3 } else { 1 };
                let fits = self.types.scalar_of(ty) == Some(Scalar::U32) && self.types.component_count(ty) == count;
                require(fits, "a builtin is u32, or vec3<u32>")
            }
            Op::Simd(op, args) => self.simd(*op, args),
            Op::Log { format, args } => {
                let space = self.v.module.globals.get(*format).map(|g| g.space);
                require(space == Some(AddressSpace::Constant), "the format is a constant global")?;
                require(args.iter().all(|&a| self.v.is_value_type(self.ty(a))), "the arguments are values")
            }
            Op::Call { function, args } => {
                let Some(callee) = self.v.module.functions.get(*function) else {
                    return Err("the function exists".into());
                };
                let fits = args.len() == callee.params.len()
                    && args.iter().zip(&callee.params).all(|(&a, &p)| self.ty(a) == p);
                require(fits, "the arguments have the types of the parameters")?;
                require(ty == callee.ret, "the result has the type that the function returns")
            }
            Op::If { condition, .. } => {
                require(self.is_scalar(self.ty(*condition), Scalar::Bool), "the condition is bool")
            }
            Op::Switch { value, cases, .. } => self.switch(*value, cases),
            Op::Return(value) => match value {
                None => require(self.is_void(self.function.ret), "the function returns a value"),
                Some(v) => require(self.ty(*v) == self.function.ret, "the value has the type the function returns"),
            },
        }
    }

    fn component(&self, vector: ValueId, component: TypeId) -> Check {
        let elem = self.scalar(vector);
        require(
            self.is_vector(self.ty(vector)) && elem.is_some_and(|s| self.is_scalar(component, s)),
            "the component has the component type of a vector",
        )
    }
    fn in_range(&self, vector: ValueId, index: u8) -> Check {
        require(index < self.types.component_count(self.ty(vector)), "the vector has that component")
    }

    fn unary(&self, op: UnaryOp, a: ValueId) -> Check {
        let Some(scalar) = self.scalar(a) else { return Err("the operand is a scalar or vector".into()) };
        match op {
            UnaryOp::Neg | UnaryOp::Abs => require(scalar != Scalar::Bool, "the operand is a number")?,
            UnaryOp::Not => require(!scalar.is_float(), "the operand is an integer or bool")?,
            UnaryOp::Sqrt
            | UnaryOp::Rsqrt
            | UnaryOp::Floor
            | UnaryOp::Ceil
            | UnaryOp::Trunc
            | UnaryOp::RoundEven
            | UnaryOp::IsNan
            | UnaryOp::IsInf => require(scalar.is_float(), "the operand is a float")?,
            UnaryOp::PopCount | UnaryOp::LeadingZeros | UnaryOp::TrailingZeros | UnaryOp::ReverseBits => {
                require(scalar.is_integer(), "the operand is an integer")?;
            }
        }
        match op {
            UnaryOp::IsNan | UnaryOp::IsInf => self.shaped_like(a, Scalar::Bool),
            _ => self.same_types(&[a]),
        }
    }

    fn binary(&self, op: BinaryOp, a: ValueId, b: ValueId) -> Check {
        self.same_types(&[a, b])?;
        let Some(scalar) = self.scalar(a) else { return Err("the operands are scalars or vectors".into()) };
        match op {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Min | BinaryOp::Max => {
                require(scalar != Scalar::Bool, "the operands are numbers")
            }
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor => {
                require(!scalar.is_float(), "the operands are integers or bool")
            }
            BinaryOp::CopySign => require(scalar.is_float(), "the operands are floats"),
            BinaryOp::Rem | BinaryOp::Shl | BinaryOp::Shr | BinaryOp::MulHigh | BinaryOp::AddSat | BinaryOp::SubSat => {
                require(scalar.is_integer(), "the operands are integers")
            }
        }
    }

    fn compare(&self, op: CompareOp, a: ValueId, b: ValueId) -> Check {
        require(self.ty(a) == self.ty(b), "the operands have one type")?;
        let is_equality = matches!(op, CompareOp::Eq | CompareOp::Ne);
        require(is_equality || self.scalar(a) != Some(Scalar::Bool), "bool is compared for equality only")?;
        self.shaped_like(a, Scalar::Bool)
    }

    fn atomic(&self, ptr: ValueId) -> Result<Scalar, String> {
        let (space, pointee) = self.pointee(ptr)?;
        require(
            matches!(space, AddressSpace::Device | AddressSpace::Threadgroup),
            "atomic operations are on device or threadgroup memory",
        )?;
        match *self.types.get(pointee) {
            Type::Scalar(s) if !matches!(s, Scalar::I16 | Scalar::U16 | Scalar::BF16) => Ok(s),
            _ => Err("an atomic is i32, u32, i64, u64, f32, f16, bool, i8 or u8".into()),
        }
    }

    fn simd(&self, op: SimdOp, args: &[ValueId]) -> Check {
        let count = match op {
            SimdOp::Shuffle => 2,
            SimdOp::MatrixMultiply => 3,
            SimdOp::IsFirst => 0,
            _ => 1,
        };
        require(args.len() == count, "the operation has that many operands")?;
        let ty = self.inst.ty;
        match op {
            SimdOp::MatrixMultiply => {
                let pair = |ty: TypeId| match *self.types.get(ty) {
                    Type::Vector { elem, len: 2, packed: false } if elem.is_float() => Some(elem),
                    _ => None,
                };
                let are_pairs = args.iter().all(|a| pair(self.ty(*a)).is_some());
                require(are_pairs, "the operands are pairs of floating-point numbers")?;
                require(ty == self.ty(args[2]), "the result has the type of the third operand")?;
                return require(pair(ty) == Some(Scalar::F32), "the third operand is a pair of f32");
            }
            SimdOp::MatrixTranspose => {
                let is_pair = |ty: TypeId| matches!(self.types.get(ty), Type::Vector { len: 2, packed: false, .. });
                require(is_pair(ty), "the operand is a pair")?;
            }
            SimdOp::IsFirst => return require(self.is_scalar(ty, Scalar::Bool), "the result is bool"),
            SimdOp::Ballot => {
                require(self.is_scalar(self.ty(args[0]), Scalar::Bool), "the operand is bool")?;
                return require(self.is_scalar(ty, Scalar::U64), "the result is u64");
            }
            _ => {}
        }
        self.same_types(&args[..1])?;
        let Some(scalar) = self.scalar(args[0]) else { return Err("the operand is a scalar or vector".into()) };
        match op {
            SimdOp::Shuffle => require(self.is_scalar(self.ty(args[1]), Scalar::U32), "the lane is u32"),
            SimdOp::BroadcastFirst
            | SimdOp::Ballot
            | SimdOp::IsFirst
            | SimdOp::MatrixMultiply
            | SimdOp::MatrixTranspose => Ok(()),
            SimdOp::ReduceAnd | SimdOp::ReduceOr | SimdOp::ReduceXor => {
                require(!scalar.is_float(), "the operand is an integer or bool")
            }
            SimdOp::ReduceAdd
            | SimdOp::ReduceMul
            | SimdOp::ReduceMin
            | SimdOp::ReduceMax
            | SimdOp::InclusiveAdd
            | SimdOp::ExclusiveAdd
            | SimdOp::InclusiveMul
            | SimdOp::ExclusiveMul => require(scalar != Scalar::Bool, "the operand is a number"),
        }
    }

    fn switch(&self, value: ValueId, cases: &[Case]) -> Check {
        require(self.is_integer_scalar(value), "the value is an integer")?;
        let scalar = self.scalar(value).unwrap_or(Scalar::I64);
        let mut values: Vec<i64> = cases.iter().flat_map(|c| c.values.iter().copied()).collect();
        let bits = scalar.bits();
        let fits = |v: i64| match (scalar.is_signed(), bits) {
            (_, 64) => true,
            (true, _) => (-(1i64 << (bits - 1))..1i64 << (bits - 1)).contains(&v),
            (false, _) => (0..1i64 << bits).contains(&v),
        };
        require(values.iter().all(|&v| fits(v)), "case values fit the type of the switch")?;
        values.sort_unstable();
        require(values.windows(2).all(|w| w[0] != w[1]), "case values are different")?;
        require(cases.iter().filter(|c| c.is_default).count() <= 1, "there is one default")
    }
}
