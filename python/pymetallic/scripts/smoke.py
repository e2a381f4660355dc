"""``metallic-smoke``: one kernel, end to end, and a line that says whether it worked."""

from __future__ import annotations

import sys

import numpy as np

SOURCE = """
#include <metal_stdlib>
using namespace metal;

kernel void saxpy(device const float* x [[buffer(0)]],
                  device float* y [[buffer(1)]],
                  constant float& a [[buffer(2)]],
                  uint i [[thread_position_in_grid]])
{
    y[i] += a * x[i];
}
"""


def main() -> int:
    """Runs the smoke test on the default device; 0 when the result is right."""
    from ..metallic import Device, Kernel, MetalError

    try:
        device = Device.get_default_device()
        n = 1000
        x, y = np.arange(n, dtype=np.float32), np.ones(n, dtype=np.float32)
        Kernel(device, SOURCE, "saxpy")(x, y, np.float32(2.0))
        if not np.array_equal(y, 1.0 + 2.0 * x):
            print(f"metallic-smoke: wrong result on {device.name}", file=sys.stderr)
            return 1
    except MetalError as error:
        print(f"metallic-smoke: {error}", file=sys.stderr)
        return 1
    print(f"metallic-smoke: ok on {device.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
