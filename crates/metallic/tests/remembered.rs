//! What the cache on disk remembers of libraries and functions: the same program behaves the same with a full cache, and
//! whatever is different about a program is noticed. Each run is a process with a place of its own for the cache.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use metallic::{CompileOptions, Device, FunctionConstantValues, Result, StorageMode, TextureDescriptor, TextureUsage};

/// Set in the processes that run [`child`]; names the folder with the program.
const MARK: &str = "METALLIC_TEST_REMEMBERED";

const SOURCE: &str = r#"
#include <metal_stdlib>
#include "scale.h"
using namespace metal;

#if __has_include("extra.h")
#include "extra.h"
#endif
#ifndef BIAS
#define BIAS 0
#endif

constant uint times [[function_constant(3)]];

struct Pair { float2 a; packed_float3 b[2]; };

kernel void sum(device const uint* in [[buffer(0)]], device atomic_uint* out [[buffer(2)]],
                constant Pair& pair [[buffer(5)]], threadgroup uint* host [[threadgroup(1)]],
                uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]]) {
    threadgroup uint tile[48];
    tile[t] = in[i] * SCALE + BIAS;
    host[t] = times;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t == 0) {
        uint all = 0;
        for (uint j = 0; j < 32; j++) all += tile[j] * host[j];
        atomic_fetch_add_explicit(out, all + uint(pair.b[1].z), memory_order_relaxed);
    }
}

[[max_total_threads_per_threadgroup(128)]]
kernel void beyond(device uint* out [[buffer(0)]], texture2d<float> image [[texture(1)]],
                   uint2 i [[thread_position_in_grid]]) {
    out[i.x + 4 * i.y] = uint(image.read(i).x * 255.0f);
}
"#;

/// A folder with a program and a cache.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("metallic-remembered-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("include")).unwrap();
        std::fs::create_dir_all(path.join("first")).unwrap();
        let place = Place(path);
        place.write("main.metal", SOURCE);
        place.write("include/scale.h", "#define SCALE 2\n");
        place
    }
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }
    fn start(&self, variables: &[(&str, &str)]) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env_remove("PYMETALLIC_CPU_FEATURES")
            // Code that a thread makes would be on disk sooner or later.
            .env("PYMETALLIC_QUICK", "off")
            .env(MARK, &self.0)
            .env("PYMETALLIC_CACHE_DIR", self.0.join("cache"))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
    fn run(&self, variables: &[(&str, &str)]) -> String {
        finish(self.start(variables))
    }
    /// The names of the entries of the cache.
    fn entries(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.0.join("cache")).into_iter().flatten().flatten();
        let mut all: Vec<_> = files.map(|entry| entry.path()).collect();
        all.sort();
        all
    }
    /// Runs what is not remembered, then again; how many entries the first run made.
    fn run_new(&self, variables: &[(&str, &str)]) -> (String, usize) {
        let before = self.entries().len();
        let first = self.run(variables);
        let entries = self.entries();
        assert_eq!(self.run(variables), first, "the second run differs");
        assert_eq!(self.entries(), entries, "the second run adds entries");
        (first, entries.len() - before)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn finish(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("> ")).fold(String::new(), |all, line| all + line + "\n")
}

/// Not a test of its own: what the others run. Everything that a host can see is printed.
#[test]
fn child() {
    let Some(place) = std::env::var_os(MARK).map(PathBuf::from) else { return };
    let mut out = String::new();
    if let Err(error) = program(&place, &mut out) {
        let _ = writeln!(out, "error: {error}");
    }
    // After the harness's own words, which end without a line.
    println!();
    for line in out.replace(place.to_str().unwrap(), "PLACE").lines() {
        println!("> {line}");
    }
}

fn program(place: &Path, out: &mut String) -> Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let number = |name: &str, otherwise: u32| variable(name).map_or(otherwise, |n| n.parse().unwrap());
    let device = Device::by_name("cpu")?;
    let mut options = CompileOptions {
        source_name: place.join("main.metal").display().to_string(),
        fast_math_enabled: variable("SAFE").is_none(),
        include_directories: vec![place.join("first"), place.join("include")],
        ..CompileOptions::default()
    };
    options.preprocessor_macros.extend(variable("BIAS").map(|n| ("BIAS".to_string(), n)));
    options.language_version = variable("VERSION").map(|n| (n.parse().unwrap(), 0));
    let source = std::fs::read_to_string(place.join("main.metal")).unwrap();
    let library = device.make_library(&source, &options)?;
    let _ = writeln!(out, "{:?} {:?}", library.function_names(), library.function_constants());
    let _ = writeln!(out, "{:?}", library.warnings());
    if variable("CHANGE_LATE").is_some() {
        std::fs::write(place.join("include/scale.h"), "#define SCALE 77\n").unwrap();
    }

    let mut constants = FunctionConstantValues::new();
    constants.set(3, number("TIMES", 1));
    let queue = device.make_command_queue()?;
    for name in ["sum", "beyond"] {
        let function = library.make_function_with_constants(name, &constants)?;
        let pipeline = device.make_compute_pipeline_state(&function)?;
        let _ = writeln!(out, "{:#?}", pipeline.entry_point());
        let _ = writeln!(
            out,
            "{} {}",
            pipeline.static_threadgroup_memory_length(),
            pipeline.max_total_threads_per_threadgroup()
        );
        if variable("MODULE").is_some() {
            let _ = writeln!(out, "{} functions", pipeline.module()?.functions.values().count());
        }
        let data = device.make_buffer_with_slice(&(0..64).collect::<Vec<u32>>())?;
        let result = device.make_buffer(16, StorageMode::Shared)?;
        let command_buffer = queue.make_command_buffer()?;
        let encoder = command_buffer.make_compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&pipeline)?;
        if name == "sum" {
            encoder.set_buffer(&data, 0, 0)?;
            encoder.set_buffer(&result, 0, 2)?;
            encoder.set_bytes(&[0; 48], 5)?;
            encoder.set_threadgroup_memory_length(128, 1)?;
            encoder.dispatch_threads(64, number("THREADS", 32))?;
        } else {
            let mut descriptor = TextureDescriptor::new_2d(metallic::PixelFormat::R8Unorm, 4, 8, false);
            descriptor.usage = TextureUsage::READ_WRITE;
            encoder.set_buffer(&result, 0, 0)?;
            encoder.set_texture(&device.make_texture(&descriptor)?, 1)?;
            encoder.dispatch_threads([4, 2, 1], [4, 2, 1])?;
        }
        encoder.end_encoding()?;
        command_buffer.commit()?;
        match command_buffer.wait_until_completed() {
            Ok(()) => writeln!(out, "{:?}", result.to_vec::<u32>()?),
            Err(error) => writeln!(out, "{error}"),
        }
        .unwrap();
    }
    Ok(())
}

fn is_here() -> bool {
    Device::by_name("cpu").is_ok()
}

/// The first number that the program computes.
fn result(output: &str) -> u32 {
    let line = output.lines().find(|line| line.starts_with('[') && line.ends_with(", 0, 0, 0]")).expect(output);
    line[1..].split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_program_is_the_same_with_a_full_cache() {
    if !is_here() {
        return;
    }
    let place = Place::new("same");
    let (output, _) = place.run_new(&[]);
    assert_eq!(result(&output), 64 * 63);
    // Reflection, and the place of a fault, which needs the source that was not read again.
    for part in ["\"Pair\"", "offset: 8", "192 1024", "main.metal:34:5:", "out-of-bounds"] {
        assert!(output.contains(part), "{part} is missing in {output}");
    }
    // What needs more than is remembered, where the rest was: code for another threadgroup, the module.
    let (other, added) = place.run_new(&[("THREADS", "40")]);
    assert!(added > 0);
    assert_ne!(other, "");
    let (module, _) = place.run_new(&[("MODULE", "1")]);
    assert!(module.contains("1 functions"), "{module}");
}

#[test]
fn what_decides_about_a_program_is_noticed() {
    if !is_here() {
        return;
    }
    let place = Place::new("changes");
    let (first, _) = place.run_new(&[]);
    let twice = result(&first);
    let expect = |what: &str, variables: &[(&str, &str)], expected: u32| {
        let before = place.entries().len();
        let output = place.run(variables);
        assert!(place.entries().len() > before, "{what} was not noticed");
        assert_eq!(result(&output), expected, "{what}");
        output
    };
    expect("a macro", &[("BIAS", "1")], twice + 64);
    expect("a function constant", &[("TIMES", "3")], 3 * twice);
    expect("the math mode", &[("SAFE", "1")], twice);
    expect("the version of the language", &[("VERSION", "3")], twice);
    expect("the instructions of the processor", &[("PYMETALLIC_CPU_FEATURES", "sse4")], twice);

    let moved = SOURCE.replace("[[max_total", "// a line\n[[max_total");
    place.write("main.metal", &moved);
    assert!(expect("a comment", &[], twice).contains("main.metal:35:5:"));
    place.write("main.metal", SOURCE);
    assert_eq!(place.run(&[]), first);

    place.write("include/scale.h", "#define SCALE 5\n");
    expect("an included file", &[], twice / 2 * 5);
    place.write("first/scale.h", "#define SCALE 7\n");
    expect("a file that is found earlier", &[], twice / 2 * 7);
    place.write("include/extra.h", "#undef SCALE\n#define SCALE 9\n");
    expect("a file that was not there", &[], twice / 2 * 9);
    std::fs::remove_file(place.0.join("include/extra.h")).unwrap();
    std::fs::remove_file(place.0.join("first/scale.h")).unwrap();
    place.write("include/scale.h", "#define SCALE 2\n");
    assert_eq!(result(&place.run(&[])), twice, "files that are gone");
}

#[test]
fn a_library_stays_what_it_was_when_it_was_made() {
    if !is_here() {
        return;
    }
    let place = Place::new("late");
    let (first, _) = place.run_new(&[]);
    // The library is remembered, the code for these threadgroups is not: the file has changed when it is compiled.
    let late = place.run(&[("CHANGE_LATE", "1"), ("THREADS", "32"), ("TIMES", "2")]);
    assert_eq!(result(&late), 2 * result(&first));
}

#[test]
fn messages_are_the_same_with_a_full_cache() {
    if !is_here() {
        return;
    }
    let place = Place::new("messages");
    place.write("main.metal", &SOURCE.replace("using namespace", "#warning \"mind the gap\"\nusing namespace"));
    let (output, _) = place.run_new(&[]);
    assert!(output.contains("mind the gap"), "{output}");
    // Errors are not remembered, nor is what is near them.
    place.write("main.metal", &SOURCE.replace("out[i.x", "nowhere[i.x"));
    let (output, _) = place.run_new(&[]);
    assert!(output.contains("error:") && output.contains("nowhere"), "{output}");
}

#[test]
fn damage_is_noticed() {
    if !is_here() {
        return;
    }
    let place = Place::new("damage");
    let (output, _) = place.run_new(&[]);
    let entries = place.entries();
    let contents: BTreeMap<&PathBuf, Vec<u8>> =
        entries.iter().map(|path| (path, std::fs::read(path).unwrap())).collect();
    let last = contents.values().next_back().unwrap();
    let damages: [&dyn Fn(&[u8]) -> Vec<u8>; 4] = [
        &|_| Vec::new(),
        &|bytes| bytes[..bytes.len() - 1].to_vec(),
        &|bytes| bytes.iter().enumerate().map(|(i, b)| if i == bytes.len() / 2 { b ^ 4 } else { *b }).collect(),
        // Another entry, whole.
        &|_| last.clone(),
    ];
    for damage in damages {
        for (path, bytes) in &contents {
            std::fs::write(path, damage(bytes)).unwrap();
        }
        assert_eq!(place.run(&[]), output);
        assert_eq!(place.entries(), entries, "damaged entries are replaced");
        assert!(contents.iter().all(|(path, bytes)| std::fs::read(path).unwrap().len() == bytes.len()));
    }
    // Some are lost.
    for path in entries.iter().step_by(2) {
        std::fs::remove_file(path).unwrap();
    }
    assert_eq!(place.run(&[]), output);
    for path in entries.iter().skip(1).step_by(2) {
        let _ = std::fs::remove_file(path);
    }
    assert_eq!(place.run(&[]), output);
    assert_eq!(place.entries(), entries);
}

#[test]
fn processes_may_fill_a_cache_at_the_same_time() {
    if !is_here() {
        return;
    }
    let place = Place::new("processes");
    let children: Vec<Child> = (0..4).map(|_| place.start(&[])).collect();
    let outputs: Vec<String> = children.into_iter().map(finish).collect();
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    let entries = place.entries();
    assert_eq!(place.run(&[]), outputs[0]);
    assert_eq!(place.entries(), entries);
}
