//! Runs a translated shader on one of our devices.

use metallic::{
    AddressMode, CompileOptions, Device, MinMagFilter, PixelFormat, Region, Result, SamplerDescriptor, Size,
    StorageMode, TextureDescriptor, TextureType,
};

use super::case::{Address, Binding, Case, Format, Results, words};
use super::translate::{SIZES, Translation};

fn pixel_format(format: Format) -> PixelFormat {
    match format {
        Format::Rgba8Unorm => PixelFormat::RGBA8Unorm,
        Format::Rgba8Snorm => PixelFormat::RGBA8Snorm,
        Format::Rgba8Uint => PixelFormat::RGBA8Uint,
        Format::Rgba8Sint => PixelFormat::RGBA8Sint,
        Format::Rgba16Float => PixelFormat::RGBA16Float,
        Format::Rgba16Uint => PixelFormat::RGBA16Uint,
        Format::R32Float => PixelFormat::R32Float,
        Format::R32Uint => PixelFormat::R32Uint,
        Format::R32Sint => PixelFormat::R32Sint,
        Format::Rg32Float => PixelFormat::RG32Float,
        Format::Rgba32Float => PixelFormat::RGBA32Float,
        Format::Rgba32Uint => PixelFormat::RGBA32Uint,
        Format::Rgba32Sint => PixelFormat::RGBA32Sint,
    }
}

pub fn run(device: &Device, case: &Case, shader: &Translation, fast_math_enabled: bool) -> Result<Results> {
    let options = CompileOptions { fast_math_enabled, ..CompileOptions::default() };
    let function = device.make_library(&shader.source, &options)?.make_function(&shader.entry_point)?;
    let pipeline = device.make_compute_pipeline_state(&function)?;
    let command_buffer = device.make_command_queue()?.make_command_buffer()?;
    let encoder = command_buffer.make_compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&pipeline)?;
    let (mut buffers, mut textures) = (Vec::new(), Vec::new());
    for (&at, binding) in &case.bindings {
        match binding {
            Binding::Buffer { bytes, .. } => {
                let buffer = device.make_buffer_with_bytes(bytes, StorageMode::Shared)?;
                encoder.set_buffer(&buffer, 0, at)?;
                buffers.push((at, buffer));
            }
            Binding::Texture { format, size, bytes, .. } => {
                let [width, height, depth] = *size;
                let mut descriptor = TextureDescriptor::new_2d(pixel_format(*format), width, height, false);
                if depth > 1 {
                    (descriptor.texture_type, descriptor.depth) = (TextureType::D3, depth);
                }
                let texture = device.make_texture(&descriptor)?;
                let row = u64::from(width * format.bytes());
                let region = Region::new_3d(0, 0, 0, Size::new(width, height, depth));
                texture.replace_region(region, 0, 0, bytes, row, row * u64::from(height))?;
                encoder.set_texture(&texture, at)?;
                textures.push((at, texture, region, row));
            }
            Binding::Sampler { is_linear, address } => {
                let filter = if *is_linear { MinMagFilter::Linear } else { MinMagFilter::Nearest };
                let mode = match address {
                    Address::Clamp => AddressMode::ClampToEdge,
                    Address::Repeat => AddressMode::Repeat,
                    Address::Mirror => AddressMode::MirrorRepeat,
                };
                let descriptor = SamplerDescriptor {
                    min_filter: filter,
                    mag_filter: filter,
                    s_address_mode: mode,
                    t_address_mode: mode,
                    r_address_mode: mode,
                    ..SamplerDescriptor::default()
                };
                encoder.set_sampler_state(&device.make_sampler_state(&descriptor)?, at)?;
            }
        }
    }
    if !shader.sized.is_empty() {
        let size = |at: &u32| buffers.iter().find(|b| b.0 == *at).map_or(0, |b| b.1.length() as u32);
        let sizes: Vec<u8> = shader.sized.iter().flat_map(|at| size(at).to_le_bytes()).collect();
        encoder.set_bytes(&sizes, u32::from(SIZES))?;
    }
    for (at, &length) in shader.threadgroup_memory.iter().enumerate() {
        encoder.set_threadgroup_memory_length(length, at as u32)?;
    }
    encoder.dispatch_threadgroups(case.dispatch, shader.threadgroup)?;
    encoder.end_encoding()?;
    command_buffer.commit()?;
    command_buffer.wait_until_completed()?;

    let mut results = Results::new();
    for (at, buffer) in buffers {
        if case.bindings[&at].is_compared() {
            results.insert(at, buffer.to_vec()?);
        }
    }
    for (at, texture, region, row) in textures {
        let Binding::Texture { size, bytes, is_storage: true, .. } = &case.bindings[&at] else { continue };
        let mut bytes = vec![0; bytes.len()];
        texture.get_bytes(&mut bytes, row, row * u64::from(size[1]), region, 0, 0)?;
        results.insert(at, words(&bytes));
    }
    Ok(results)
}
