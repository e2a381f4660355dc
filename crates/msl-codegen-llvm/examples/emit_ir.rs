//! Prints what becomes of a kernel: `emit_ir FILE.ir ENTRY X,Y,Z llvm|opt|asm|ir|gpu|ptx|time [parts]`. `EDGES=1` allows smaller
//! threadgroups at the edges, `ISA=avx2` (or `neon`, …) chooses the instructions, `TEXTURES=0:70:4,1:70:4` says
//! which pixel formats (Metal's numbers and bytes per texel) the texture parameters at these positions have. `LLVM_FLAGS` has options
//! of LLVM itself. `time` prints milliseconds per phase, least of 9 or of `ROUNDS`.

use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};
use std::ffi::CString;

use llvm_sys::support::LLVMParseCommandLineOptions;
use msl_ir::passes::assume_textures::{KnownTexture, assume_textures};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Ok(flags) = std::env::var("LLVM_FLAGS") {
        let flags = ["emit"].into_iter().chain(flags.split_whitespace()).map(|flag| CString::new(flag).expect("text"));
        let flags: Vec<CString> = flags.collect();
        let pointers: Vec<_> = flags.iter().map(|flag| flag.as_ptr()).collect();
        // SAFETY: as many pointers to text as are announced; no other thread uses LLVM yet.
        unsafe { LLVMParseCommandLineOptions(pointers.len() as i32, pointers.as_ptr(), std::ptr::null()) };
    }
    let source = std::fs::read_to_string(&args[1]).expect("a file");
    let module = msl_ir::text::parse(&source).expect("IR text");
    let size: Vec<u32> = args[3].split(',').map(|x| x.parse().expect("a number")).collect();
    let mut options = CompileOptions::new([size[0], size[1], size[2]]);
    options.groups = if std::env::var_os("EDGES").is_some() { Groups::All } else { Groups::Full };
    options.parts = args.get(5).map(|p| p.parse().expect("a number"));
    if let Ok(textures) = std::env::var("TEXTURES") {
        let number = |text: &str| text.parse().expect("a number");
        let known = |text: &str| {
            let parts: Vec<u32> = text.split(':').map(number).collect();
            let [param, format, bytes_per_texel] = parts[..] else { panic!("POSITION:FORMAT:BYTES") };
            KnownTexture { param, format, bytes_per_texel, is_flat: true }
        };
        options.textures = textures.split(',').map(known).collect();
    }
    let isa = match std::env::var("ISA").as_deref() {
        Ok("neon") => Isa::Neon,
        name => Isa::restricted(name.unwrap_or_default()).expect("an instruction set"),
    };
    let c = CpuCompiler::new(TargetOptions { isa });
    let gpu = msl_codegen_llvm::NvptxOptions {
        sm: 90,
        edge_groups: options.groups != Groups::Full,
        ..msl_codegen_llvm::NvptxOptions::new(options.threadgroup)
    };
    let text = match args[4].as_str() {
        "gpu" => msl_codegen_llvm::NvptxCompiler.emit_llvm_ir(&module, &args[2], &gpu, false),
        "ptx" => msl_codegen_llvm::NvptxCompiler.compile(&module, &args[2], &gpu).map(|kernel| kernel.ptx),
        "llvm" => c.emit_llvm_ir(&module, &args[2], &options, false),
        "opt" => c.emit_llvm_ir(&module, &args[2], &options, true),
        "time" => Ok(time(&c, &module, &args[2], &options)),
        "ir" => {
            let mut m = module.clone();
            let f = m.entry_points[0].function;
            if !options.textures.is_empty() {
                assume_textures(&mut m, f, &options.textures);
            }
            let facts =
                msl_ir::passes::Facts { threads_per_threadgroup: Some(options.threadgroup), ..Default::default() };
            let mut since = std::time::Instant::now();
            let mut observe = |_: usize, name: &'static str, _: &msl_ir::ir::Module| {
                eprintln!("{name:24} {:6.2} ms", since.elapsed().as_secs_f64() * 1e3);
                since = std::time::Instant::now();
            };
            let options = msl_ir::passes::Options { facts, observe: Some(&mut observe), ..Default::default() };
            msl_ir::passes::run_pipeline(&mut m, f, options).expect("passes");
            Ok(msl_ir::text::print(&m))
        }
        _ => c.emit_asm(&module, &args[2], &options),
    };
    println!("{}", text.unwrap_or_else(|e| e.to_string()));
}

fn time(c: &CpuCompiler, module: &msl_ir::ir::Module, entry: &str, options: &CompileOptions) -> String {
    let mut least = [f64::MAX; 4];
    let mut bytes = 0;
    for _ in 0..std::env::var("ROUNDS").map_or(9, |n| n.parse().expect("a number")) {
        let kernel = c.compile(module, entry, options).expect("it compiles");
        let s = &kernel.stats;
        bytes = kernel.object.len();
        for (least, ms) in least.iter_mut().zip([s.passes_ms, s.emit_ms, s.optimize_ms, s.codegen_ms]) {
            *least = least.min(ms);
        }
    }
    let [passes, emit, optimize, codegen] = least;
    format!("passes {passes:.1}  emit {emit:.1}  optimize {optimize:.1}  codegen {codegen:.1}  object {bytes} bytes")
}
