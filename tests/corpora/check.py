"""Compiles other people's kernels, each entry point all the way to machine code, and compares what fails with what
is expected to: `python tests/corpora/check.py [CORPUS...]`.

The work is done by processes of the example `corpus` of `msl-codegen-llvm`, one per file and handful of entry points:
a kernel that crashes the compiler, takes longer than the limit or too much memory is one failure, not the end of the
run. Each corpus has a file in `tests/corpora/expected` with the failures that are right and the reason; a failure
that is not in it and a line of it that nothing matches both fail the run.

All of it is more than an hour of CPU time, most of it LLVM's. Results are kept as they come, in `target/corpora/results`;
`--resume` goes on where a run ended. Which texts of LLVM IR have become machine code is kept from run to run, so that after
a change only what it changed is done again; `--anew` forgets that.
"""

import argparse
import fnmatch
import json
import os
import queue
import re
import resource
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path

import fetch
import mlx

HERE = Path(__file__).resolve().parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", fetch.ROOT / "target"))
COMPILER = Path(os.environ.get("CORPUS_COMPILER", TARGET / "release" / "examples" / "corpus"))
KNOWN = fetch.CACHE / "results" / "known"  # hashes of LLVM IR
MEMORY = 2 << 30  # bytes of address space for a process
CHUNK = 24  # entry points for a process
SLOW = 1000.0  # ms
PATIENCE = 30  # times the limit, by the clock: other programs run as well


@dataclass
class Source:
    """A file, and how its authors compile it."""

    path: Path
    name: str
    options: list[str] = field(default_factory=list)


@dataclass
class Result:
    source: str
    entry: str
    id: str = ""  # of the diagnostic; empty when all is well
    message: str = ""
    times: tuple[float, ...] = ()  # ms of CPU time: front end, lowering and passes, code


# ---- the corpora ---------------------------------------------------------------------------------------------------


def ggml_constants() -> list[str]:
    # What a host would give: sizes that are possible together. All others are 1.
    given = {"FC_mul_mv_nsg": 2, "FC_mul_mv_nxpsg": 8, "FC_flash_attn_ext_nsg": 4, "FC_flash_attn_ext_ns10": 128}
    given |= {"FC_flash_attn_ext_ns20": 128, "FC_flash_attn_ext_vec_ns10": 128, "FC_flash_attn_ext_vec_ns20": 128}
    return [word for name, value in given.items() for word in ("-c", f"{name}={value}")]


def files(at: Path, pattern: str, options: list[str]) -> list[Source]:
    return [Source(path, str(path.relative_to(at)), options) for path in sorted(at.glob(pattern))]


def sources(corpus: str, at: Path) -> list[Source]:
    if corpus == "candle":
        # Included by the others.
        return [s for s in files(at, "*.metal", []) if s.name != "utils.metal"]
    if corpus in ("ggml", "ggml-one-file"):
        options = ["-I", str(at), "-I", str(at / "ggml-metal"), "-D", "GGML_METAL_HAS_BF16=1", *ggml_constants()]
        pattern = "ggml-metal/kernels/*.metal" if corpus == "ggml" else "ggml-metal/ggml-metal.metal"
        # Those with "common" in their names are included by the others.
        return [s for s in files(at, pattern, options) if "_common" not in s.name]
    if corpus.startswith("mistralrs"):
        return files(at, "*.metal", ["-I", str(at), "--std", "3.1"])
    if corpus == "spirv-cross":
        return files(at, "**/shaders-msl*/**/*.comp", [])
    if corpus == "mlx":
        made = fetch.CACHE / "mlx-instances"
        mlx.write(made)
        return files(made, "*.metal", ["-I", str(at), "-D", "MLX_METAL_JIT"])
    raise ValueError(corpus)


# ---- compiling -----------------------------------------------------------------------------------------------------


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(COMPILER), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"METALLIC_VERIFY": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )


def entry_points(source: Source) -> tuple[list[str], Result | None]:
    done = start([str(source.path), *source.options, "--list"])
    out, err = done.communicate()
    if out.startswith("! ") or done.returncode != 0:
        return [], failure(source, out.rstrip("\n") if out else f"! \tcrash\t{done.returncode} {err[-300:]}")
    return out.split("\n")[:-1], None


def failure(source: Source, line: str) -> Result:
    entry, id, message = [*line[2:].split("\t", 2), "", ""][:3]
    return Result(source.name, entry, id, message)


def cpu_time(process: subprocess.Popen[str]) -> float:
    """In seconds; where the system does not say, what has passed on the clock."""
    if not Path("/proc/self/stat").is_file():
        return time.monotonic()
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0  # it has ended


def compile_entries(source: Source, entries: list[str], stage: str, limit: float) -> list[Result]:
    """In one process, or in more where one ends before its time."""
    options = [*source.options, "--stage", stage, "--known", str(KNOWN)]
    results: list[Result] = []
    left = list(entries)
    while left:
        process = start([str(source.path), *options, *left])
        assert process.stdout is not None and process.stderr is not None
        begun: list[tuple[float, float]] = [(cpu_time(process), time.monotonic())]
        ended_by_us = threading.Event()
        finished = threading.Event()

        def watch() -> None:
            while not finished.wait(0.5):
                cpu, wall = begun[0]
                # What others compute meanwhile does not count; but what waits for ever must end as well.
                if cpu_time(process) - cpu > limit or time.monotonic() - wall > PATIENCE * limit:
                    ended_by_us.set()
                    process.kill()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        current = ""
        for line in process.stdout:
            line = line.rstrip("\n")
            begun[0] = cpu_time(process), time.monotonic()
            if line.startswith("> "):
                current = line[2:]
                continue
            if line.startswith("= "):
                entry, *times = line[2:].split("\t")
                results.append(Result(source.name, entry, times=tuple(float(t) for t in times)))
            elif line.startswith("! "):
                results.append(failure(source, line))
            left = left[1:] if left and results and results[-1].entry == left[0] else left
            current = ""
        errors = process.stderr.read()
        process.wait()
        finished.set()
        watcher.join()
        if left and (current or process.returncode != 0):
            what = "time-limit" if ended_by_us.is_set() else "crash"
            results.append(Result(source.name, left[0], what, f"exit {process.returncode} {errors[-300:]}"))
            left = left[1:]
        elif left:
            results += [Result(source.name, entry, "missing", "no result") for entry in left]
            break
    return results


FAMILY = re.compile(r"u?int(8|16|32|64)?(_t)?|b?float(16|32|8)?|half|bf16|f16|f32|i\d+|u\d+|bool_?|uchar|char|[0-9]+")


def sampled(entries: list[str], count: int) -> list[str]:
    """So many of each family: entry points whose names differ in types and numbers only."""
    families: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        families[FAMILY.sub("#", entry)].append(entry)
    chosen = set()
    for members in families.values():
        step = max(1, len(members) // count)
        chosen.update(members[::step][:count])
    return [entry for entry in entries if entry in chosen]


class Log:
    """The results of a corpus in a file, a line of JSON each. A run may end in the middle of a line."""

    def __init__(self, path: Path, is_resumed: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.results: list[Result] = []
        for line in path.read_text().splitlines() if is_resumed and path.is_file() else []:
            try:
                self.results.append(Result(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        # What took too long may do better.
        self.results = [result for result in self.results if result.id != "time-limit"]
        # Written again: lines that are broken or of another format are gone.
        self.file = path.open("w")
        self.add(self.results)

    def add(self, results: list[Result]) -> None:
        self.file.writelines(json.dumps(asdict(result)) + "\n" for result in results)
        self.file.flush()


def check_corpus(name: str, arguments: argparse.Namespace) -> list[Result] | None:
    at = fetch.folder(name)
    if at is None:
        return None
    log = Log(fetch.CACHE / "results" / f"{name}-{arguments.stage}.jsonl", arguments.resume)
    is_done = {(result.source, result.entry) for result in log.results}
    results: list[Result] = []
    work: queue.Queue[tuple[Source, list[str]]] = queue.Queue()
    for source in sources(name, at):
        if arguments.file and not re.search(arguments.file, source.name):
            continue
        entries, error = entry_points(source)
        results += [error] if error else []
        entries = [entry for entry in entries if not arguments.entry or re.search(arguments.entry, entry)]
        if arguments.sample:
            entries = sampled(entries, arguments.sample)
        results += [result for result in log.results if result.source == source.name and result.entry in entries]
        entries = [entry for entry in entries if (source.name, entry) not in is_done]
        for i in range(0, len(entries), CHUNK):
            work.put((source, entries[i : i + CHUNK]))
    lock = threading.Lock()

    def worker() -> None:
        while True:
            try:
                source, entries = work.get_nowait()
            except queue.Empty:
                return
            done = compile_entries(source, entries, arguments.stage, arguments.limit)
            with lock:
                results.extend(done)
                log.add(done)
                for result in done:
                    if arguments.verbose or (result.id and arguments.progress):
                        print(result.source, result.entry, result.id, result.message[:300], *result.times, flush=True)

    threads = [threading.Thread(target=worker) for _ in range(arguments.jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results, key=lambda r: (r.source, r.entry))


# ---- expectations --------------------------------------------------------------------------------------------------


@dataclass
class Expectation:
    """A line `ID FILE ENTRY COUNT`; the last two may have wildcards in the manner of the shell."""

    id: str
    source: str
    entry: str
    count: int

    def matches(self, result: Result) -> bool:
        return (
            self.id == result.id
            and fnmatch.fnmatchcase(result.source, self.source)
            and fnmatch.fnmatchcase(result.entry, self.entry)
        )


def expectations(name: str) -> list[Expectation]:
    file = HERE / "expected" / f"{name}.txt"
    found = []
    reason = False
    for number, line in enumerate(file.read_text().splitlines() if file.is_file() else [], 1):
        line = line.strip()
        reason = reason and bool(line) or line.startswith("#")
        if not line or line.startswith("#"):
            continue
        if not reason:
            raise SystemExit(f"{file}:{number}: a failure needs a reason: a comment above it")
        id, source, entry, count = line.split()
        found.append(Expectation(id, source, "" if entry == "-" else entry, int(count)))
    return found


def compare(name: str, results: list[Result], is_complete: bool) -> list[str]:
    """What is not as it should be."""
    expected = expectations(name)
    counts: Counter[int] = Counter()
    unexpected: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if not result.id:
            continue
        at = next((i for i, e in enumerate(expected) if e.matches(result)), None)
        if at is None:
            # The place tells reasons apart, not what the message says of this or that instance.
            place = re.match(r"[^ ]*:\d+:\d+: ", result.message)
            unexpected[f"{result.id} {place.group() if place else result.message[:80]}"].append(result)
        else:
            counts[at] += 1
    # What fails for one reason is one line.
    problems = []
    for failed in unexpected.values():
        first, more = failed[0], f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        problems.append(f"{first.source} {first.entry or '(the file)'}{more}: {first.id}: {first.message[:400]}")
    for i, e in enumerate(expected):
        if is_complete and counts[i] != e.count:
            problems.append(f"expected {e.count} failures, found {counts[i]}: {e.id} {e.source} {e.entry}")
    return problems


def report(name: str, results: list[Result]) -> None:
    bad = [r for r in results if r.id]
    by_id = Counter(r.id for r in bad)
    ids = ", ".join(f"{count} {id}" for id, count in by_id.most_common())
    seconds = sum(sum(r.times) for r in results) / 1000
    print(f"{name:22} {len(results):6} {len(results) - len(bad):6} {len(bad):6}   {seconds:8.1f} s   {ids}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", help="those to check; all of them otherwise")
    parser.add_argument("--stage", default="cpu", choices=["ir", "cpu"], help="how far to compile")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many entry points of each family")
    parser.add_argument("--file", metavar="REGEX", help="only files of such a name")
    parser.add_argument("--entry", metavar="REGEX", help="only entry points of such a name")
    parser.add_argument("--resume", action="store_true", help="go on with the results of the last run")
    parser.add_argument("--anew", action="store_true", help="make machine code for what an earlier run made it for, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=120, metavar="SECONDS", help="of CPU time for one entry point")
    parser.add_argument("--progress", action="store_true", help="print failures as they come")
    parser.add_argument("--verbose", action="store_true", help="print every entry point")
    parser.add_argument("--write", metavar="FOLDER", type=Path, help="write all results there, a table per corpus")
    arguments = parser.parse_args()
    KNOWN.parent.mkdir(parents=True, exist_ok=True)
    if arguments.anew:
        KNOWN.unlink(missing_ok=True)
    is_complete = not (arguments.sample or arguments.file or arguments.entry)
    problems: list[str] = []
    slow: list[Result] = []
    print(f"{'corpus':22} {'all':>6} {'ok':>6} {'failed':>6}   {'CPU time':>10}   by id")
    for name in arguments.corpus or fetch.CORPORA:
        results = check_corpus(name, arguments)
        if results is None:
            print(f"{name:22} skipped: it could not be fetched")
            continue
        report(name, results)
        problems += [f"{name}: {problem}" for problem in compare(name, results, is_complete)]
        slow += [r for r in results if sum(r.times) > SLOW]
        if arguments.write:
            arguments.write.mkdir(parents=True, exist_ok=True)
            rows = ["\t".join([r.source, r.entry, r.id or "ok", *map(str, r.times), r.message]) for r in results]
            (arguments.write / f"{name}.tsv").write_text("\n".join(rows) + "\n")
    slow.sort(key=lambda r: -sum(r.times))
    if slow:
        print(f"\n{len(slow)} take longer than {SLOW:.0f} ms (front end, lowering and passes, code):")
    for r in slow[:20]:
        print(f"  {sum(r.times):8.0f} ms  {r.source} {r.entry}  {r.times}")
    if problems:
        print(f"\n{len(problems)} are not as expected:")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
