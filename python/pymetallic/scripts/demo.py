"""``metallic-demo``: runs the kernels on real input, checks them against NumPy, prints a table, writes pictures.

With ``--demos``, runs programs that show the API instead (see ``pymetallic.helpers.MetallicDemo``).
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """0 when every result agrees with NumPy."""
    parser = argparse.ArgumentParser(prog="metallic-demo", description=__doc__)
    parser.add_argument("--quick_test", action="store_true", help="small sizes, no pictures")
    parser.add_argument("--out_dir", type=Path, default=Path("out"), help="where pictures go (default: out)")
    parser.add_argument("--device", default=None, help="cpu, interp, cuda:0, … (default: the best there is)")
    parser.add_argument("--demos", nargs="+", metavar="NAME", default=None, help="programs that show the API, or all")
    options = parser.parse_args(argv)
    if options.demos is not None:
        return run_demos(options.demos, None if options.quick_test else options.out_dir, options.device, options.quick_test)

    from ..gallery import format_table, run_gallery
    from ..metallic import Device, MetalError

    try:
        device = Device(options.device) if options.device else Device.get_default_device()
        print(f"device: {device.name} ({device.id})")
        start = time.perf_counter()
        rows = run_gallery(device, None if options.quick_test else options.out_dir, quick=options.quick_test)
    except (MetalError, OSError) as error:
        print(f"metallic-demo: {error}", file=sys.stderr)
        return 1
    print(format_table(rows))
    wrong = [row.kernel for row in rows if not row.ok]
    print(f"{len(rows)} kernels in {time.perf_counter() - start:.1f} s, {len(rows) - len(wrong)} agree with NumPy")
    if not options.quick_test:
        names = sorted(p.name for p in options.out_dir.iterdir())
        print(f"pictures in {options.out_dir}/: {', '.join(names)}")
    if wrong:
        print(f"metallic-demo: wrong results: {', '.join(wrong)}", file=sys.stderr)
        return 1
    return 0


def run_demos(names: list[str], out: Path | None, device: str | None, quick: bool) -> int:
    """0 when all succeed, 1 when one fails, 2 for a name that there is not."""
    from ..helpers import MetallicDemo
    from ..metallic import Device, MetalError

    try:
        demo = MetallicDemo(out_path=out, device=Device(device) if device else None, quick=quick)
    except (MetalError, OSError) as error:
        print(f"metallic-demo: {error}", file=sys.stderr)
        return 1
    demos = demo.get_demos()
    if "all" in names:
        return 1 if demo.run_complete_demo() else 0
    unknown = [name for name in names if name not in demos]
    if unknown:
        print(f"metallic-demo: there is no demo {', '.join(unknown)}; there are: all, {', '.join(demos)}", file=sys.stderr)
        return 2
    for name in names:
        demo.print(f"== {name}")
        try:
            demos[name]()
        except (MetalError, AssertionError, OSError) as error:
            print(f"metallic-demo: {name}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
