//! WGSL to MSL by naga, in the ways that its users choose from.

use std::collections::BTreeMap;

use naga::back::msl;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy, Layouter};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, ResourceBinding, ShaderStage};

/// Where the sizes of buffers are bound that end in an array without a length.
pub const SIZES: u8 = 30;

/// How a shader is translated.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub name: &'static str,
    language: (u8, u8),
    bounds: BoundsCheckPolicy,
    force_loop_bounding: bool,
}

/// What wgpu does on Apple's devices; the least that naga can do; another way to stay within bounds.
pub const STYLES: [Style; 3] = [
    Style { name: "wgpu", language: (3, 1), bounds: BoundsCheckPolicy::Restrict, force_loop_bounding: true },
    Style { name: "plain", language: (2, 4), bounds: BoundsCheckPolicy::Unchecked, force_loop_bounding: false },
    Style { name: "zero", language: (2, 4), bounds: BoundsCheckPolicy::ReadZeroSkipWrite, force_loop_bounding: true },
];

/// A shader in MSL, and how to launch it. Bindings have the indices that they have in WGSL.
#[derive(Clone, Debug)]
pub struct Translation {
    pub source: String,
    pub entry_point: String,
    pub threadgroup: [u32; 3],
    /// Sizes of the arguments in threadgroup memory, in order.
    pub threadgroup_memory: Vec<u32>,
    /// Bindings whose sizes in bytes the shader wants at [`SIZES`], in order.
    pub sized: Vec<u32>,
}

pub fn translate(source: &str, style: Style) -> Result<Translation, String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    let info = validator.validate(&module).map_err(|e| e.emit_to_string(source))?;
    let [entry] = &module.entry_points[..] else { return Err("there is more than one entry point".into()) };
    let mut layouter = Layouter::default();
    layouter.update(module.to_ctx()).map_err(|e| e.to_string())?;

    let mut resources = BTreeMap::new();
    let (mut threadgroup_memory, mut sized) = (Vec::new(), Vec::new());
    for (handle, variable) in module.global_variables.iter() {
        if variable.space == AddressSpace::WorkGroup && !info.get_entry_point(0)[handle].is_empty() {
            threadgroup_memory.push(layouter[variable.ty].size.next_multiple_of(16));
        }
        let Some(ResourceBinding { group: 0, binding }) = variable.binding else { continue };
        let at = u8::try_from(binding).map_err(|e| e.to_string())?;
        let inner = &module.types[variable.ty].inner;
        let mut target = msl::BindTarget::default();
        match variable.space {
            AddressSpace::Storage { access } => {
                target.buffer = Some(at);
                target.mutable = access.contains(naga::StorageAccess::STORE);
            }
            AddressSpace::Uniform => target.buffer = Some(at),
            AddressSpace::Handle => match inner {
                naga::TypeInner::Sampler { .. } => target.sampler = Some(msl::BindSamplerTarget::Resource(at)),
                naga::TypeInner::Image { class: naga::ImageClass::Storage { access, .. }, .. } => {
                    target.texture = Some(at);
                    target.mutable = access.contains(naga::StorageAccess::STORE);
                }
                _ => target.texture = Some(at),
            },
            _ => {}
        }
        if inner.needs_host_buffer_byte_size(&module.types) {
            sized.push(binding);
        }
        resources.insert(ResourceBinding { group: 0, binding }, target);
    }
    let of_entry = msl::EntryPointResources { resources, immediates_buffer: None, sizes_buffer: Some(SIZES) };
    let options = msl::Options {
        lang_version: style.language,
        per_entry_point_map: BTreeMap::from([(entry.name.clone(), of_entry)]),
        fake_missing_bindings: false,
        bounds_check_policies: BoundsCheckPolicies {
            index: style.bounds,
            buffer: style.bounds,
            image_load: style.bounds,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        force_loop_bounding: style.force_loop_bounding,
        ..msl::Options::default()
    };
    let pipeline = msl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry.name.clone())),
        ..msl::PipelineOptions::default()
    };
    let (source, names) = msl::write_string(&module, &info, &options, &pipeline).map_err(|e| e.to_string())?;
    let entry_point = names.entry_point_names[0].clone().map_err(|e| e.to_string())?;
    let source = with_wide_literals(&source);
    Ok(Translation { source, entry_point, threadgroup: entry.workgroup_size, threadgroup_memory, sized })
}

/// naga 30 guards divisors of 64 bits by `metal::select(rhs, 1, …)`, which no compiler for Metal takes: the call is
/// ambiguous (github.com/gfx-rs/wgpu/issues/10277).
fn with_wide_literals(source: &str) -> String {
    let mut out = String::new();
    let mut wide = None;
    for line in source.lines() {
        if line.contains(" naga_div(") || line.contains(" naga_mod(") {
            wide = line.split_whitespace().next().filter(|ty| matches!(*ty, "long" | "ulong"));
        }
        match wide {
            Some(ty) => {
                out.push_str(&line.replace("rhs, 1u,", &format!("rhs, {ty}(1),")).replace("rhs, 1,", "rhs, 1L,"))
            }
            None => out.push_str(line),
        }
        out.push('\n');
        if line == "}" {
            wide = None;
        }
    }
    out
}
