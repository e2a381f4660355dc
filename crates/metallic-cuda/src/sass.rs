//! Machine code of NVIDIA GPUs as text.
//!
//! In: PTX. Out: what NVIDIA's own `ptxas` and `nvdisasm` make of it. They are looked for where CUDA puts them and
//! where packages for Python do; without them an error says how to get them. No GPU is needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use metallic_hal::{Error, Result};

/// Assembles for compute capability `sm` / 10 and disassembles.
pub fn disassemble(ptx: &str, sm: u32) -> Result<String> {
    let folders = folders(&|name| std::env::var(name).ok());
    let (assembler, disassembler) = (find("ptxas", &folders)?, find("nvdisasm", &folders)?);
    let work = Scratch::new()?;
    let (source, object) = (work.0.join("kernel.ptx"), work.0.join("kernel.cubin"));
    std::fs::write(&source, ptx).map_err(|e| Error::Device(format!("writing {}: {e}", source.display())))?;
    let mut command = Command::new(&assembler);
    command.arg(format!("--gpu-name=sm_{sm}")).arg("-o").arg(&object).arg(&source);
    run(&mut command, &assembler)?;
    let text = run(Command::new(&disassembler).arg("--print-code").arg(&object), &disassembler)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A folder that goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("metallic-sass-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|e| Error::Device(format!("making {}: {e}", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(command: &mut Command, program: &Path) -> Result<Vec<u8>> {
    let out = command.output().map_err(|e| Error::Device(format!("running {}: {e}", program.display())))?;
    if out.status.success() {
        return Ok(out.stdout);
    }
    let said = [out.stdout, out.stderr].concat();
    Err(Error::Device(format!("{} failed:\n{}", program.display(), String::from_utf8_lossy(&said).trim_end())))
}

/// Where CUDA's programs may be, best first.
fn folders(variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = Vec::new();
    for name in ["CUDA_HOME", "CUDA_PATH"] {
        list.extend(variable(name).map(|home| Path::new(&home).join("bin")));
    }
    list.extend(variable("PATH").iter().flat_map(std::env::split_paths));
    list.push("/usr/local/cuda/bin".into());
    // The packages nvidia-cuda-nvcc and nvidia-cuda-nvdisasm.
    let children = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    for python in variable("VIRTUAL_ENV").into_iter().flat_map(|home| children(Path::new(&home).join("lib"))) {
        list.extend(children(python.join("site-packages/nvidia")).map(|package| package.join("bin")));
    }
    list
}

fn find(name: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let found = folders.iter().map(|folder| folder.join(&file)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::Unsupported(format!(
            "the stage sass needs NVIDIA's program {name}, which is neither in CUDA_HOME nor in PATH: install the CUDA toolkit, \
             or, in a virtual environment, run `pip install nvidia-cuda-nvcc nvidia-cuda-nvdisasm`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_a_remedy() {
        let error = find("nvdisasm", &[PathBuf::from("/nonexistent")]).unwrap_err().to_string();
        assert!(error.contains("program nvdisasm") && error.contains("pip install"), "{error}");
    }

    #[test]
    fn programs_of_python_packages_are_found() {
        let home = Scratch::new().unwrap();
        let bin = home.0.join("lib/python3.12/site-packages/nvidia/cu13/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(bin.join(format!("ptxas{}", std::env::consts::EXE_SUFFIX)), "").unwrap();
        let list = folders(&|name| (name == "VIRTUAL_ENV").then(|| home.0.display().to_string()));
        assert!(find("ptxas", &list).unwrap().starts_with(&bin));
    }

    #[test]
    fn code_is_disassembled() {
        let folders = folders(&|name| std::env::var(name).ok());
        if find("ptxas", &folders).is_err() || find("nvdisasm", &folders).is_err() {
            eprintln!("no ptxas or nvdisasm: nothing was disassembled");
            return;
        }
        let ptx = ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k()\n{\n ret;\n}\n";
        let text = disassemble(ptx, 90).unwrap();
        assert!(text.contains("EXIT"), "{text}");
        let error = disassemble("nonsense", 90).unwrap_err().to_string();
        assert!(error.contains("ptxas"), "{error}");
    }
}
