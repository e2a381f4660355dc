//! Entry points: how parameters get their values, and what the host is told (MSL specification, section 5.2).
//!
//! Resources become parameters of the IR function; positions and sizes are read by
//! [`ir::Op::Builtin`] where the function begins. `used` is left true for a pass to correct.

use msl_base::Symbol;
use msl_ir as ir;
use msl_sema::hir::{self, BuiltinInput, Input, InputKind, SpecialClass};
use msl_sema::types::{AddressSpace, Ty, TyKind};

use crate::Lowerer;
use crate::function::FunctionLowerer;
use crate::lvalue::Memory;
use crate::types::lower_scalar;

/// Nested deeper than this a host type is opaque.
const MAX_HOST_DEPTH: u32 = 32;

/// `None` is the origin of the grid, which is zero: Metal has no way to move it.
pub fn lower_builtin_input(builtin: BuiltinInput) -> Option<ir::Builtin> {
    Some(match builtin {
        BuiltinInput::ThreadPositionInGrid => ir::Builtin::ThreadPositionInGrid,
        BuiltinInput::ThreadPositionInThreadgroup => ir::Builtin::ThreadPositionInThreadgroup,
        BuiltinInput::ThreadgroupPositionInGrid => ir::Builtin::ThreadgroupPositionInGrid,
        BuiltinInput::ThreadsPerGrid | BuiltinInput::GridSize => ir::Builtin::ThreadsPerGrid,
        BuiltinInput::ThreadsPerThreadgroup => ir::Builtin::ThreadsPerThreadgroup,
        BuiltinInput::DispatchThreadsPerThreadgroup => ir::Builtin::DispatchThreadsPerThreadgroup,
        BuiltinInput::ThreadgroupsPerGrid => ir::Builtin::ThreadgroupsPerGrid,
        BuiltinInput::GridOrigin => return None,
        BuiltinInput::ThreadIndexInThreadgroup => ir::Builtin::ThreadIndexInThreadgroup,
        BuiltinInput::ThreadIndexInSimdgroup => ir::Builtin::ThreadIndexInSimdgroup,
        BuiltinInput::SimdgroupIndexInThreadgroup => ir::Builtin::SimdgroupIndexInThreadgroup,
        BuiltinInput::SimdgroupsPerThreadgroup => ir::Builtin::SimdgroupsPerThreadgroup,
        BuiltinInput::DispatchSimdgroupsPerThreadgroup => ir::Builtin::DispatchSimdgroupsPerThreadgroup,
        BuiltinInput::ThreadsPerSimdgroup => ir::Builtin::ThreadsPerSimdgroup,
        BuiltinInput::ThreadIndexInQuadgroup => ir::Builtin::ThreadIndexInQuadgroup,
        BuiltinInput::QuadgroupIndexInThreadgroup => ir::Builtin::QuadgroupIndexInThreadgroup,
        BuiltinInput::QuadgroupsPerThreadgroup => ir::Builtin::QuadgroupsPerThreadgroup,
        BuiltinInput::DispatchQuadgroupsPerThreadgroup => ir::Builtin::DispatchQuadgroupsPerThreadgroup,
    })
}

fn lower_dimension(dimension: hir::TextureDimension) -> ir::TextureDimension {
    match dimension {
        hir::TextureDimension::D1 => ir::TextureDimension::D1,
        hir::TextureDimension::D1Array => ir::TextureDimension::D1Array,
        hir::TextureDimension::D2 => ir::TextureDimension::D2,
        hir::TextureDimension::D2Array => ir::TextureDimension::D2Array,
        hir::TextureDimension::D2Multisample => ir::TextureDimension::D2Multisample,
        hir::TextureDimension::D2MultisampleArray => ir::TextureDimension::D2MultisampleArray,
        hir::TextureDimension::D3 => ir::TextureDimension::D3,
        hir::TextureDimension::Cube => ir::TextureDimension::Cube,
        hir::TextureDimension::CubeArray => ir::TextureDimension::CubeArray,
        hir::TextureDimension::Buffer => ir::TextureDimension::Buffer,
        hir::TextureDimension::Depth2D => ir::TextureDimension::Depth2D,
        hir::TextureDimension::Depth2DArray => ir::TextureDimension::Depth2DArray,
        hir::TextureDimension::DepthCube => ir::TextureDimension::DepthCube,
        hir::TextureDimension::DepthCubeArray => ir::TextureDimension::DepthCubeArray,
    }
}

fn lower_access(access: hir::TextureAccess) -> ir::Access {
    match access {
        hir::TextureAccess::Sample | hir::TextureAccess::Read => ir::Access::ReadOnly,
        hir::TextureAccess::Write => ir::Access::WriteOnly,
        hir::TextureAccess::ReadWrite => ir::Access::ReadWrite,
    }
}

impl Lowerer<'_> {
    pub fn lower_entry_point(&mut self, entry: &hir::EntryPoint) {
        let program = self.program;
        let source = &program.functions[entry.function];
        let mut f = FunctionLowerer::new(self, source);
        f.out.name = entry.name;
        let mut params = Vec::new();
        for (index, input) in entry.inputs.iter().enumerate() {
            f.at(input.span, |f| params.extend(f.lower_input(hir::LocalId(index as u32), input)));
        }
        f.lower_body();
        let lowered = f.out;
        let function = self.module.functions.push(lowered);
        self.module.entry_points.push(ir::EntryPoint {
            name: entry.name,
            function,
            params,
            max_total_threads: entry.max_total_threads,
            required_threads: entry.required_threads,
        });
    }

    fn pointee(&self, ty: Ty) -> Option<(AddressSpace, Ty, bool)> {
        match *self.kind(ty) {
            TyKind::Pointer { pointee, quals, space } => Some((space, pointee, quals.is_const)),
            TyKind::Reference { referent, quals, space, .. } => Some((space, referent, quals.is_const)),
            _ => None,
        }
    }

    /// The texture class of a texture, or of an array of them.
    fn texture(&self, ty: Ty) -> Option<(ir::TextureDimension, ir::Scalar, ir::Access)> {
        let class = self.class(ty)?;
        match class.special {
            SpecialClass::Texture { dimension, component, access } => {
                Some((lower_dimension(dimension), lower_scalar(component), lower_access(access)))
            }
            SpecialClass::Array { .. } => match *self.kind(class.fields.first()?.ty) {
                TyKind::Array { element, .. } => self.texture(element),
                _ => None,
            },
            _ => None,
        }
    }

    /// A type as the host lays it out.
    pub fn host_type(&mut self, ty: Ty, depth: u32) -> ir::HostType {
        let memory = self.memory_type(ty);
        let size = self.module.types.size_of(memory);
        let align = self.module.types.align_of(memory);
        let other = ir::HostType::Other { size, align };
        if depth > MAX_HOST_DEPTH {
            return other;
        }
        match *self.kind(ty) {
            TyKind::Scalar(scalar) => ir::HostType::Scalar(lower_scalar(scalar)),
            TyKind::Vector(elem, len) | TyKind::PackedVector(elem, len) => {
                ir::HostType::Vector { elem: lower_scalar(elem), len, size: size as u32 }
            }
            TyKind::Enum(id) => ir::HostType::Scalar(lower_scalar(self.program.enums[id].underlying)),
            TyKind::MemberPointer { .. } => ir::HostType::Scalar(ir::Scalar::U64),
            TyKind::Pointer { .. } | TyKind::Reference { .. } | TyKind::NullPtr => ir::HostType::Pointer,
            TyKind::Array { element, len, .. } => {
                let elem_ty = self.memory_type(element);
                let stride = self.module.types.size_of(elem_ty);
                let elem = Box::new(self.host_type(element, depth + 1));
                ir::HostType::Array { elem, len: len.unwrap_or(0), stride }
            }
            TyKind::Class(id) => {
                let program = self.program;
                let class = &program.classes[id];
                match class.special {
                    SpecialClass::Matrix { elem, columns, rows } => {
                        ir::HostType::Matrix { elem: lower_scalar(elem), columns, rows, size: size as u32 }
                    }
                    SpecialClass::Texture { .. } => ir::HostType::Texture,
                    SpecialClass::Sampler => ir::HostType::Sampler,
                    SpecialClass::FunctionTable => {
                        // `visible_function_table<int (float)>`
                        let name = class.name.as_str();
                        let inside = name.split_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(name);
                        ir::HostType::FunctionTable { function: Symbol::new(inside) }
                    }
                    // One field, and what the host writes is that field.
                    SpecialClass::Atomic | SpecialClass::Array { .. } => match class.fields.first() {
                        Some(field) => self.host_type(field.ty, depth + 1),
                        None => other,
                    },
                    SpecialClass::None | SpecialClass::SimdgroupMatrix => {
                        let mut fields = Vec::with_capacity(class.fields.len());
                        for (index, field) in class.fields.iter().enumerate() {
                            let name = field.name.unwrap_or_else(|| Symbol::new(&format!("field{index}")));
                            fields.push(ir::HostField {
                                name,
                                offset: field.offset,
                                ty: self.host_type(field.ty, depth + 1),
                            });
                        }
                        ir::HostType::Struct { name: class.name, size, align, fields }
                    }
                }
            }
            TyKind::Void => ir::HostType::Scalar(ir::Scalar::U8),
            TyKind::Error | TyKind::Function { .. } => other,
        }
    }
}

impl FunctionLowerer<'_, '_> {
    /// Gives one parameter of the kernel its value; the parameter of the IR function, if it becomes one.
    fn lower_input(&mut self, local: hir::LocalId, input: &Input) -> Option<ir::Param> {
        let param = |kind, index, access| Some(ir::Param { name: input.name, kind, index, access, used: true });
        match input.kind {
            InputKind::Builtin(builtin) => {
                let value = self.lower_builtin(builtin, input.ty);
                self.init_variable(local, value);
                None
            }
            InputKind::Absent => {
                let (ptr, align) = self.variable(local);
                self.clear(Memory { ptr, align, volatile: false });
                None
            }
            InputKind::Buffer { index, .. }
                if self.cx.class(input.ty).is_some_and(|c| c.special == SpecialClass::FunctionTable) =>
            {
                self.lower_handles(local, 1);
                let element = self.cx.host_type(input.ty, 0);
                let kind = ir::ParamKind::Buffer { is_constant: true, is_reference: false, element };
                param(kind, index, ir::Access::ReadOnly)
            }
            InputKind::Buffer { index, is_reference } => {
                let ty = self.cx.value_type(input.ty);
                let value = self.add_param(ty);
                self.init_variable(local, value);
                let Some((space, pointee, is_const)) = self.cx.pointee(input.ty) else {
                    self.cx.error("ice-lower-buffer", input.span, "a buffer that is not a pointer");
                    return None;
                };
                let is_constant = space == AddressSpace::Constant;
                let is_structure = self.cx.class(pointee).is_some_and(|c| c.special == SpecialClass::None);
                let element = self.cx.host_type(pointee, 0);
                let access = if is_constant || is_const { ir::Access::ReadOnly } else { ir::Access::ReadWrite };
                let is_reference = is_reference || (is_constant && is_structure);
                param(ir::ParamKind::Buffer { is_constant, is_reference, element }, index, access)
            }
            InputKind::Threadgroup { index, .. } => {
                let ty = self.cx.value_type(input.ty);
                let value = self.add_param(ty);
                self.init_variable(local, value);
                let Some((_, pointee, _)) = self.cx.pointee(input.ty) else {
                    self.cx.error("ice-lower-threadgroup", input.span, "threadgroup memory that is not a pointer");
                    return None;
                };
                let element = self.cx.host_type(pointee, 0);
                param(ir::ParamKind::Threadgroup { element }, index, ir::Access::ReadWrite)
            }
            InputKind::Texture { index, count } => {
                let Some((dimension, component, access)) = self.cx.texture(input.ty) else {
                    self.cx.error("ice-lower-texture", input.span, "a texture of unknown class");
                    return None;
                };
                self.lower_handles(local, count);
                param(ir::ParamKind::Texture { dimension, component, array_len: count }, index, access)
            }
            InputKind::Sampler { index } => {
                self.lower_handles(local, 1);
                param(ir::ParamKind::Sampler, index, ir::Access::ReadOnly)
            }
        }
    }

    /// Adds a parameter for the one field of a texture or sampler class and stores it there. For an array of `count` the
    /// parameter points to the first of as many descriptors.
    fn lower_handles(&mut self, local: hir::LocalId, count: u32) {
        let (ptr, align) = self.variable(local);
        let object = Memory { ptr, align, volatile: false };
        let first = self.first_handle(object);
        let Some(ty) = self.pointee(first.ptr) else { return };
        let value = self.add_param(ty);
        if count <= 1 {
            self.store_memory(first, value);
            return;
        }
        // array<texture, N> holds an array of classes of one field each.
        let array = self.field(object, 0);
        let u32 = self.scalar_type(ir::Scalar::U32);
        for i in 0..count {
            let index = self.constant(u64::from(i), u32);
            let handle = self.emit(ir::Op::PtrOffset { base: value, offset: index }, ty);
            let element = self.element(array, index);
            let field = self.first_handle(element);
            self.store_memory(field, handle);
        }
    }

    /// The innermost first field or element of an object.
    fn first_handle(&mut self, mut memory: Memory) -> Memory {
        while let Some(ty) = self.pointee(memory.ptr) {
            memory = match *self.cx.module.types.get(ty) {
                ir::Type::Struct(id) if !self.cx.module.types.structure(id).fields.is_empty() => self.field(memory, 0),
                ir::Type::Array { .. } => {
                    let zero = self.constant_u32(0);
                    self.element(memory, zero)
                }
                _ => break,
            };
        }
        memory
    }
}
