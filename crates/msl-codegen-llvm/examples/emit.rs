//! Prints what becomes of a kernel: `emit FILE.ir ENTRY X,Y,Z llvm|opt|asm|ir|gpu|ptx [parts]`. `EDGES=1` allows smaller
//! threadgroups at the edges, `ISA=avx2` (or `neon`, …) chooses the instructions.

use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let source = std::fs::read_to_string(&args[1]).expect("a file");
    let module = msl_ir::text::parse(&source).expect("IR text");
    let size: Vec<u32> = args[3].split(',').map(|x| x.parse().expect("a number")).collect();
    let mut options = CompileOptions::new([size[0], size[1], size[2]]);
    options.groups = if std::env::var_os("EDGES").is_some() { Groups::All } else { Groups::Full };
    options.parts = args.get(5).map(|p| p.parse().expect("a number"));
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
        "ir" => {
            let mut m = module.clone();
            let f = m.entry_points[0].function;
            let facts =
                msl_ir::passes::Facts { threads_per_threadgroup: Some(options.threadgroup), ..Default::default() };
            let options = msl_ir::passes::Options { facts, ..Default::default() };
            msl_ir::passes::run_pipeline(&mut m, f, options).expect("passes");
            Ok(msl_ir::text::print(&m))
        }
        _ => c.emit_asm(&module, &args[2], &options),
    };
    println!("{}", text.unwrap_or_else(|e| e.to_string()));
}
