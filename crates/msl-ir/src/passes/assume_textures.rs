//! A version of a kernel for textures of which something is known when it is dispatched.
//!
//! In: texture parameters and what is bound to them (see [`TextureDescriptor`]); the caller compares
//! before it runs the version. Out: the function with one case where accesses had one per format, and
//! without levels, slices and planes where a texture has one of each. Arrays of textures may mix formats
//! and are left alone.

use std::mem::offset_of;

use super::pipeline;
use crate::ir::{FunctionId, Module, Op, ValueId};
use crate::reflect::TextureDescriptor;
use crate::types::Type;

/// What is bound to a texture parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KnownTexture {
    /// The position of the parameter.
    pub param: u32,
    /// A `PixelFormat` as a number.
    pub format: u32,
    pub bytes_per_texel: u32,
    /// There is one mip level, one slice and one plane.
    pub is_flat: bool,
}

impl KnownTexture {
    pub fn of(param: u32, descriptor: &TextureDescriptor) -> KnownTexture {
        let TextureDescriptor { format, bytes_per_texel, .. } = *descriptor;
        let is_flat = descriptor.mip_levels == 1 && descriptor.array_length == 1 && descriptor.depth == 1;
        KnownTexture { param, format, bytes_per_texel, is_flat }
    }

    /// The value of the member of the descriptor at this offset in bytes.
    fn member(&self, offset: usize) -> Option<u32> {
        const ONES: [usize; 3] = [
            offset_of!(TextureDescriptor, mip_levels),
            offset_of!(TextureDescriptor, array_length),
            offset_of!(TextureDescriptor, depth),
        ];
        if offset == offset_of!(TextureDescriptor, format) {
            Some(self.format)
        } else if offset == offset_of!(TextureDescriptor, bytes_per_texel) {
            Some(self.bytes_per_texel)
        } else {
            (self.is_flat && ONES.contains(&offset)).then_some(1)
        }
    }
}

pub fn assume_textures(module: &mut Module, id: FunctionId, textures: &[KnownTexture]) -> bool {
    let f = &module.functions[id];
    let offset_of_member = |base: ValueId, field: u32| {
        let (_, pointee) = module.types.pointee(f.insts[base].ty)?;
        let Type::Struct(s) = module.types.get(pointee) else { return None };
        let s = module.types.structure(*s);
        // Other structs have members at these offsets, too.
        let is_descriptor = s.size == size_of::<TextureDescriptor>() as u64;
        Some(s.fields.get(field as usize).filter(|_| is_descriptor)?.offset as usize)
    };
    let known: Vec<(ValueId, u32)> = f
        .insts
        .iter()
        .filter_map(|(load, inst)| {
            let Op::Load { ptr, .. } = inst.op else { return None };
            let Op::FieldAddr { base, field } = f.insts[ptr].op else { return None };
            let Op::Param(param) = f.insts[base].op else { return None };
            let texture = textures.iter().find(|texture| texture.param == param)?;
            Some((load, texture.member(offset_of_member(base, field)?)?))
        })
        .collect();
    for (load, value) in &known {
        module.functions[id].insts[*load].op = Op::Const(u64::from(*value));
    }
    if !known.is_empty() {
        pipeline::clean(module, id);
    }
    !known.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn one_case_is_left_of_a_switch_over_the_format() {
        let source = "struct __texture_descriptor size 488 align 8 { width: u32 @8  format: u32 @32 }
             fn k(%t: ptr<constant, __texture_descriptor>, %p: ptr<device, u32>) -> void {
               %fa = field_addr %t, 1
               %format = load %fa
               %wa = field_addr %t, 0
               %w = load %wa
               %ten: u32 = const 10
               %is = eq %format, %ten
               if %is { store %p, %w } else { store %p, %format }
             }
             kernel k = @k {
               t: texture 0 read d2 f32 0
               p: buffer 0 device read_write u32
             }";
        let known = |param| KnownTexture { param, format: 10, bytes_per_texel: 1, is_flat: true };
        let mut m = module(source);
        let k = entry(&m);
        assert!(!assume_textures(&mut m, k, &[known(1)]), "another parameter");
        assert!(assume_textures(&mut m, k, &[known(0)]));
        let t = text(&m, k);
        assert!(!t.contains("if") && t.matches("store").count() == 1 && t.matches("load").count() == 1, "{t}");
    }

    #[test]
    fn textures_of_one_level_and_slice_need_no_check_of_them() {
        let source = "struct __texture_descriptor size 488 align 8 { array_length: u32 @20  mip_levels: u32 @24  bytes_per_texel: u32 @36 }
             fn k(%t: ptr<constant, __texture_descriptor>, %p: ptr<device, u32>) -> void {
               %la = field_addr %t, 1
               %levels = load %la
               %sa = field_addr %t, 0
               %slices = load %sa
               %ba = field_addr %t, 2
               %bytes = load %ba
               %zero: u32 = const 0
               %a = lt %zero, %levels
               %b = lt %zero, %slices
               %inside = and %a, %b
               if %inside { store %p, %bytes }
             }
             kernel k = @k {
               t: texture 0 read d2 f32 0
               p: buffer 0 device read_write u32
             }";
        let mut known = KnownTexture { param: 0, format: 70, bytes_per_texel: 4, is_flat: false };
        let mut m = module(source);
        let k = entry(&m);
        assert!(assume_textures(&mut m, k, &[known]));
        assert_eq!(text(&m, k).matches("load").count(), 2);
        known.is_flat = true;
        assert!(assume_textures(&mut m, k, &[known]));
        let t = text(&m, k);
        assert!(!t.contains("if") && !t.contains("load") && t.contains("const 4"), "{t}");
    }
}
