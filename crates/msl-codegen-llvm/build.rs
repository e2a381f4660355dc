//! Links LLVM 22: its shared library, or with the feature `static` the archives of what we use.
//!
//! In: `LLVM_SYS_221_PREFIX`, the prefix of an installation, or else an `llvm-config` on the path. Out: what the
//! linker needs. A static build contains the C++ library too and needs nothing but the C library where it runs;
//! the linker takes from the archives only what is reachable from the targets that `src/target.rs` names.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = "22";
const PREFIX: &str = "LLVM_SYS_221_PREFIX";

/// What the crate calls: code for CPUs and NVIDIA GPUs, the pass builder, the just-in-time linker.
const COMPONENTS: [&str; 3] = ["nvptx", "orcjit", "passes"];

fn main() {
    println!("cargo::rerun-if-env-changed={PREFIX}");
    println!("cargo::rerun-if-changed=build.rs");
    // The documentation needs no LLVM.
    if env::var_os("DOCS_RS").is_some() {
        return;
    }
    let Some(config) = find_config() else {
        let more = if is_static() { format!(" and libpolly-{VERSION}-dev") } else { String::new() };
        fail(&format!(
            "LLVM {VERSION} is missing: install llvm-{VERSION}-dev{more} (Debian) or llvm@{VERSION} (Homebrew), or set {PREFIX}"
        ));
    };
    println!("cargo::rerun-if-changed={}", config.display());
    println!("cargo::rustc-link-search=native={}", llvm(&config, &["--libdir"]).trim());
    if is_static() { link_archives(&config) } else { link_shared(&config) }
}

fn is_static() -> bool {
    env::var_os("CARGO_FEATURE_STATIC").is_some()
}

fn link_shared(config: &Path) {
    for name in libraries(&llvm(config, &["--link-shared", "--libnames"])) {
        println!("cargo::rustc-link-lib=dylib={name}");
    }
}

fn link_archives(config: &Path) {
    let cpu = match env::var("CARGO_CFG_TARGET_ARCH").as_deref() {
        Ok("x86_64") => "x86",
        Ok("aarch64") => "aarch64",
        other => fail(&format!("no code generator for this architecture: {other:?}")),
    };
    let mut arguments = vec!["--link-static", "--libnames", cpu];
    arguments.extend(COMPONENTS);
    let names = libraries(&llvm(config, &arguments));
    // Packages divide an installation; the linker would say no more than the name of a file, and that last of all.
    let place = PathBuf::from(llvm(config, &["--libdir"]).trim());
    if let Some(name) = names.iter().find(|name| !place.join(format!("lib{name}.a")).exists()) {
        let package =
            if name.starts_with("Polly") { format!("libpolly-{VERSION}-dev") } else { format!("llvm-{VERSION}-dev") };
        fail(&format!("lib{name}.a is not in {}: install {package} (Debian)", place.display()));
    }
    // Not bundled: the archives are hundreds of megabytes, of which the final link takes a part.
    for name in names {
        println!("cargo::rustc-link-lib=static:-bundle={name}");
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        // Both are parts of the system there; Homebrew's LLVM is built against them. Its zstd is not.
        println!("cargo::rustc-link-lib=dylib=z");
        println!("cargo::rustc-link-lib=dylib=c++");
        println!("cargo::rustc-link-lib=static:-bundle=zstd");
        for place in ["/opt/homebrew/lib", "/usr/local/lib"].into_iter().filter(|place| Path::new(place).exists()) {
            println!("cargo::rustc-link-search=native={place}");
        }
    } else {
        for (name, package) in [("z", "zlib1g-dev"), ("zstd", "libzstd-dev"), ("stdc++", "g++")] {
            if is_missing(&format!("lib{name}.a")) {
                fail(&format!("lib{name}.a, which LLVM needs, is missing: install {package} (Debian)"));
            }
            println!("cargo::rustc-link-lib=static:-bundle={name}");
        }
    }
}

/// Whether the C compiler, which links, does not find a file among its libraries. It answers with a path if it does.
fn is_missing(file: &str) -> bool {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler).arg(format!("-print-file-name={file}")).output();
    output.is_ok_and(|o| o.status.success() && String::from_utf8_lossy(&o.stdout).trim() == file)
}

/// `libLLVMCore.a` and `libLLVM-22.so` become `LLVMCore` and `LLVM-22`.
fn libraries(names: &str) -> Vec<String> {
    let stem = |name: &str| {
        let name = name.strip_prefix("lib").unwrap_or(name);
        let end = [".a", ".so", ".dylib"].iter().find_map(|suffix| name.strip_suffix(suffix));
        end.unwrap_or(name).to_owned()
    };
    names.split_whitespace().map(stem).collect()
}

fn find_config() -> Option<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(prefix) = env::var_os(PREFIX) {
        candidates.push(PathBuf::from(prefix).join("bin/llvm-config"));
    } else {
        candidates.extend([format!("llvm-config-{VERSION}"), "llvm-config".into()].map(PathBuf::from));
        candidates.push(format!("/usr/lib/llvm-{VERSION}/bin/llvm-config").into());
        let homebrew = ["/opt/homebrew", "/usr/local"];
        candidates.extend(homebrew.map(|root| format!("{root}/opt/llvm@{VERSION}/bin/llvm-config").into()));
    }
    let right = |config: &PathBuf| {
        let output = Command::new(config).arg("--version").output();
        output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).starts_with(&format!("{VERSION}.")))
    };
    candidates.into_iter().find(right)
}

fn llvm(config: &Path, arguments: &[&str]) -> String {
    match Command::new(config).args(arguments).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        Ok(output) => fail(&format!("{}: {}", config.display(), String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => fail(&format!("{}: {error}", config.display())),
    }
}

/// Ends the build with a message that Cargo shows as an error of its own.
fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    std::process::exit(1)
}
