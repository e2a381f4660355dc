# Two commands for a newcomer: `make demo` and `make test`. Everything that is missing is installed
# (as root, or with sudo): LLVM from Debian, a Python environment in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CARGO ?= cargo
LLVM_VERSION := 22

# The prefix that llvm-sys looks for; its major version encodes LLVM's.
export LLVM_SYS_221_PREFIX ?= /usr/lib/llvm-$(LLVM_VERSION)

.PHONY: demo test test-slow test-random test-naga fuzz test-threads rust-test python-test test-corpora-run test-tinygrad test-corpora corpus-compiler check-apple wheel sdist test-install test-wheel test-free-threaded docs setup llvm venv develop cli capi install lint bench clean

demo: develop cli
	$(BIN)/metallic-demo --out_dir out

test: lint rust-test python-test check-apple

lint: setup
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

rust-test: setup
	@# Random programs for a minute and mutated sources for some seconds each; the programs for longer: test-random.
	export METALLIC_RANDOM_SECONDS=$${METALLIC_RANDOM_SECONDS:-60}; \
	if $(CARGO) nextest --version >/dev/null 2>&1; then $(CARGO) nextest run --workspace --exclude pymetallic --no-fail-fast; else $(CARGO) test --workspace --exclude pymetallic --no-fail-fast; fi

python-test: develop cli
	$(BIN)/python -m pytest tests/python
	$(BIN)/python -m pytest tests/corpora_run

# What takes too long for every change: bounds that are stated for many rounds.
test-slow: develop
	PYMETALLIC_TEST_LEAK_CYCLES=10000 $(BIN)/python -m pytest -s tests/python/test_lifetimes.py
	$(CARGO) test -p metallic --test conformance -- --ignored everywhere

# Random programs in MSL, the CPU device against the interpreter, for an hour; what differs is made short. RANDOM_FIRST is
# the seed to begin with.
RANDOM_SECONDS ?= 3600
RANDOM_FIRST ?= 1
test-random: llvm
	METALLIC_RANDOM_SECONDS=$(RANDOM_SECONDS) METALLIC_RANDOM_FIRST=$(RANDOM_FIRST) METALLIC_RANDOM_REDUCE=1 PYMETALLIC_CACHE_DIR= \
		$(CARGO) test --release -p metallic --test random_programs -- --nocapture random_programs_compute

# What is done with any text at all: libFuzzer mutates the sources of the tests, FUZZ_SECONDS (180) for each target;
# `make test` mutates without looking at coverage, for seconds. FUZZ_TARGETS chooses some of preprocess, parse,
# front_end and ir_text.
fuzz: llvm
	tools/fuzz.sh $(FUZZ_TARGETS)

# Shaders in WGSL, translated by naga and run by us, against wgpu on Mesa's lavapipe; `make test` compares with what
# lavapipe gave when the shader was written.
test-naga: llvm
	tools/test-naga.sh

# Races and undefined behavior where threads meet: ThreadSanitizer and Miri, with a nightly Rust; some minutes.
test-threads: llvm
	tools/test-threads.sh

# All of the tests of tinygrad on our devices; `make test` runs a sample. tinygrad publishes its own tests in its
# repository only: with TINYGRAD=path/of/a/checkout, those run too. They compare with PyTorch, and need clang.
test-tinygrad: develop
	PYMETALLIC_TINYGRAD=all $(BIN)/python -m pytest tests/python/test_tinygrad.py
ifdef TINYGRAD
	tools/as-root.sh apt-get install -y -q clang-$(LLVM_VERSION)
	$(BIN)/python -m pip install --quiet torch hypothesis
	cd $(TINYGRAD) && CC=clang-$(LLVM_VERSION) PARALLEL=0 $(abspath $(BIN))/python -m pytest -p pymetallic.integrations.tinygrad \
		test/backend/test_ops.py test/backend/test_dtype.py test/opt test/test_tiny.py
endif

# Other people's kernels, all of them, compiled to machine code: 75 minutes of CPU time at first, less where LLVM has seen
# the code in an earlier run (CORPORA=--anew does it all). CORPORA chooses some,
# e.g. CORPORA="candle mlx"; CORPORA=--resume goes on where a run ended.
test-corpora: setup corpus-compiler
	$(BIN)/python tests/corpora/check.py $(CORPORA)

corpus-compiler: llvm
	$(CARGO) build --release --quiet -p msl-codegen-llvm --example corpus

# Other people's kernels, run on the CPU and on the interpreter and compared with NumPy; `make test` runs a sample.
# SHARDS processes share the work.
SHARDS ?= 1
test-corpora-run: develop
	@# Every process prints what it found when it has ended.
	seq $(SHARDS) | PYMETALLIC_CORPORA_RUN=all xargs -P $(SHARDS) -I{} env PYMETALLIC_CORPORA_SHARD={}/$(SHARDS) \
		$(BIN)/python -m pytest -q tests/corpora_run

# The Apple device where there is no Metal; see the script.
check-apple:
	tools/check-apple.sh

# Linked against the shared LLVM: quick to build, and only good here.
develop: setup
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile release --features pyo3/extension-module --quiet

cli: setup
	$(CARGO) build --release --quiet -p metallic-cli

# The library for C and what its users need; DESTDIR is for those who make packages.
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
LIBRARY := $(or $(CARGO_TARGET_DIR),target)/release/libpymetallic.$(if $(filter Darwin,$(shell uname -s)),dylib,so)

capi: llvm
	$(CARGO) build --release --quiet -p metallic-capi

install: capi
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib/
	install -m 644 include/pymetallic.h $(DESTDIR)$(PREFIX)/include/
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' include/pymetallic.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/pymetallic.pc

# One file with LLVM inside, for every CPython from 3.10 on; `pip install .` makes the same.
wheel: setup
	rm -rf dist
	$(BIN)/maturin build --out dist

# The sources as a package, from which pip makes the same wheel.
sdist: venv
	rm -rf dist/*.tar.gz
	$(BIN)/maturin sdist --out dist --quiet

# The source package and a clean clone, each installed by pip into an empty environment, and used there.
test-install: setup
	tools/test-install.sh

# The suite where Python has no global lock; not PYTHON, which .venv is made of.
FREE_THREADED ?= python3.14t
test-free-threaded: setup
	tools/test-free-threaded.sh $(FREE_THREADED)

# The wheel where nothing else is: roots with CPython 3.11, 3.13 and 3.14 and nothing more. Needs root.
SUITES ?= bookworm trixie sid
test-wheel: wheel
	tools/test-wheel.sh dist/*.whl $(SUITES)

# The documentation as pages, target/site: a reference from docstrings and stubs, a tutorial, a migration page.
docs: venv
	$(BIN)/python -m pip install --quiet -r docs/requirements.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

setup: llvm venv

llvm:
	@tools/install-llvm.sh $(LLVM_VERSION)

venv: $(VENV)/.installed
$(VENV)/.installed: tools/requirements.txt
	$(PYTHON) -m venv $(VENV) || (tools/as-root.sh apt-get install -y python3-venv && $(PYTHON) -m venv $(VENV))
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r tools/requirements.txt
	@# The photograph of the demo; its own dependencies are not needed to read one file.
	$(BIN)/python -m pip install --quiet --no-deps scikit-image
	touch $@

bench: develop
	tools/as-root.sh apt-get install -y -q pocl-opencl-icd
	$(BIN)/python -m pip install --quiet pyopencl
	$(BIN)/python benches/cpu.py

clean:
	rm -rf target $(VENV) out dist
