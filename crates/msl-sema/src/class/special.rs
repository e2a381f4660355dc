//! Classes of the standard library that devices know: textures, samplers, matrices, atomics.

use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::*;
use crate::hir::{SpecialClass, TextureAccess, TextureDimension};
use crate::types::*;

impl Checker<'_> {
    pub(super) fn special_class(&mut self, id: ClassId, attributes: &[ast::Attribute]) -> Option<SpecialClass> {
        let attribute = attributes.iter().find(|a| a.name == "__metal_special")?;
        let name = match attribute.args.first().map(|e| &e.kind) {
            Some(ast::ExprKind::String(s)) => *s,
            _ => return None,
        };
        let args = self.classes[id.0 as usize].args.clone();
        let scalar = match args.first() {
            Some(Arg::Type(t)) => self.program.types.as_numeric(t.ty).map(|(s, _)| s),
            _ => None,
        };
        let value = |i: usize| match args.get(i) {
            Some(Arg::Value { bits, .. }) => *bits,
            _ => 0,
        };
        use TextureDimension as D;
        let dimension = match name.as_str() {
            "matrix" => {
                return Some(SpecialClass::Matrix { elem: scalar?, columns: value(1) as u8, rows: value(2) as u8 });
            }
            "atomic" => return Some(SpecialClass::Atomic),
            "sampler" => return Some(SpecialClass::Sampler),
            "array" => return Some(SpecialClass::Array { len: value(1) }),
            "simdgroup_matrix" => return Some(SpecialClass::SimdgroupMatrix),
            "visible_function_table" => {
                self.has_tables = true;
                return Some(SpecialClass::FunctionTable);
            }
            "texture1d" => D::D1,
            "texture1d_array" => D::D1Array,
            "texture2d" => D::D2,
            "texture2d_array" => D::D2Array,
            "texture2d_ms" | "depth2d_ms" => D::D2Multisample,
            "texture2d_ms_array" | "depth2d_ms_array" => D::D2MultisampleArray,
            "texture3d" => D::D3,
            "texturecube" => D::Cube,
            "texturecube_array" => D::CubeArray,
            "texture_buffer" => D::Buffer,
            "depth2d" => D::Depth2D,
            "depth2d_array" => D::Depth2DArray,
            "depthcube" => D::DepthCube,
            "depthcube_array" => D::DepthCubeArray,
            _ => return None,
        };
        let access = match args.get(1) {
            Some(Arg::Value { bits, ty }) => match self.value_name(*bits, *ty).rsplit("::").next() {
                Some("read") => TextureAccess::Read,
                Some("write") => TextureAccess::Write,
                Some("read_write") => TextureAccess::ReadWrite,
                _ => TextureAccess::Sample,
            },
            _ => TextureAccess::Sample,
        };
        Some(SpecialClass::Texture { dimension, component: scalar?, access })
    }
}
