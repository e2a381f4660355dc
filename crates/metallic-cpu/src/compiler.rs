//! The code generator as the device calls it: threadgroup size in, callable kernel out, by way of
//! the cache on disk.

use std::collections::BTreeMap;
use std::sync::Once;

use metallic_hal::explain::{LineValues, Remark};
use metallic_hal::{Dispatch, Error, Explanation, PipelineSource, Result, env, process};
use msl_base::{ExpansionId, Span};
use msl_codegen_llvm::abi::EntryFn;
use msl_codegen_llvm::{
    AsmLine, CodegenError, CompileOptions, CompiledKernel, CpuCompiler, FaultKind, FaultSite, Form, Groups, Isa, Quick,
    TargetOptions,
};
use msl_ir::passes::assume_textures::KnownTexture;
use msl_ir::{ParamKind, PixelFormat};

use metallic_hal::bytes::{Reader, Writer};
use metallic_hal::cache::{Cache, Key};

pub(crate) struct Compiler {
    llvm: CpuCompiler,
    cache: Cache,
    /// Names CPU, features and our version: code for one is no code for another.
    target: String,
}

/// Callable machine code.
pub(crate) struct Kernel {
    compiled: CompiledKernel,
}

impl Compiler {
    /// For the vector instructions that a name stands for; see [`env::CPU_FEATURES`].
    pub fn new(features: &str) -> Result<Compiler> {
        let isa = Isa::restricted(features.trim())
            .map_err(|message| Error::Device(format!("{}: {message}", env::CPU_FEATURES.name)))?;
        let llvm = CpuCompiler::new(TargetOptions { isa });
        let target = llvm.target_key().map_err(|error| Error::Device(error.to_string()))?;
        let target = format!("{} {target}", env!("CARGO_PKG_VERSION"));
        static ONCE: Once = Once::new();
        ONCE.call_once(|| process::at_end(close_compiler));
        Ok(Compiler { llvm, cache: Cache::of_user(), target })
    }

    /// LLVM IR or assembly, for looking at.
    pub fn emit(&self, source: &PipelineSource, stage: &str, threadgroup: [u32; 3]) -> Result<String> {
        let options = CompileOptions::new(threadgroup);
        let (module, entry) = (source.module()?, source.entry_point().name.as_str());
        let text = match stage {
            "llvm" => self.llvm.emit_llvm_ir(module, entry, &options, true),
            "llvm-raw" => self.llvm.emit_llvm_ir(module, entry, &options, false),
            "asm" => self.llvm.emit_asm_lines(module, entry, &options).map(|lines| annotated(source, &lines)),
            _ => {
                return Err(Error::Unsupported(format!(
                    "device cpu has the stages llvm, llvm-raw and asm, not {stage}"
                )));
            }
        };
        text.map_err(|error| Error::Pipeline { message: describe(source, &error) })
    }

    /// What code generation decided about a kernel, by lines of its source.
    pub fn explain(&self, source: &PipelineSource, threadgroup: [u32; 3]) -> Result<Explanation> {
        let entry = source.entry_point().name.as_str();
        let map = source.code.source_map();
        let out = self
            .llvm
            .explain(source.module()?, entry, &CompileOptions::new(threadgroup))
            .map_err(|error| Error::Pipeline { message: describe(source, &error) })?;
        let locate = |span: Span| map.as_ref().and_then(|map| map.location(span));
        let mut explanation = Explanation { summary: out.summary, ..Explanation::default() };
        for r in out.remarks {
            let remark = Remark {
                location: locate(r.span),
                id: r.id.into(),
                message: r.message,
                help: r.help.map(str::to_string),
            };
            // What differs in the extent of its text only is said once.
            if !explanation.remarks.contains(&remark) {
                explanation.remarks.push(remark);
            }
        }
        let mut lines: BTreeMap<(String, u32), BTreeMap<Form, usize>> = BTreeMap::new();
        for (place, form) in out.values.into_iter().filter_map(|(span, form)| Some((locate(span)?, form))) {
            *lines.entry((place.file, place.line)).or_default().entry(form).or_default() += 1;
        }
        let name = |form| match form {
            Form::Uniform => "uniform",
            Form::PerVector => "per vector",
            Form::Linear => "linear",
            Form::Varying => "varying",
        };
        for ((file, line), forms) in lines {
            let forms = forms.into_iter().map(|(form, n)| (name(form).to_string(), n)).collect();
            explanation.values.push(LineValues { file, line, forms });
        }
        Ok(explanation)
    }

    /// Finds what code generation has to say against a kernel, without making machine code.
    pub fn check(&self, source: &PipelineSource, threadgroup: [u32; 3]) -> std::result::Result<(), String> {
        // What can be said does not depend on textures or on how full threadgroups are.
        let params = source.entry_point().params.iter().enumerate();
        let textures = params.filter(|(_, p)| matches!(p.kind, ParamKind::Texture { .. }));
        let format = PixelFormat::RGBA8Unorm as u32;
        let known = |i| KnownTexture { param: i as u32, format, bytes_per_texel: 4, is_flat: true };
        let textures = textures.map(|(i, _)| known(i)).collect();
        let options = CompileOptions { groups: Groups::Full, textures, ..CompileOptions::new(threadgroup) };
        let key = self.key(source, &format!("check {options:?}"))?;
        if key.as_ref().is_some_and(|key| self.cache.get(key).is_some()) {
            return Ok(());
        }
        let entry = source.entry_point().name.as_str();
        let module = source.module().map_err(|error| error.to_string())?;
        self.llvm.check(module, entry, &options).map_err(|error| describe(source, &error))?;
        if let Some(key) = &key {
            self.cache.put(key, &[]);
        }
        Ok(())
    }

    /// Names what is cached about a kernel; `None` without a cache.
    fn key(&self, source: &PipelineSource, options: &str) -> std::result::Result<Option<Key>, String> {
        if !self.cache.is_enabled() {
            return Ok(None);
        }
        let digest = source.code.digest().map_err(|error| error.to_string())?;
        let entry = source.entry_point().name.as_str();
        Ok(Some(Key::of(&[
            self.target.as_bytes(),
            entry.as_bytes(),
            options.as_bytes(),
            BUILD.as_bytes(),
            digest.as_str().as_bytes(),
        ])))
    }

    /// Machine code: from the cache if it has some, and rather good code than what else is asked for.
    pub fn compile(&self, source: &PipelineSource, options: &CompileOptions) -> std::result::Result<Kernel, String> {
        let entry = source.entry_point().name.as_str();
        let of = |options: &CompileOptions| self.key(source, &format!("{options:?}"));
        let find = |key: &Option<Key>| read(&self.cache.get(key.as_ref()?)?);
        let key = of(options)?;
        if options.quick != Quick::No
            && let Some(compiled) = find(&of(&CompileOptions { quick: Quick::No, ..options.clone() })?)
        {
            return Ok(Kernel { compiled });
        }
        if let Some(compiled) = find(&key) {
            return Ok(Kernel { compiled });
        }
        let module = source.module().map_err(|error| error.to_string())?;
        let compiled = self.llvm.compile(module, entry, options).map_err(|error| describe(source, &error))?;
        if let Some(key) = &key {
            self.cache.put(key, &write(&compiled));
        }
        Ok(Kernel { compiled })
    }
}

/// Called at the end of the process: threads may still run command buffers that nobody waits for.
extern "C" fn close_compiler() {
    msl_codegen_llvm::close();
}

impl Kernel {
    pub fn entry(&self) -> EntryFn {
        self.compiled.entry()
    }
    /// Whether full threadgroups that it hands to the context's `edge` have code of their own.
    pub fn has_whole(&self) -> bool {
        self.compiled.has_whole
    }
    /// Whether the code was made quickly rather than well.
    pub fn is_quick(&self) -> bool {
        self.compiled.is_quick
    }
    /// Whether there are no loops in it.
    pub fn is_brief(&self) -> bool {
        self.compiled.is_brief
    }
    /// Whether it may take the place of another one at any threadgroup.
    pub fn fits(&self, other: &Kernel) -> bool {
        let [a, b] = [&self.compiled, &other.compiled];
        a.fixed_scratch() == b.fixed_scratch() && a.has_whole == b.has_whole && a.sites == b.sites
    }
    /// Scratch memory for a dispatch with so much host-sized threadgroup memory.
    pub fn scratch_size(&self, dynamic_threadgroup: &[u64]) -> u64 {
        self.compiled.scratch_size(dynamic_threadgroup)
    }
    /// Id, message, argument and place of a fault.
    pub fn describe_fault(
        &self,
        source: &PipelineSource,
        dispatch: &Dispatch,
        site: u32,
        offset: u64,
    ) -> (&'static str, String, Option<String>, Option<String>) {
        let Some(site) = self.compiled.sites.get(site as usize) else {
            return ("out-of-bounds", "the kernel failed at an unknown place".into(), None, None);
        };
        let action = match site.kind {
            FaultKind::Read => "read",
            FaultKind::Write => "write",
            FaultKind::Atomic => "atomic operation",
            FaultKind::Trap => "trap",
            FaultKind::Barrier => "barrier",
        };
        let position = site.param.map(|param| param as usize);
        let argument = position.and_then(|p| source.entry_point().params.get(p)).map(|p| p.name.to_string());
        let length = position.and_then(|p| dispatch.arguments.get(p)).and_then(|argument| match argument {
            metallic_hal::Argument::Buffer { buffer, offset } => Some(buffer.length() - offset),
            metallic_hal::Argument::Bytes(bytes) => Some(bytes.len() as u64),
            _ => None,
        });
        let message = match (&site.message, site.kind, length) {
            (Some(message), ..) => message.clone(),
            (None, FaultKind::Trap, _) => "the kernel stopped itself".into(),
            (None, _, Some(length)) => format!("{action} at byte {} of {length}", offset as i64),
            (None, _, None) if site.param.is_some() => format!("{action} at byte {} out of bounds", offset as i64),
            (None, _, None) => format!("{action} at address {offset:#x}, where no buffer is"),
        };
        let id = match site.kind {
            FaultKind::Trap => "trap",
            FaultKind::Barrier => "divergent-barrier",
            _ if site.param.is_none() && site.message.is_none() => "invalid-pointer",
            FaultKind::Read | FaultKind::Write | FaultKind::Atomic => "out-of-bounds",
        };
        (id, message, argument, source.location(site.span))
    }
}

/// Assembly text with the lines of the source that it comes from, as comments.
fn annotated(source: &PipelineSource, lines: &[AsmLine]) -> String {
    let comment = if cfg!(target_arch = "aarch64") { "//" } else { "#" };
    let map = source.code.source_map();
    let mut last = None;
    let mut out = String::new();
    for line in lines {
        let place = line.span.and_then(|span| map.as_ref()?.line(span));
        if let Some((location, text)) = place
            && last.as_ref() != Some(&(location.file.clone(), location.line))
        {
            out.push_str(&format!("\t{comment} {}:{}: {}\n", location.file, location.line, text.trim()));
            last = Some((location.file, location.line));
        }
        out.push_str(&line.text);
        out.push('\n');
    }
    out
}

fn describe(source: &PipelineSource, error: &CodegenError) -> String {
    let location = match error {
        CodegenError::Unsupported { span, .. } => source.location(*span),
        CodegenError::NoEntryPoint(_) | CodegenError::ThreadgroupSize(_) | CodegenError::Llvm(_) => None,
    };
    location.map_or_else(|| error.to_string(), |location| format!("{location}: {error}"))
}

// ---- entries of the cache -----------------------------------------------------------------

/// Distinguishes builds of ourselves whose version is the same.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("METALLIC_CPU_BUILD"));

fn write(kernel: &CompiledKernel) -> Vec<u8> {
    let mut w = Writer::new();
    w.word(kernel.fixed_scratch());
    w.word(kernel.static_threadgroup_bytes);
    w.flag(kernel.has_whole);
    w.flag(kernel.is_quick);
    w.flag(kernel.is_brief);
    w.list(kernel.sites.iter(), |w, site| {
        w.word(match site.kind {
            FaultKind::Read => 0,
            FaultKind::Write => 1,
            FaultKind::Atomic => 2,
            FaultKind::Trap => 3,
            FaultKind::Barrier => 4,
        });
        w.option(site.param, |w, param| w.word(param.into()));
        for n in [site.span.start, site.span.end, site.span.expansion.0] {
            w.word(n.into());
        }
        w.option(site.message.as_deref(), Writer::text);
    });
    w.bytes(&kernel.object);
    w.into_bytes()
}

/// `None` when the entry makes no sense; it is then compiled again.
fn read(bytes: &[u8]) -> Option<CompiledKernel> {
    let mut r = Reader::new(bytes);
    let (fixed_scratch, static_threadgroup, flags) = (r.word()?, r.word()?, [r.flag()?, r.flag()?, r.flag()?]);
    let sites = r.list(|r| {
        let kind = match r.word()? {
            0 => FaultKind::Read,
            1 => FaultKind::Write,
            2 => FaultKind::Atomic,
            3 => FaultKind::Trap,
            4 => FaultKind::Barrier,
            _ => return None,
        };
        let param = r.option(Reader::small)?;
        let span = Span { start: r.small()?, end: r.small()?, expansion: ExpansionId(r.small()?) };
        let message = r.option(|r| r.text().map(str::to_string))?;
        Some(FaultSite { kind, param, span, message })
    })?;
    let object = r.bytes()?.to_vec();
    r.end(())?;
    CompiledKernel::from_object(object, fixed_scratch, static_threadgroup, flags, sites).ok()
}
