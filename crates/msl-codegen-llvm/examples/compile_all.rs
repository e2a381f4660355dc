//! Compiles every kernel of IR texts for a few threadgroup sizes: `compile_all FILE.ir…`.

use msl_codegen_llvm::{CompileOptions, CpuCompiler, TargetOptions};

fn main() {
    let mut count = 0;
    for path in std::env::args().skip(1) {
        let source = std::fs::read_to_string(&path).expect("a file");
        let module = match msl_ir::text::parse(&source) {
            Ok(m) => m,
            Err(e) => {
                println!("{path}: {e:?}");
                continue;
            }
        };
        for e in &module.entry_points {
            for threadgroup in [[32, 1, 1], [16, 16, 1], [7, 5, 3]] {
                let options = CompileOptions::new(threadgroup);
                let t = std::time::Instant::now();
                let result = std::panic::catch_unwind(|| {
                    CpuCompiler::new(TargetOptions::default()).compile(&module, e.name.as_str(), &options)
                });
                count += 1;
                let ms = t.elapsed().as_secs_f64() * 1e3;
                match result {
                    Ok(Ok(_)) if ms < 1000.0 => {}
                    Ok(Ok(k)) => println!("{path} {} {threadgroup:?}: {ms:.0} ms {:?}", e.name, k.stats),
                    Ok(Err(error)) => {
                        let text: String = error.to_string().chars().take(400).collect();
                        println!("{path} {} {threadgroup:?}: {text}", e.name);
                    }
                    Err(_) => println!("{path} {} {threadgroup:?}: panic", e.name),
                }
            }
        }
    }
    println!("{count} compiled");
}
