//! Runs `tests/run/*.metal` and `tests/spec/*.metal` on every device that executes kernels. The format is described in
//! `msl::conformance`; `METALLIC_TEST=name` runs the files whose names hold the word.

use std::path::Path;
use std::sync::{Arc, Mutex};

use metallic::hal::{
    Argument, Command, CommandList, Device, Dispatch, FunctionConstantValue, Grid, InlineBytes, KernelCode,
    LibraryText, PipelineSource, Region, SourceText, StorageMode, TextureDescriptor, TextureSlice, TextureType,
};
use metallic_cpu::Start;
use msl::conformance::{Executor, Files, Launch, Memory, Texture, run_file};
use msl::{CompileError, CompileOptions, FileProvider, FunctionConstantValues, IncludedFile, Library, MathMode};
use msl_ir::{Access, Module, ParamKind, TextureDimension};

/// Compiles with the front end and launches on a device.
struct OnDevice {
    device: Arc<dyn Device>,
    library: Option<Library>,
    module: Option<Arc<Module>>,
    /// For devices whose driver compiles MSL.
    text: Option<Arc<LibraryText>>,
    constants: Vec<FunctionConstantValue>,
    /// Is given PTX of every kernel that is launched.
    ptxas: Option<Ptxas>,
}

impl OnDevice {
    fn new(device: Arc<dyn Device>) -> OnDevice {
        OnDevice { device, library: None, module: None, text: None, constants: Vec::new(), ptxas: None }
    }
}

/// The assembler for PTX: `METALLIC_PTXAS`, or the one on the path.
struct Ptxas {
    program: String,
    seen: std::collections::HashSet<String>,
}

impl Ptxas {
    fn find() -> Option<Ptxas> {
        let program = std::env::var("METALLIC_PTXAS").unwrap_or_else(|_| "ptxas".into());
        let works = std::process::Command::new(&program).arg("--version").output().is_ok();
        works.then(|| Ptxas { program, seen: Default::default() })
    }

    fn check(&mut self, source: &PipelineSource, threadgroup: [u32; 3]) -> Result<(), String> {
        let ptx = metallic_cuda::emit(source, "ptx", threadgroup, Some(90)).map_err(|e| e.to_string())?;
        if !self.seen.insert(ptx.clone()) {
            return Ok(());
        }
        let file = std::env::temp_dir().join(format!("metallic-conformance-{}.ptx", std::process::id()));
        std::fs::write(&file, &ptx).map_err(|e| e.to_string())?;
        let out = std::process::Command::new(&self.program)
            .args(["--gpu-name=sm_90", "-O1", "-o", "/dev/null"])
            .arg(&file)
            .output()
            .map_err(|e| e.to_string())?;
        let _ = std::fs::remove_file(&file);
        if out.status.success() {
            return Ok(());
        }
        Err(format!("kernel {}: ptxas says {}\n{ptx}", source.label, String::from_utf8_lossy(&out.stderr)))
    }
}

impl Executor for OnDevice {
    fn open(&mut self, name: &str, source: &str, options: &CompileOptions, files: &Files) -> Result<(), CompileError> {
        self.library = Some(Library::open(name, source, options, files)?);
        let macros = options.defines.iter().map(|(name, value)| (name.clone(), value.clone().unwrap_or_default()));
        self.text = Some(Arc::new(LibraryText {
            text: msl::include_files(source, name, files),
            preprocessor_macros: macros.collect(),
            language_version: None,
            fast_math_enabled: options.math_mode == MathMode::Fast,
        }));
        Ok(())
    }

    fn compile(&mut self, kernel: &str, constants: &FunctionConstantValues) -> Result<(), CompileError> {
        let Some(library) = &self.library else { return Ok(()) };
        let declared = library.function_constants();
        let values = declared.iter().filter_map(|c| constants.get(c.index, &c.name).map(|value| (c.index, value)));
        self.constants = values
            .map(|(index, v)| FunctionConstantValue { index, scalar: v.scalar, len: v.len, bits: v.bits })
            .collect();
        self.module = Some(Arc::new(library.compile(kernel, constants)?.module));
        Ok(())
    }

    fn launch(&mut self, launch: &Launch<'_>, memory: &mut Memory) -> Result<(), String> {
        let module = self.module.clone().ok_or("nothing was compiled")?;
        let entry = module.entry_points.iter().position(|e| e.name == launch.kernel).ok_or("the kernel is gone")?;
        let source = PipelineSource {
            code: Arc::new(KernelCode::new(module, entry, self.library.as_ref().map(|l| l.source_map().clone()))),
            text: self.text.clone().map(|library| SourceText { library, constants: self.constants.clone() }),
            label: launch.kernel.into(),
            eager: false,
        };
        if let Some(ptxas) = &mut self.ptxas {
            ptxas.check(&source, launch.threadgroup)?;
        }
        let pipeline = self.device.make_compute_pipeline_state(&source).map_err(|e| e.to_string())?;
        let mut buffers = Vec::new();
        let mut textures = Vec::new();
        let mut arguments = Vec::new();
        for param in &source.entry_point().params {
            let missing = || format!("nothing is bound to {} {}", param.name, param.index);
            if !param.used {
                arguments.push(Argument::Unbound);
                continue;
            }
            arguments.push(match &param.kind {
                ParamKind::Buffer { is_constant, .. } => {
                    let bytes = memory.buffers.get(&param.index).ok_or_else(missing)?;
                    if *is_constant && param.access == Access::ReadOnly && bytes.len() <= 4096 {
                        Argument::Bytes(InlineBytes::new(bytes))
                    } else {
                        let buffer = self.buffer(bytes)?;
                        buffers.push((param.index, buffer.clone()));
                        Argument::Buffer { buffer, offset: 0 }
                    }
                }
                ParamKind::Threadgroup { .. } => {
                    let length = *launch.threadgroup_memory.get(&param.index).ok_or_else(missing)?;
                    Argument::Threadgroup { length: length.next_multiple_of(16) }
                }
                ParamKind::Texture { array_len, dimension, .. } => {
                    let mut bound = Vec::new();
                    for index in param.index..param.index + (*array_len).max(1) {
                        let texture = memory.textures.get(&index).ok_or_else(missing)?;
                        let made = self.texture(texture, *dimension)?;
                        textures.push((index, made.clone()));
                        bound.push(made);
                    }
                    Argument::Textures(bound)
                }
                ParamKind::Sampler => Argument::Sampler(*launch.samplers.get(&param.index).ok_or_else(missing)?),
            });
        }
        let dispatch = Dispatch {
            pipeline,
            arguments,
            grid: Grid::Threads(launch.grid.into()),
            threads_per_threadgroup: launch.threadgroup.into(),
            resident: Arc::from([]),
            label: launch.kernel.into(),
            log_state: None,
        };
        let result = Arc::new(Mutex::new(None));
        let seen = result.clone();
        let list = CommandList { commands: vec![Command::Dispatch(dispatch)], ..CommandList::default() };
        let queue = self.device.make_command_queue().map_err(|e| e.to_string())?;
        queue.submit(list, Box::new(move |c| *seen.lock().unwrap() = Some(c.result))).wait();
        let result = result.lock().unwrap().take().ok_or("the launch did not complete")?;
        result.map_err(|fault| fault.to_string())?;
        for (index, buffer) in buffers {
            let bytes = memory.buffers.get_mut(&index).ok_or("the buffer is gone")?;
            let contents = buffer.contents().ok_or("no contents")?;
            // SAFETY: the buffer was made for these bytes, and its command buffer has completed.
            unsafe { std::ptr::copy_nonoverlapping(contents.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
        }
        for (index, texture) in textures {
            let target = memory.textures.get_mut(&index).ok_or("the texture is gone")?;
            for part in parts(target) {
                texture.get_bytes(&mut target.bytes[part.bytes], part.row, part.image, part.region, part.slice);
            }
        }
        Ok(())
    }
}

impl OnDevice {
    fn buffer(&self, bytes: &[u8]) -> Result<Arc<dyn metallic::hal::Buffer>, String> {
        let length = bytes.len().max(1) as u64;
        let buffer = self.device.make_buffer(length, StorageMode::Shared).map_err(|e| e.to_string())?;
        let contents = buffer.contents().ok_or("no contents")?;
        // SAFETY: the buffer was made with this length and nobody else knows it yet.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), contents.as_ptr(), bytes.len()) };
        Ok(buffer)
    }

    fn texture(
        &self,
        texture: &Texture,
        dimension: TextureDimension,
    ) -> Result<Arc<dyn metallic::hal::Texture>, String> {
        let [width, height, depth] = texture.size;
        let mut descriptor = TextureDescriptor::new_2d(texture.format, width, height, false);
        descriptor.depth = depth;
        descriptor.mipmap_level_count = texture.levels;
        descriptor.texture_type = match dimension {
            TextureDimension::D1 => TextureType::D1,
            TextureDimension::D1Array => TextureType::D1Array,
            TextureDimension::D2Array | TextureDimension::Depth2DArray => TextureType::D2Array,
            TextureDimension::D3 => TextureType::D3,
            TextureDimension::Cube | TextureDimension::DepthCube => TextureType::Cube,
            TextureDimension::CubeArray | TextureDimension::DepthCubeArray => TextureType::CubeArray,
            TextureDimension::Buffer => TextureType::TextureBuffer,
            TextureDimension::D2 | TextureDimension::Depth2D => TextureType::D2,
            TextureDimension::D2Multisample | TextureDimension::D2MultisampleArray => TextureType::D2Multisample,
        };
        descriptor.array_length = texture.slices / if descriptor.texture_type.is_cube() { 6 } else { 1 };
        let made = self.device.make_texture(&descriptor).map_err(|e| e.to_string())?;
        for part in parts(texture) {
            made.replace_region(part.region, part.slice, &texture.bytes[part.bytes], part.row, part.image);
        }
        Ok(made)
    }
}

/// One slice of one level: where it lies among the bytes of a test's texture and in the device's.
struct Part {
    bytes: std::ops::Range<usize>,
    row: u64,
    image: u64,
    region: Region,
    slice: TextureSlice,
}

fn parts(texture: &Texture) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut start = 0;
    for level in 0..texture.levels {
        let size = texture.level_size(level);
        let row = u64::from(size[0]) * u64::from(texture.bytes_per_texel);
        for slice in 0..texture.slices {
            let end = start + texture.slice_bytes(level) as usize;
            parts.push(Part {
                bytes: start..end,
                row,
                image: row * u64::from(size[1]),
                region: Region::new_3d(0, 0, 0, size.into()),
                slice: TextureSlice { slice, level },
            });
            start = end;
        }
    }
    parts
}

/// Included files, from the root of the repository.
struct FromRoot;

impl FileProvider for FromRoot {
    fn read(&self, path: &str, _includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if !full.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(full).map_err(|e| e.to_string())?;
        Ok(Some(IncludedFile { name: path.to_owned(), text: text.into() }))
    }
}

fn run_all(device: &Arc<dyn Device>) {
    run_all_with(device, None);
}

fn run_all_with(device: &Arc<dyn Device>, mut ptxas: Option<Ptxas>) {
    let wanted = std::env::var("METALLIC_TEST").unwrap_or_default();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests");
    let folders = ["run", "spec"].map(|folder| std::fs::read_dir(tests.join(folder)).unwrap());
    let mut files: Vec<_> = folders.into_iter().flatten().filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    let mut failures = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "metal")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        // Faults besides those in buffers are for the interpreter to find.
        let is_for_checks = name == "faults.metal" && device.info().id != "interp";
        if !name.contains(&wanted) || is_for_checks {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let mut executor = OnDevice { ptxas: ptxas.take(), ..OnDevice::new(device.clone()) };
        if let Err(e) = run_file(&name, &text, &FromRoot, &mut executor) {
            failures.push(e);
        }
        ptxas = executor.ptxas;
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn kernels_give_what_they_should_on_the_interp_device() {
    run_all(&(Arc::new(metallic::hal::interp::InterpDevice::new()) as Arc<dyn Device>));
}

#[test]
fn kernels_give_what_they_should_on_the_cpu_device() {
    run_all(&cpu(Start::Well));
}

/// The first threadgroup with code that was made quickly, the others with other code.
#[test]
fn kernels_give_what_they_should_while_their_code_is_replaced() {
    run_all(&cpu(Start::QuicklyFor(1)));
}

fn cpu(start: Start) -> Arc<dyn Device> {
    let features = metallic::hal::env::CPU_FEATURES.get().unwrap_or_default();
    Arc::new(metallic_cpu::CpuDevice::with_start(2, &features, start).unwrap())
}

#[test]
fn kernels_give_what_they_should_on_cuda_devices() {
    // Most machines have no NVIDIA GPU.
    let Ok(device) = metallic_cuda::CudaDevice::new(0) else { return };
    run_all(&(Arc::new(device) as Arc<dyn Device>));
}

#[test]
fn kernels_become_ptx_that_assembles() {
    let Some(ptxas) = Ptxas::find() else {
        eprintln!("no ptxas: nothing was assembled");
        return;
    };
    run_all_with(&cpu(Start::Well), Some(ptxas));
}

#[test]
#[cfg(target_os = "macos")]
fn kernels_give_what_they_should_on_the_apple_device() {
    // A virtual machine may have no Metal.
    let Ok(device) = metallic_apple::AppleDevice::system_default() else { return };
    run_all(&(Arc::new(device) as Arc<dyn Device>));
}

#[test]
fn math_functions_are_accurate_on_the_cpu_device() {
    check_math(cpu(Start::Well));
    check_math(cpu(Start::OnlyQuickly));
}

#[test]
fn math_functions_are_accurate_on_cuda_devices() {
    if let Ok(device) = metallic_cuda::CudaDevice::new(0) {
        check_math(Arc::new(device));
    }
}

/// Every value of `half` and `bfloat`, and many of each exponent of `float`: `make test-slow`.
#[test]
#[ignore = "takes a minute"]
fn math_functions_are_accurate_everywhere_on_the_cpu_device() {
    check_math_at(cpu(Start::Well), 512);
}

fn check_math(device: Arc<dyn Device>) {
    check_math_at(device, 4);
}

fn check_math_at(device: Arc<dyn Device>, per_exponent: u32) {
    let mut executor = OnDevice::new(device);
    if let Err(failures) = msl::conformance::accuracy::check_math(&mut executor, per_exponent) {
        panic!("\n{failures}");
    }
}
