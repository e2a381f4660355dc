"""Random numbers: the same generator, in NumPy, from its definition (a combined Tausworthe and linear one)."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, check, rounded, size_t, ulps


def test_random(case, device):
    check(case, device)


def taus(z, s, m):
    b = ((z << np.uint32(s[0])) ^ z) >> np.uint32(s[1])
    return ((z & np.uint32(m)) << np.uint32(s[2])) ^ b


S1, S2, S3 = (13, 19, 12), (2, 25, 4), (3, 11, 17)
PHI = (0x9E3779B97F4A7C15, 0xF39CC0605CEDC834, 0x1082276BF3A27251, 0xF86C6A11D0C18E95)
SEED = 299792458


def lcg(z):
    return np.uint32(1664525) * z + np.uint32(1013904223)


def mixed(z):
    return taus(z, S1, 429496729) ^ taus(z, S2, 4294967288) ^ taus(z, S3, 429496280) ^ lcg(z)


def as_state(z) -> np.ndarray:
    return (z.astype(np.float32) * np.float32(2.328306436538696289e-10)).astype(np.float32)


class Generator:
    def __init__(self, seed: int, threads: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            seeds = [np.full(threads.shape, seed, np.uint64), threads.astype(np.uint64), *[np.ones(threads.shape, np.uint64)] * 2]
            x, y, z, w = ((v * np.uint64(p) * np.uint64(1099087573)).astype(np.uint32) for v, p in zip(seeds, PHI))
            r = taus(x, S1, 4294967294) ^ taus(y, S2, 4294967288) ^ taus(z, S3, 4294967280) ^ lcg(x) ^ y
            r = mixed(r) ^ z
            r = mixed(r) ^ w
            self.state = as_state(mixed(r))

    def next(self) -> np.ndarray:
        found = self.state
        with np.errstate(over="ignore"):
            self.state = as_state(mixed((found.astype(np.float64) * 2.0**32).astype(np.uint64).astype(np.uint32)))
        return found.astype(np.float64)


def random(name: str, t: str, parity: int) -> Case:
    def make(s: Sizes) -> Call:
        n = s(1000, 40) + parity
        a, b = (-2.5, 4.0) if name == "uniform" else (1.5, 2.0)
        half = n // 2 + n % 2

        def generated(seed: int) -> np.ndarray:
            g = Generator(seed, np.arange(half))
            u, v = g.next(), g.next()
            if name == "uniform":
                first, second = u * (b - a) + a, v * (b - a) + a
            else:
                magnitude = b * np.sqrt(-2 * np.log(u))
                first, second = magnitude * np.cos(2 * np.pi * v) + a, magnitude * np.sin(2 * np.pi * v) + a
            if name == "uniform" and not parity:
                # The first thread has made one more, for the next seed.
                second[0] = (g.next() * (b - a) + a)[0]
            result = np.empty(n)
            mirrored = np.arange(parity, half)
            result[n - (1 - parity) - mirrored] = second[mirrored]
            result[:half] = first
            return result

        # The first thread stores the next seed while the others load theirs: each has the one or the other.
        g = Generator(SEED, np.arange(1))
        calls = 1 if name == "uniform" else 2
        for _ in range(calls):
            g.next()
        next_seed = int(g.next()[0] * 2.0**32)
        old, new = rounded(generated(SEED), t), rounded(generated(next_seed), t)
        tolerance = ulps(t, 4) if name == "uniform" else ulps(t, 64 if t == "f32" else 2)
        absolute = {"f32": 2e-6, "f16": 2e-3, "bf16": 1.6e-2}[t]

        def judge(found: np.ndarray) -> None:
            bound = tolerance.relative * np.abs(found) + absolute
            is_old, is_new = (np.abs(found - v) <= bound for v in (old, new))
            assert is_old[0] and (is_old | is_new).all(), (found[~(is_old | is_new)][:5], old[~(is_old | is_new)][:5])
            # Both numbers of a thread are of one generator.
            mirror = np.arange(1, n // 2)
            other = n - (1 - n % 2) - mirror
            assert ((is_old[mirror] & is_old[other]) | (is_new[mirror] & is_new[other])).all()

        seeds = Out(np.array([next_seed >> 32, next_seed & 0xFFFFFFFF]), "u32", before=np.array([SEED >> 32, SEED], np.uint32))
        out = Out(np.zeros(n), t, judge=judge)
        return Call([size_t(n), np.float32(a), np.float32(b), seeds, out], threads=half)

    return Case("candle", "random.metal", f"rand_{name}_{t}", make, "odd" if parity else "even")


CASES = [random(name, t, p) for name in ("uniform", "normal") for t in ("f32", "f16", "bf16") for p in (0, 1)]
