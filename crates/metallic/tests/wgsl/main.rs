//! Shaders in WGSL, translated to MSL by naga: our devices compute what Mesa's lavapipe computes by wgpu.
//!
//! The shaders are `tests/wgsl/shaders/*.wgsl`; what lavapipe leaves in their buffers and textures stands in
//! `tests/wgsl/results`, written by `make test-naga`, which needs wgpu, Vulkan and Mesa; this needs only naga. Each
//! shader is translated in several styles, and run on the interpreter and the CPU device with strict math and with
//! fast math. Integers are compared bit for bit, floats within WGSL's bounds; with strict math the two devices agree
//! bit for bit.
//!
//! `METALLIC_TEST=word` chooses shaders by name, `METALLIC_WGSL=folder` other shaders with their results,
//! `METALLIC_WGSL_DUMP=folder` is where the MSL is written to.

#[allow(dead_code)]
mod case;
mod run;
mod translate;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Results};
use metallic::Device;
use translate::{STYLES, translate};

/// Whatever is found wrong with a shader.
fn examine(case: &Case, reference: &Results, interp: &Device, cpu: &Device) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, style) in STYLES.into_iter().enumerate() {
        if case.styles.as_ref().is_some_and(|styles| !styles.iter().any(|s| s == style.name)) {
            continue;
        }
        let shader = match translate(&case.source, style) {
            Ok(shader) => shader,
            Err(e) => return vec![format!("{}: naga: {e}", style.name)],
        };
        if let Some(folder) = std::env::var_os("METALLIC_WGSL_DUMP") {
            let file = format!("{}.{}.metal", case.name, style.name);
            std::fs::write(Path::new(&folder).join(file), &shader.source).unwrap();
        }
        let mut strict = Vec::new();
        for (fast_math, device) in [(false, interp), (false, cpu), (true, cpu)] {
            // One style is enough to see what fast math does.
            if fast_math && at > 0 {
                continue;
            }
            let which = format!("{}{} on {}", style.name, if fast_math { ", fast math" } else { "" }, device.id());
            let results = match run::run(device, case, &shader, fast_math) {
                Ok(results) => results,
                Err(e) => {
                    wrong.push(format!("{which}: {e}"));
                    continue;
                }
            };
            if let Some(difference) = case.difference(&results, reference) {
                wrong.push(format!("{which}: {difference}"));
            }
            if !fast_math {
                strict.push(results);
            }
        }
        if let [a, b] = &strict[..]
            && a != b
        {
            wrong.push(format!("{}: the devices differ", style.name));
        }
    }
    wrong
}

/// The shaders of a folder, some at a time.
fn examine_all(folder: &Path, cases: &[Case]) -> Vec<String> {
    let [interp, cpu] = ["interp", "cpu"].map(|id| Device::by_name(id).unwrap());
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = folder.join("results").join(format!("{}.txt", case.name));
            let wrong = match std::fs::read_to_string(&path).map(|text| case::read(&text)) {
                Ok(Some(reference)) => examine(case, &reference, &interp, &cpu),
                Ok(None) => vec![format!("{} cannot be read", path.display())],
                Err(e) => vec![format!("{}: {e}; `make test-naga` writes it", path.display())],
            };
            failures.lock().unwrap().extend(wrong.into_iter().map(|w| format!("{}: {w}", case.name)));
        }
    };
    std::thread::scope(|s| {
        for _ in 0..std::thread::available_parallelism().map_or(1, |n| n.get()) {
            s.spawn(work);
        }
    });
    failures.into_inner().unwrap()
}

#[test]
fn shaders_compute_what_lavapipe_computes() {
    let folder = std::env::var_os("METALLIC_WGSL").map_or_else(case::folder, Into::into);
    let cases = case::cases(&folder.join("shaders"));
    let failures = examine_all(&folder, &cases);
    println!("{} shaders", cases.len());
    assert!(failures.is_empty(), "{} shaders, but:\n{}", cases.len(), failures.join("\n"));
}
