//! Runs the shaders of a folder with wgpu on Mesa's lavapipe and writes what they leave in their bindings:
//! `metallic-lavapipe SHADERS RESULTS`. `crates/metallic/tests/wgsl` compares our devices with that; the description of
//! a shader's bindings is there, too.

#[allow(dead_code)]
#[path = "../../../../crates/metallic/tests/wgsl/case.rs"]
mod case;

use std::path::Path;

use case::{Address, Binding, Case, Format, Results, words};
use wgpu::util::{BufferInitDescriptor, DeviceExt};

fn texture_format(format: Format) -> wgpu::TextureFormat {
    use wgpu::TextureFormat as T;
    match format {
        Format::Rgba8Unorm => T::Rgba8Unorm,
        Format::Rgba8Snorm => T::Rgba8Snorm,
        Format::Rgba8Uint => T::Rgba8Uint,
        Format::Rgba8Sint => T::Rgba8Sint,
        Format::Rgba16Float => T::Rgba16Float,
        Format::Rgba16Uint => T::Rgba16Uint,
        Format::R32Float => T::R32Float,
        Format::R32Uint => T::R32Uint,
        Format::R32Sint => T::R32Sint,
        Format::Rg32Float => T::Rg32Float,
        Format::Rgba32Float => T::Rgba32Float,
        Format::Rgba32Uint => T::Rgba32Uint,
        Format::Rgba32Sint => T::Rgba32Sint,
    }
}

/// What a case names in `needs`.
fn feature(name: &str) -> wgpu::Features {
    match name {
        "f16" => wgpu::Features::SHADER_F16,
        "subgroups" => wgpu::Features::SUBGROUP,
        "int64" => wgpu::Features::SHADER_INT64,
        "float32-filterable" => wgpu::Features::FLOAT32_FILTERABLE,
        "texture-formats" => wgpu::Features::TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES,
        _ => panic!("what is needed with {name}?"),
    }
}

fn open() -> (wgpu::Device, wgpu::Queue) {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters
        .into_iter()
        .find(|a| a.get_info().name.contains("llvmpipe"))
        .expect("lavapipe (Debian's mesa-vulkan-drivers)");
    let info = adapter.get_info();
    println!("{}, {}", info.name, info.driver_info);
    let wanted = ["f16", "subgroups", "int64", "float32-filterable", "texture-formats"].map(feature);
    let wanted = wanted.into_iter().fold(wgpu::Features::empty(), |a, b| a | b);
    let device = adapter.request_device(&wgpu::DeviceDescriptor {
        label: None,
        required_features: adapter.features() & wanted,
        required_limits: adapter.limits(),
        experimental_features: wgpu::ExperimentalFeatures::disabled(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
    });
    pollster::block_on(device).expect("a device")
}

fn run(device: &wgpu::Device, queue: &wgpu::Queue, case: &Case) -> Result<Results, String> {
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(case.source.as_str().into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    if let Some(e) = pollster::block_on(scope.pop()) {
        return Err(e.to_string());
    }
    enum Made {
        Buffer(wgpu::Buffer),
        Texture(wgpu::Texture, wgpu::TextureView),
        Sampler(wgpu::Sampler),
    }
    let made: Vec<(u32, Made)> = case
        .bindings
        .iter()
        .map(|(&at, binding)| {
            let made = match binding {
                Binding::Buffer { bytes, .. } => Made::Buffer(device.create_buffer_init(&BufferInitDescriptor {
                    label: None,
                    contents: bytes,
                    usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_SRC,
                })),
                Binding::Texture { format, size, bytes, is_storage } => {
                    let binding = if *is_storage {
                        wgpu::TextureUsages::STORAGE_BINDING
                    } else {
                        wgpu::TextureUsages::TEXTURE_BINDING
                    };
                    let dimension = if size[2] > 1 { wgpu::TextureDimension::D3 } else { wgpu::TextureDimension::D2 };
                    let descriptor = wgpu::TextureDescriptor {
                        label: None,
                        size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: size[2] },
                        mip_level_count: 1,
                        sample_count: 1,
                        dimension,
                        format: texture_format(*format),
                        usage: binding | wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST,
                        view_formats: &[],
                    };
                    let texture = device.create_texture_with_data(
                        queue,
                        &descriptor,
                        wgpu::util::TextureDataOrder::LayerMajor,
                        bytes,
                    );
                    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
                    Made::Texture(texture, view)
                }
                Binding::Sampler { is_linear, address } => {
                    let filter = if *is_linear { wgpu::FilterMode::Linear } else { wgpu::FilterMode::Nearest };
                    let mode = match address {
                        Address::Clamp => wgpu::AddressMode::ClampToEdge,
                        Address::Repeat => wgpu::AddressMode::Repeat,
                        Address::Mirror => wgpu::AddressMode::MirrorRepeat,
                    };
                    Made::Sampler(device.create_sampler(&wgpu::SamplerDescriptor {
                        address_mode_u: mode,
                        address_mode_v: mode,
                        address_mode_w: mode,
                        mag_filter: filter,
                        min_filter: filter,
                        ..wgpu::SamplerDescriptor::default()
                    }))
                }
            };
            (at, made)
        })
        .collect();
    let entries: Vec<wgpu::BindGroupEntry> = made
        .iter()
        .map(|(at, made)| wgpu::BindGroupEntry {
            binding: *at,
            resource: match made {
                Made::Buffer(buffer) => buffer.as_entire_binding(),
                Made::Texture(_, view) => wgpu::BindingResource::TextureView(view),
                Made::Sampler(sampler) => wgpu::BindingResource::Sampler(sampler),
            },
        })
        .collect();
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &entries,
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y, z] = case.dispatch;
        pass.dispatch_workgroups(x, y, z);
    }
    // Rows of textures are apart by multiples of 256 bytes there.
    let mut copies = Vec::new();
    for (at, made) in &made {
        let binding = &case.bindings[at];
        if !binding.is_compared() {
            continue;
        }
        let destination = |size| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
                mapped_at_creation: false,
            })
        };
        match (made, binding) {
            (Made::Buffer(buffer), _) => {
                let to = destination(buffer.size());
                encoder.copy_buffer_to_buffer(buffer, 0, &to, 0, buffer.size());
                copies.push((*at, to, 1, buffer.size() as usize));
            }
            (Made::Texture(texture, _), Binding::Texture { format, size, .. }) => {
                let row = size[0] * format.bytes();
                let padded = row.next_multiple_of(256);
                let rows = size[1] * size[2];
                let to = destination(u64::from(padded * rows));
                encoder.copy_texture_to_buffer(
                    texture.as_image_copy(),
                    wgpu::TexelCopyBufferInfo {
                        buffer: &to,
                        layout: wgpu::TexelCopyBufferLayout {
                            offset: 0,
                            bytes_per_row: Some(padded),
                            rows_per_image: Some(size[1]),
                        },
                    },
                    texture.size(),
                );
                copies.push((*at, to, rows as usize, row as usize));
            }
            _ => {}
        }
    }
    queue.submit([encoder.finish()]);
    if let Some(e) = pollster::block_on(scope.pop()) {
        return Err(e.to_string());
    }
    let mut results = Results::new();
    for (at, buffer, rows, row) in copies {
        buffer.slice(..).map_async(wgpu::MapMode::Read, |r| r.expect("mapped"));
        device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| e.to_string())?;
        let mapped = buffer.slice(..).get_mapped_range().map_err(|e| e.to_string())?;
        let padded = mapped.len() / rows;
        let bytes: Vec<u8> = (0..rows).flat_map(|r| mapped[r * padded..r * padded + row].to_vec()).collect();
        results.insert(at, words(&bytes));
    }
    Ok(results)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shaders, results] = &arguments[..] else { panic!("usage: metallic-lavapipe SHADERS RESULTS") };
    std::fs::create_dir_all(results).unwrap();
    let (device, queue) = open();
    let (mut done, mut failed) = (0, 0);
    for case in case::cases(Path::new(shaders)) {
        if let Some(need) = case.needs.iter().find(|n| !device.features().contains(feature(n))) {
            println!("{}: skipped, there is no {need}", case.name);
            continue;
        }
        match run(&device, &queue, &case) {
            Ok(found) => {
                std::fs::write(Path::new(results).join(format!("{}.txt", case.name)), case::print(&found)).unwrap();
                done += 1;
            }
            Err(e) => {
                println!("{}: {e}", case.name);
                failed += 1;
            }
        }
    }
    println!("{done} shaders run, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
