"""``metallic``: the command line of the compiler and its devices (see ``metallic --help``)."""

from __future__ import annotations

import signal
import sys

from .._native import run_command_line


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 when all is well, 1 when there were errors, 2 when the arguments make no sense."""
    # The whole command runs outside of Python, which would notice an interrupt only at its end.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return run_command_line(["metallic", *(sys.argv[1:] if argv is None else argv)])
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    sys.exit(main())
