//! Every environment variable that changes what we do, declared once.

/// A variable and what it does.
pub struct Variable {
    pub name: &'static str,
    pub help: &'static str,
}

pub const DEVICE: Variable = Variable {
    name: "PYMETALLIC_DEVICE",
    help: "the default device: apple, cpu, cuda:0, interp, null or another that `metallic devices` lists",
};
pub const THREADS: Variable = Variable {
    name: "PYMETALLIC_THREADS",
    help: "how many threads run kernels of the cpu device; by default as many as the process may run at once, by its affinity and its control groups",
};
pub const CPU_FEATURES: Variable = Variable {
    name: "PYMETALLIC_CPU_FEATURES",
    help: "the vector instructions the cpu device may use: host (all there are), avx512, avx2 or sse4",
};
pub const CACHE_DIR: Variable = Variable {
    name: "PYMETALLIC_CACHE_DIR",
    help: "where machine code and what is known about libraries are cached; by default $XDG_CACHE_HOME/pymetallic or ~/.cache/pymetallic; empty: no cache",
};
pub const CACHE_SIZE: Variable =
    Variable { name: "PYMETALLIC_CACHE_SIZE", help: "how many bytes the cache may hold; by default 268435456" };
pub const QUICK: Variable = Variable {
    name: "PYMETALLIC_QUICK",
    help: "whether kernels of the cpu device start with code that is made quickly: on (good code takes over when it is ready; the default in Python), off (the default elsewhere), only (it never does), or the number of threadgroups after which it does",
};

pub const CHECK: Variable = Variable {
    name: "PYMETALLIC_CHECK",
    help: "what the interp device looks for besides bad accesses, separated by commas: strict (what hardware forgives), races (within threadgroups), races-grid",
};

/// All of them, for reference pages and `metallic doctor`.
pub const ALL: &[Variable] = &[DEVICE, THREADS, CPU_FEATURES, CACHE_DIR, CACHE_SIZE, QUICK, CHECK];

impl Variable {
    /// The value, when it is set and is text.
    pub fn get(&self) -> Option<String> {
        std::env::var(self.name).ok()
    }
}
