//! Compiles entry points of a source one after the other, all the way to machine code, and says what became of each.
//! `tests/corpora` drives it:
//!
//! `corpus FILE [-I DIR]… [-D NAME[=VALUE]]… [-c CONSTANT=VALUE]… [--std MAJOR.MINOR] [--threads X,Y,Z] [--stage ir|cpu]
//! [--first] [--known FILE] [--stages] [--emit ir|llvm|opt|asm|lines] [--list] [ENTRY…]`
//!
//! Every module is verified: after lowering, after the passes, and as LLVM IR with `METALLIC_VERIFY=1`. Function
//! constants that are not given are 1; threads that are not given are 256 in a row, or what the kernel asks for.
//! With `--first`, only the code that a first dispatch waits for is made: that for full threadgroups. With `--known`,
//! code is made once for each text of LLVM IR (`Known`). `--stages` adds
//! lines that begin with `#` and say where the time for code goes; `--emit` prints a text, or which lines of the source
//! have how many instructions. Without entries all are compiled. The output has a
//! line before an entry is compiled, so that whoever reads it knows which one a crash or an endless loop belongs to,
//! and one after it:
//!
//! ```text
//! > NAME
//! = NAME <tab> front <tab> lower and passes <tab> code, in ms of CPU time
//! ! NAME <tab> ID <tab> PLACE: MESSAGE
//! ```

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use msl::{CompileError, CompileOptions, ConstantValue, FileProvider, FunctionConstantValues, IncludedFile, Library};
use msl_codegen_llvm::{CodegenError, CompileOptions as CodeOptions, CpuCompiler, Groups, TargetOptions};
use msl_ir::Scalar;
use msl_ir::passes::pipeline;

struct Files(Vec<PathBuf>);

impl FileProvider for Files {
    fn read(&self, path: &str, includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let beside = Path::new(includer).parent().unwrap_or(Path::new("")).to_path_buf();
        for dir in std::iter::once(&beside).chain(&self.0) {
            let full = dir.join(path);
            if full.is_file() {
                let text = std::fs::read_to_string(&full).map_err(|e| e.to_string())?;
                return Ok(Some(IncludedFile { name: full.to_string_lossy().into_owned(), text: text.into() }));
            }
        }
        Ok(None)
    }
}

/// What went wrong: an id and a message.
struct Failure(String, String);

impl From<CompileError> for Failure {
    fn from(error: CompileError) -> Failure {
        let messages = error.messages();
        let Some(first) = messages.iter().find(|m| m.severity == msl_base::Severity::Error) else {
            return Failure("error".into(), error.to_string());
        };
        let place = first.place.as_ref().map_or(String::new(), |p| format!("{}:{}:{}: ", p.file, p.line, p.column));
        let notes: Vec<_> = first.notes.iter().map(|(_, text)| text.as_str()).collect();
        Failure(first.id.into(), format!("{place}{} ({})", first.message, notes.join("; ")))
    }
}

/// CPU time of this process.
fn cpu_ms() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a structure of this function.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// LLVM IR that has become machine code without a failure, in a file that processes share and later runs go on with:
/// a line for each is a hash of the text and of all that decides what LLVM makes of it. That takes LLVM several times as
/// long as all before it, and neither most changes to the compiler nor names and signs in a source change the text.
struct Known {
    file: File,
    hashes: HashSet<String>,
    /// The target, and our own code between LLVM IR and memory that runs.
    salt: String,
}

const BEHIND_IR: [&str; 3] =
    [include_str!("../src/compiler.rs"), include_str!("../src/jit.rs"), include_str!("../src/target.rs")];

fn llvm_version() -> [u32; 3] {
    let [mut major, mut minor, mut patch] = [0; 3];
    // SAFETY: the pointers are to variables of this function.
    unsafe { llvm_sys::core::LLVMGetVersion(&raw mut major, &raw mut minor, &raw mut patch) };
    [major, minor, patch]
}

impl Known {
    fn open(path: &str) -> std::io::Result<Known> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        // A process that was killed may have left part of a line.
        let hashes = std::fs::read_to_string(path)?.lines().map(str::to_owned).collect();
        let target = CpuCompiler::new(TargetOptions::default()).target_key().expect("a target");
        let salt = format!("{target} {:?} {}", llvm_version(), BEHIND_IR.concat());
        Ok(Known { file, hashes, salt })
    }

    fn hash(&self, llvm_ir: &str) -> String {
        let half = |start: u8| {
            let mut hasher = DefaultHasher::new();
            (start, &self.salt).hash(&mut hasher);
            // The names of the module are the entry point's.
            let is_name = |line: &&str| line.starts_with("; ModuleID") || line.starts_with("source_filename");
            llvm_ir.lines().filter(|line| !is_name(line)).for_each(|line| line.hash(&mut hasher));
            hasher.finish()
        };
        format!("{:016x}{:016x}", half(0), half(1))
    }

    fn add(&mut self, hash: String) {
        let _ = self.file.write_all(format!("{hash}\n").as_bytes());
        self.hashes.insert(hash);
    }
}

struct Options {
    known: Option<Known>,
    constants: HashMap<String, f64>,
    to_code: bool,
    threads: Option<[u32; 3]>,
    groups: Groups,
    with_stages: bool,
    emit: Option<String>,
}

/// One of the texts between IR and machine code; or how many instructions each line of the source became.
fn emit(
    compiler: &CpuCompiler,
    sources: &msl_base::SourceMap,
    module: &msl_ir::Module,
    entry: &str,
    options: &CodeOptions,
    what: &str,
) -> Result<String, CodegenError> {
    match what {
        "ir" => Ok(msl_ir::text::print(module)),
        "llvm" => compiler.emit_llvm_ir(module, entry, options, false),
        "opt" => compiler.emit_llvm_ir(module, entry, options, true),
        "asm" => compiler.emit_asm(module, entry, options),
        _ => {
            let mut counts: HashMap<String, usize> = HashMap::new();
            for line in compiler.emit_asm_lines(module, entry, options)? {
                let place = line.span.and_then(|span| sources.position(span.start));
                *counts.entry(place.map_or("-".into(), |p| format!("{}:{}", p.file, p.line))).or_default() += 1;
            }
            let mut counts: Vec<_> = counts.into_iter().collect();
            counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            Ok(counts.iter().take(40).map(|(place, count)| format!("{count:7} {place}\n")).collect())
        }
    }
}

fn compile(library: &Library, entry: &str, options: &mut Options) -> Result<[f64; 3], Failure> {
    let constants = constants(library, &options.constants);
    let start = cpu_ms();
    library.check(entry, &constants)?;
    let checked = cpu_ms();
    let mut module = library.compile_unoptimized(entry, &constants)?;
    verify(&module, "ice-lowering")?;
    let point = module.entry_points[0].clone();
    pipeline::run(&mut module, point.function, pipeline::Options::default())
        .map_err(|d| Failure(d.id.into(), d.message.clone()))?;
    verify(&module, "ice-passes")?;
    // Lowering checks again; that time is not its own.
    let lowered = cpu_ms().max(checked);
    if !options.to_code {
        return Ok([checked - start, (lowered - checked - (checked - start)).max(0.0), 0.0]);
    }
    let most = point.max_total_threads.unwrap_or(1024).max(1);
    let threadgroup = point.required_threads.or(options.threads).unwrap_or([most.min(256), 1, 1]);
    let code_options = CodeOptions { groups: options.groups, ..CodeOptions::new(threadgroup) };
    let compiler = CpuCompiler::new(TargetOptions::default());
    let mut hash = None;
    if let Some(known) = &options.known
        // What fails here, fails below as well.
        && let Ok(text) = compiler.emit_llvm_ir(&module, entry, &code_options, false)
    {
        let text = known.hash(&text);
        if known.hashes.contains(&text) {
            return Ok([checked - start, (lowered - checked - (checked - start)).max(0.0), cpu_ms() - lowered]);
        }
        hash = Some(text);
    }
    let compiled = compiler.compile(&module, entry, &code_options);
    if let (Some(known), Some(hash), Ok(_)) = (&mut options.known, hash, &compiled) {
        known.add(hash);
    }
    if let Some(what) = &options.emit {
        match emit(&compiler, library.source_map(), &module, entry, &code_options, what) {
            Ok(text) => println!("{text}"),
            Err(error) => return Err(Failure("emit".into(), error.to_string())),
        }
    }
    if options.with_stages
        && let Ok(kernel) = &compiled
    {
        let stats = &kernel.stats;
        let stages = [stats.passes_ms, stats.emit_ms, stats.optimize_ms, stats.codegen_ms, stats.load_ms];
        say(&format!(
            "# {entry}: passes, emission, optimization, code, loading {stages:.1?} ms; {} bytes; gang {}",
            kernel.object.len(),
            stats.gang
        ));
    }
    match compiled {
        Ok(_) => Ok([checked - start, (lowered - checked - (checked - start)).max(0.0), cpu_ms() - lowered]),
        Err(CodegenError::Unsupported { id, message, span }) => {
            let place = library.source_map().position(span.start);
            let place = place.map_or(String::new(), |p| format!("{}:{}:{}: ", p.file, p.line, p.column));
            Err(Failure(id.into(), format!("{place}{message}")))
        }
        Err(error) => Err(Failure("ice-codegen".into(), error.to_string())),
    }
}

fn verify(module: &msl_ir::Module, id: &str) -> Result<(), Failure> {
    msl_ir::verify(module).map_err(|errors| {
        let list: Vec<_> = errors.iter().map(ToString::to_string).collect();
        Failure(id.into(), list.join("; "))
    })
}

fn constants(library: &Library, given: &HashMap<String, f64>) -> FunctionConstantValues {
    let mut values = FunctionConstantValues::new();
    for constant in library.function_constants() {
        let value = given.get(&constant.name).or_else(|| given.get(&constant.index.to_string())).copied();
        let value = value.unwrap_or(1.0);
        let bits = match constant.scalar {
            Scalar::Bool => u64::from(value != 0.0),
            Scalar::F32 => u64::from((value as f32).to_bits()),
            Scalar::F16 => u64::from(half::f16::from_f64(value).to_bits()),
            Scalar::BF16 => u64::from(half::bf16::from_f64(value).to_bits()),
            scalar => (value as i64 as u64) & (u64::MAX >> (64 - 8 * scalar.size())),
        };
        let value = ConstantValue { scalar: constant.scalar, len: constant.len, bits: [bits; 4] };
        values.set_name(&constant.name, value);
    }
    values
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let line = line.replace('\n', " ");
    let _ = writeln!(out, "{}", line.chars().take(1000).collect::<String>());
    let _ = out.flush();
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (mut file, mut folders, mut entries, mut is_list) = (None, Vec::new(), Vec::new(), false);
    let mut compile_options = CompileOptions::default();
    let mut options = Options {
        known: None,
        constants: HashMap::new(),
        to_code: true,
        threads: None,
        groups: Groups::All,
        with_stages: false,
        emit: None,
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().expect("an option has a value");
        match arg.as_str() {
            "-I" => folders.push(PathBuf::from(value())),
            "-D" => {
                let text = value();
                let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(n, v)| (n, Some(v.into())));
                compile_options.defines.push((name.into(), value));
            }
            "-c" => {
                let text = value();
                let (name, value) = text.split_once('=').expect("NAME=VALUE");
                options.constants.insert(name.into(), value.parse().expect("a number"));
            }
            "--std" => {
                let text = value();
                let (major, minor) = text.split_once('.').expect("MAJOR.MINOR");
                compile_options.language_version = (major.parse().expect("digits"), minor.parse().expect("digits"));
            }
            "--threads" => {
                let sizes: Vec<u32> = value().split(',').map(|size| size.parse().expect("a number")).collect();
                options.threads = Some(sizes.try_into().expect("X,Y,Z"));
            }
            "--known" => options.known = Some(Known::open(&value()).expect("a file that can be written")),
            "--emit" => options.emit = Some(value()),
            "--first" => options.groups = Groups::Full,
            "--stages" => options.with_stages = true,
            "--stage" => options.to_code = value() == "cpu",
            "--list" => is_list = true,
            _ if file.is_none() => file = Some(arg),
            _ => entries.push(arg),
        }
    }
    let file = file.expect("a file");
    let text = std::fs::read_to_string(&file).expect("a readable file");
    let library = match Library::open(&file, &text, &compile_options, &Files(folders)) {
        Ok(library) => library,
        Err(error) => {
            let Failure(id, message) = error.into();
            return say(&format!("! \t{id}\t{message}"));
        }
    };
    if is_list {
        library.entry_points().iter().for_each(|name| say(name));
        return;
    }
    std::panic::set_hook(Box::new(|_| {}));
    for entry in if entries.is_empty() { library.entry_points() } else { entries } {
        say(&format!("> {entry}"));
        let result = catch_unwind(AssertUnwindSafe(|| compile(&library, &entry, &mut options)));
        let result = result.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(Failure("ice".into(), text.unwrap_or_default()))
        });
        match result {
            Ok([front, middle, code]) => say(&format!("= {entry}\t{front:.1}\t{middle:.1}\t{code:.1}")),
            Err(Failure(id, message)) => say(&format!("! {entry}\t{id}\t{message}")),
        }
    }
}
