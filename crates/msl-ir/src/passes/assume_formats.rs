//! A version of a kernel for textures of known formats.
//!
//! In: texture parameters and the pixel formats of what is bound to them (see
//! [`TextureDescriptor`]); the caller compares before it runs the version. Out: the function with one case
//! where accesses had one per format. Arrays of textures may mix formats and are left alone.

use std::mem::offset_of;

use super::pipeline;
use crate::ir::{FunctionId, Module, Op, ValueId};
use crate::reflect::TextureDescriptor;
use crate::types::Type;

/// Texture parameters by position, each with a `PixelFormat` as a number.
pub fn assume_formats(module: &mut Module, id: FunctionId, formats: &[(u32, u32)]) -> bool {
    let f = &module.functions[id];
    let is_format = |base: ValueId, field: u32| {
        let pointee = module.types.pointee(f.insts[base].ty).map(|(_, ty)| module.types.get(ty));
        let Some(Type::Struct(s)) = pointee else { return false };
        let member = module.types.structure(*s).fields.get(field as usize);
        member.is_some_and(|m| m.offset == offset_of!(TextureDescriptor, format) as u64)
    };
    let known: Vec<(ValueId, u32)> = f
        .insts
        .iter()
        .filter_map(|(load, inst)| {
            let Op::Load { ptr, .. } = inst.op else { return None };
            let Op::FieldAddr { base, field } = f.insts[ptr].op else { return None };
            let Op::Param(param) = f.insts[base].op else { return None };
            let format = formats.iter().find(|(p, _)| *p == param)?.1;
            is_format(base, field).then_some((load, format))
        })
        .collect();
    for (load, format) in &known {
        module.functions[id].insts[*load].op = Op::Const(u64::from(*format));
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
        let mut m = module(source);
        let k = entry(&m);
        assert!(!assume_formats(&mut m, k, &[(1, 10)]), "another parameter");
        assert!(assume_formats(&mut m, k, &[(0, 10)]));
        let t = text(&m, k);
        assert!(!t.contains("if") && t.matches("store").count() == 1 && t.matches("load").count() == 1, "{t}");
    }
}
