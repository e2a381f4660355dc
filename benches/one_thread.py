"""The processor time of one thread, ours beside its peers: what a busy machine disturbs least.

    python benches/one_thread.py [--features host,avx2] [--only w3,k5] [--seconds 1]

For each set of vector instructions a process of its own runs every kernel, and the same in C compiled for that set (and
NumPy told to do with it), with one thread each. Numbers are milliseconds, the least of many; `!` marks a result that failed its
check. The last column is the best peer's time over ours: above 1 we are faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What our peers are told: C compilers the processor, NumPy and OpenBLAS what to leave out.
MACHINES = {"host": "native", "avx512": "x86-64-v4", "avx2": "x86-64-v3", "sse4": "x86-64-v2"}
OPENBLAS = {"avx2": "Haswell", "sse4": "Nehalem"}


def measure(features: str, only: list[str], seconds: float) -> dict[str, dict[str, tuple[float, bool]]]:
    """The least processor time of each kernel and peer; those who run the same take turns."""
    import cpu

    results: dict[str, dict[str, tuple[float, bool]]] = {}
    data, cases = cpu.Data(), {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYMETALLIC_CACHE_DIR"] = folder
        cpu.ours(data, cases)
        cpu.numpy_peer(data, cases)
        cpu.c_peers(data, cases, Path(folder), MACHINES[features])
        for label in cpu.UNITS:
            if label not in cases or (only and not any(label.split()[0] == o for o in only)):
                continue
            peers, times = cases[label], {}
            for case in peers.values():
                case.run()
            correct = {n: c.check is None or bool(c.check()) for n, c in peers.items()}
            times = {n: float("inf") for n in peers}
            # A peer that is much slower than the others need not be known well.
            for name, case in peers.items():
                end = time.process_time() + 0.2 * seconds
                while time.process_time() < end:
                    start = time.process_time()
                    case.run()
                    times[name] = min(times[name], time.process_time() - start)
            slow = 4 * min(times.values())
            end = time.process_time() + seconds
            while time.process_time() < end:
                for name, case in peers.items():
                    if times[name] < slow:
                        start = time.process_time()
                        case.run()
                        times[name] = min(times[name], time.process_time() - start)
            results[label] = {n: (times[n], correct[n]) for n in peers}
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="host,avx2", help="comma-separated: host, avx512, avx2, sse4")
    parser.add_argument("--only", default="", help="comma-separated names of kernels, as k3 or w11")
    parser.add_argument("--seconds", type=float, default=1.0, help="per kernel")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sets, only = options.features.split(","), [o for o in options.only.split(",") if o]
    if options.child:
        print(json.dumps(measure(sets[0], only, options.seconds)))
        return 0
    is_right = True
    for features in sets:
        environment = {**os.environ, "PYMETALLIC_CPU_FEATURES": features, "PYMETALLIC_QUICK": "off"}
        for variable in ("PYMETALLIC_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[variable] = "1"
        if features in OPENBLAS:
            environment["OPENBLAS_CORETYPE"] = OPENBLAS[features]
            environment["NPY_DISABLE_CPU_FEATURES"] = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"
        arguments = [__file__, "--child", "--features", features, "--only", options.only, "--seconds", str(options.seconds)]
        child = subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        results = json.loads(child.stdout.splitlines()[-1])
        names = ["ours"] + sorted({n for r in results.values() for n in r} - {"ours"})
        rows = [[features, *names, "peer / ours"]]
        for label, result in results.items():
            cells = [f"{1e3 * result[n][0]:.3g}{'' if result[n][1] else '!'}" if n in result else "-" for n in names]
            peers = [t for n, (t, _) in result.items() if n != "ours"]
            rows.append([label, *cells, f"{min(peers) / result['ours'][0]:.2f}" if peers else "-"])
            is_right = is_right and all(ok for _, ok in result.values())
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        for row in rows:
            print("  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths))), flush=True)
        print()
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
