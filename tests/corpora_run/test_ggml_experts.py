"""ggml: mixtures of experts (who goes to which expert, products by expert, weights of the chosen) and recurrent layers
(state spaces, gated delta rule, triangular systems)."""

from __future__ import annotations

import ggml
import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check
from quant import FORMATS, matrix
from test_quantized import columns

HALF = 2.0**-24


def test_ggml_experts(case, device):
    check(case, device)


# ---- mixtures of experts -------------------------------------------------------------------------------------------


def choices(s: Sizes, tokens: int, count: int, chosen: int) -> np.ndarray:
    """The experts of each token, each at most once; the last expert is nobody's."""
    return np.stack([s.rng.permutation(count - 1)[:chosen] for _ in range(tokens)]).astype(np.int32)


def places(ids: np.ndarray, count: int) -> list[np.ndarray]:
    """For each expert, the places (token and choice) that are its own, in order."""
    return [np.flatnonzero(ids.reshape(-1) == expert).astype(np.int32) for expert in range(count)]


def sort_by_expert(chosen: int) -> Case:
    def make(s: Sizes) -> Call:
        tokens, count = s(53, 13), max(7, chosen + 2)
        ids = choices(s, tokens, count, chosen)
        # Rows of a table that is wider than what is chosen.
        table = np.zeros((tokens, chosen + 3), np.int32)
        table[:, :chosen] = ids
        lists = places(ids, count)

        def judge(found: np.ndarray) -> None:
            for row, own in zip(found.reshape(count, tokens), lists, strict=True):
                np.testing.assert_array_equal(row[: len(own)], own)

        values = {"ne02": count, "ne11": chosen, "ne20": chosen, "ne21": tokens, "nb21": table.strides[0]}
        sizes = Out(np.array([len(own) for own in lists]), "u32")
        out = Out(np.zeros(count * tokens, np.int32), "i32", judge=judge)
        memory = {0: -(-count * chosen * 2 // 16) * 16}
        return Call([ggml.arguments("mul_mm_id_map0", **values), table, sizes, out], groups=1, threadgroup=count, threadgroup_memory=memory)

    return ggml.case("mul_mm", f"mul_mm_id_map0_ne20_{chosen}", make)


def products_by_expert(name: str, t: str, rows: tuple[int, int], shape: str = "") -> Case:
    """The tokens of an expert are the columns of a product with its matrix; the result goes to where each came from."""

    def make(s: Sizes) -> Call:
        n, tokens, count, chosen = s(*rows), s(37, 9), 4, 2
        # Without checks of the inner size, it is a multiple of 32. With them, plain types may end anywhere.
        k = s(77, 41) if shape == "odd" else -(-columns(s, name) // 32) * 32
        shared = shape == "shared"
        b, w, stride = matrix(s.rng, name, n * count, k)
        w = w.reshape(count, n, k)
        scale = 2.0**9 if shape == "scaled" else 1.0
        x = s.normal((tokens, 1 if shared else chosen, k), t, scale)
        ids = choices(s, tokens, count, chosen)
        seen = np.broadcast_to(x, (tokens, chosen, k))
        exact = np.einsum("tcnk,tck->tcn", w[ids], seen)
        magnitude = np.einsum("tcnk,tck->tcn", np.abs(w[ids]), np.abs(seen))
        lists = places(ids, count)
        sizes = np.array([len(own) for own in lists], np.uint32)
        table = np.full((count, tokens), 0x7FFFFFFF, np.int32)
        for row, own in zip(table, lists, strict=True):
            row[: len(own)] = own
        width = {"f32": 4, "f16": 2}[t]
        values = {"ne00": k, "ne02": count, "nb01": stride, "nb02": stride * n, "nb03": stride * n * count, "ne11": x.shape[1]}
        values |= {"nb10": width, "nb11": width * k, "nb12": width * k * x.shape[1], "nb13": x.size * width}
        values |= {"ne20": chosen, "ne21": tokens, "ne0": n, "ne1": chosen, "r2": 1, "r3": 1}
        # Both sides become half, or bfloat; the sums are in float.
        unit = 2.0**-7 if name in ("bf16", "mxfp4") else 2.0**-10
        out = Out(exact, bound=magnitude * (unit + 2.0**-20) + 2.0**-20)
        fc = ggml.number("FC_MUL_MM")
        constants = {fc: shape == "odd", fc + 1: False, fc + 2: 1, fc + 3: 1, fc + 4: 1, fc + 5: 1, fc + 6: shape == "scaled"}
        factors = np.array([1 / 16, 16], np.float32)
        stored = x.astype({"f32": np.float32, "f16": np.float16}[t])
        arguments = [ggml.arguments("mul_mm_id", **values), b, stored, sizes, table, out, factors]
        groups = (-(-tokens // 32), -(-n // 64), count)
        return Call(arguments, groups=groups, threadgroup=128, threadgroup_memory={0: 8192}, constants=constants)

    return ggml.case("mul_mm", f"mul_mm_id_{name}_{t}", make, shape)


def largest_parts() -> Case:
    """The largest magnitude of every 256th row, behind two floats that are not written."""

    def make(s: Sizes) -> Call:
        shape = (2, s(150, 3), s(77, 37))
        x = s.normal(shape).astype(np.float32)
        parts = np.zeros(256, np.float32)
        for i, row in enumerate(x.reshape(-1, shape[2])):
            parts[i % 256] = max(parts[i % 256], np.abs(row).max())
        result = np.concatenate([[-1, -2], parts]).astype(np.float32)
        before = np.where(np.arange(258) < 2, result, 7).astype(np.float32)
        values = {"ne00": shape[2], "ne01": shape[1], "ne02": shape[0], "nb01": x.strides[1], "nb02": x.strides[0]}
        out = Out(result, "f32", EXACT, before)
        return Call([ggml.arguments("mul_mm_id_amax", **values), x, out], groups=256, threadgroup=s(96, 32), threadgroup_memory={0: 128})

    return ggml.case("mul_mm", "mul_mm_id_amax_part_f32", make)


def scale_of_largest(largest: float, scale: float) -> Case:
    def make(s: Sizes) -> Call:
        parts = s.uniform(0, largest, 256).astype(np.float32)
        parts[s.rng.integers(256)] = largest
        before = np.concatenate([[0, 0], parts]).astype(np.float32)
        result = np.concatenate([[1 / scale, scale], parts]).astype(np.float32)
        return Call([Out(result, "f32", EXACT, before)], groups=1, threadgroup=32)

    return ggml.case("mul_mm", "mul_mm_id_amax_f32", make, f"{largest:g}")


def route(count: int, chosen: int, is_normed: bool) -> Case:
    """Probabilities of all experts, the largest of them in order, and perhaps so that they add up to one."""

    def make(s: Sizes) -> Call:
        tokens = s(7, 3)
        # No two are so near that rounding could exchange them.
        z = np.stack([s.rng.permutation(count) for _ in range(tokens)]) * (6 / count) - 3
        stride, scale = count + 5, 2.5
        x = np.zeros((tokens, stride), np.float32)
        x[:, :count] = z
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        order = np.argsort(-p, axis=1)[:, :chosen]
        weights = np.take_along_axis(p, order, axis=1)
        if is_normed:
            weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 0.5)
        id_stride = chosen + 2
        before = np.full((tokens, id_stride), -7, np.int32)
        ids = before.copy()
        ids[:, :chosen] = order
        values = {"ne01": tokens, "nb01": 4 * stride, "nb1_ids": 4 * id_stride, "clamp": 0.5, "scale": scale}
        out = Out(weights * scale, bound=weights * scale * HALF * (64 + count / 8))
        fc = ggml.number("FC_TOPK_MOE")
        constants = {fc: is_normed, fc + 1: count, fc + 2: chosen}
        arguments = [ggml.arguments("topk_moe", **values), x, out, Out(ids, "i32", EXACT, before)]
        return Call(arguments, groups=tokens, threadgroup=32, constants=constants)

    return ggml.case("argsort", "topk_moe_f32", make, f"{count}-{chosen}{'-norm' if is_normed else ''}")


def weigh(chosen: int) -> Case:
    def make(s: Sizes) -> Call:
        tokens, n = s(5, 2), s(150, 37)
        x, w = s.normal((tokens, chosen, n)), s.uniform(0, 1, (tokens, chosen))
        out = Out(np.einsum("tcn,tc->tn", x, w), bound=np.einsum("tcn,tc->tn", np.abs(x), w) * HALF * (chosen + 4))
        args = ggml.arguments("moe_reduce", ne00=n, ne02=tokens)
        constants = {ggml.number("FC_MOE_REDUCE"): chosen}
        return Call([args, x.astype(np.float32), w.astype(np.float32), out], groups=(tokens, -(-n // 32), 1), threadgroup=32, constants=constants)

    return ggml.case("argsort", "moe_reduce_f32", make, f"{chosen}")


def add_chosen() -> Case:
    """A row is added to each, by the expert that it belongs to."""

    def make(s: Sizes) -> Call:
        tokens, chosen, count, n = s(5, 2), 3, 6, s(150, 37)
        x, rows = s.normal((tokens, chosen, n)).astype(np.float32), s.normal((count, n)).astype(np.float32)
        ids = choices(s, tokens, count, chosen)
        result = x + rows[ids]
        values = {"ne0": n, "ne1": chosen, "nb01": x.strides[1], "nb02": x.strides[0], "nb11": rows.strides[0], "nb21": ids.strides[0]}
        return Call([ggml.arguments("add_id", **values), x, rows, ids, Out(result)], groups=(chosen, tokens, 1), threadgroup=s(48, 16))

    return ggml.case("binbcast", "add_id", make)


# ---- recurrent layers ----------------------------------------------------------------------------------------------


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def state_space(kind: str, state: int, is_scalar: bool, snapshots: int = 1) -> Case:
    """Mamba: states decay at a rate of their own, take in what comes along B, and are read along C. ``kind`` is that of
    the kernel: one token after the other, those after the first ones, or by chunks as products of matrices."""
    by_chunks, is_tail = kind == "_ssd_mma", kind == "_tail"

    def make(s: Sizes) -> Call:
        heads, groups, sequences, slots = 4, 2, s(2, 1), 3
        inner = 64 if by_chunks else s(6, 3)
        tokens = 64 * s(2, 1) if by_chunks else s(19, 5)
        first = s(7, 3) if is_tail else 0
        h = s.normal((slots, heads, inner, state), scale=0.5)
        x, dt = s.normal((sequences, tokens, heads, inner)), s.uniform(-4, 1, (sequences, tokens, heads))
        dt[0, -1, 0] = 21.5
        a = -s.uniform(0.1, 1.5, (heads, 1 if is_scalar else state))
        b, c = s.normal((sequences, tokens, groups, state)), s.normal((sequences, tokens, groups, state))
        ids = s.rng.permutation(slots)[:sequences].astype(np.int32)
        step = softplus(dt)
        of_head = np.arange(heads) // (heads // groups)
        y, y_bound = np.zeros(x.shape), np.zeros(x.shape)
        now, wrong = h[ids], np.zeros((sequences, heads, inner, state))
        size = np.abs(now)
        kept, states = [], []
        for i in range(tokens):
            decay = np.exp(step[:, i, :, None] * a)[:, :, None, :]
            given = (step[:, i, :, None] * x[:, i])[..., None] * b[:, i, of_head][:, :, None, :]
            # exp and log are Metal's fast ones: 3 units and one for each unit of the argument; chunks are decayed from
            # their beginning, so that the argument may be large where the result is small.
            units = 16 + 4 * np.abs(step[:, i, :, None] * a)[:, :, None, :]
            wrong = wrong * decay + (np.abs(now) * decay + np.abs(given)) * units * HALF
            now, size = now * decay + given, size * decay + np.abs(given)
            read = c[:, i, of_head][:, :, None, :]
            y[:, i] = (now * read).sum(-1)
            # What a sum is of, not what it is: in chunks the same sums are done in another order.
            slack = wrong + size * HALF * (state / 8 + 16) * (8 if by_chunks else 1)
            y_bound[:, i] = (slack * np.abs(read)).sum(-1)
            states.append(now)
            kept.append(slack if by_chunks else wrong + 1e-30)
        # A state for each token before the last that is asked for, the last one first.
        snaps = [states[tokens - 1 - i] for i in range(snapshots)]
        snap_bounds = [kept[tokens - 1 - i] for i in range(snapshots)]
        result = np.concatenate([y.reshape(-1), *(n.reshape(-1) for n in snaps)])
        bound = np.concatenate([y_bound.reshape(-1), *(n.reshape(-1) for n in snap_bounds)])
        before = None
        if is_tail:
            # An earlier kernel has written the first tokens' results and the state after them.
            before = np.full(result.size, -3, np.float32)
            written = before[: y.size].reshape(y.shape)
            written[:, :first] = y[:, :first]
            before[y.size : y.size + now.size] = states[first - 1].reshape(-1)
            bound[y.size :] += np.concatenate([size.reshape(-1)] * snapshots) * HALF * 2
        values = {"d_state": state, "d_inner": inner, "n_head": heads, "n_group": groups, "n_seq_tokens": tokens - first}
        values |= {"n_seq_tokens_total": tokens, "token_offset": first, "n_seqs": sequences, "K": snapshots, "s_off": 4 * y.size}
        values |= {"nb00": 4, "nb01": 4 * state, "nb02": 4 * state * inner, "nb03": 4 * state * inner * heads}
        values |= {"nb10": 4, "nb11": 4 * inner, "nb12": 4 * inner * heads, "ns12": inner * heads, "nb13": 4 * inner * heads * tokens}
        values |= {"nb20": 4, "nb21": 4 * heads, "ns21": heads, "nb22": 4 * heads * tokens, "ne30": a.shape[1], "nb31": 4 * a.shape[1]}
        for n in "45":
            values |= {f"nb{n}1": 4 * state, f"nb{n}2": 4 * state * groups, f"ns{n}2": state * groups, f"nb{n}3": 4 * state * groups * tokens}
        data = [v.astype(np.float32) for v in (h, x, dt, a, b, c)]
        out = Out(result, bound=bound, before=before)
        simdgroups = 4 if by_chunks else state // 32
        floats = 3 * 64 + 64 * 64 + 4 * 8 * 64 + 4 * 2 * 64 if by_chunks else (32 + 2) * simdgroups
        groups_of = (1 if by_chunks else inner, heads, sequences)
        arguments = [ggml.arguments("ssm_scan", **values), *data, ids, out]
        memory = {0: -(-4 * floats // 16) * 16}
        return Call(arguments, groups=groups_of, threadgroup=32 * simdgroups, threadgroup_memory=memory)

    name = {"": "ssm_scan_f32", "_tail": "ssm_scan_f32_tail", "_ssd_mma": "ssm_scan_ssd_mma_f32"}[kind]
    return ggml.case("ssm", name, make, f"{state}{'' if is_scalar else '-each'}{f'-{snapshots}' if snapshots > 1 else ''}")


def delta_rule(rows: int, by_channel: bool, snapshots: int = 1, is_fused: bool = False) -> Case:
    """A matrix of state is decayed, told the difference between a value and what it has at a key, and read at a query.
    ``rows`` of it are those of a threadgroup."""

    def make(s: Sizes) -> Call:
        size, heads, keys, tokens, sequences = 32 * rows, 4, 2, s(7, 3), s(2, 1)
        q, k = (s.normal((sequences, tokens, keys, size), scale=size**-0.5) for _ in range(2))
        v, gate = s.normal((sequences, tokens, heads, size)), s.uniform(-1.5, 0, (sequences, tokens, heads, size if by_channel else 1))
        beta, state = s.uniform(0.1, 0.9, (sequences, tokens, heads)), s.normal((sequences, heads, size, size), scale=0.3)
        shared = np.arange(heads) % keys
        scale = 1 / size**0.5
        y, bound = np.zeros(v.shape), np.zeros(v.shape)
        now, wrong, states, wrongs = state.copy(), np.zeros(state.shape), [], []
        for i in range(tokens):
            # A row of the state is for a channel of the values.
            key, query = k[:, i, shared][:, :, None, :], q[:, i, shared][:, :, None, :]
            decay, b = np.exp(gate[:, i])[:, :, None, :], beta[:, i, :, None, None]
            now, wrong = now * decay, wrong * decay + np.abs(now) * decay * 12 * HALF
            has, has_size = (now * key).sum(-1, keepdims=True), np.abs(now * key).sum(-1, keepdims=True)
            off = (wrong * np.abs(key)).sum(-1, keepdims=True) + has_size * HALF * (rows + 12)
            d = (v[:, i, :, :, None] - has) * b
            now, wrong = now + key * d, wrong + np.abs(key) * (off * b + np.abs(d) * 8 * HALF) + np.abs(now) * 2 * HALF
            y[:, i] = (now * query).sum(-1) * scale
            bound[:, i] = ((wrong + np.abs(now) * HALF * (rows + 12)) * np.abs(query)).sum(-1) * scale
            states.append(now)
            wrongs.append(wrong + 1e-30)
        kept = min(snapshots, tokens)
        snaps = np.stack([states[tokens - 1 - i] for i in range(kept)])
        snap_bounds = np.stack([wrongs[tokens - 1 - i] for i in range(kept)])
        values = {"ne20": size, "ne21": heads, "ne22": tokens, "ne23": sequences, "ne01": keys, "ne11": keys}
        for n, x in (("0", q), ("1", k), ("2", v)):
            values |= {f"nb{n}1": 4 * size, f"nb{n}2": 4 * size * x.shape[2], f"nb{n}3": 4 * x[0].size, f"ns{n}2": size * x.shape[2]}
        data = [x.astype(np.float32) for x in (q, k, v, gate, beta, state)]
        out = Out(y, bound=bound)
        if is_fused:
            # The states go to a cache, whose slots are larger than a state.
            slot = state.size + 64
            cache, cache_bound = np.full((snapshots, slot), -5.0), np.zeros((snapshots, slot))
            cache[:kept, : state.size], cache_bound[:kept, : state.size] = snaps.reshape(kept, -1), snap_bounds.reshape(kept, -1)
            values["nb_out"] = slot
            outs = [out, Out(cache, bound=cache_bound, before=np.full(cache.shape, -5, np.float32))]
        else:
            both = np.concatenate([y.reshape(-1), snaps.reshape(-1)])
            outs = [Out(both, bound=np.concatenate([bound.reshape(-1), snap_bounds.reshape(-1)])), np.zeros(4, np.float32)]
        fc = ggml.number("FC_GATED_DELTA_NET")
        constants = {fc: size, fc + 1: size if by_channel else 1, fc + 2: snapshots}
        arguments = [ggml.arguments("gated_delta_net", **values), *data, *outs]
        return Call(arguments, groups=(size // rows, heads, sequences), threadgroup=(32, rows, 1), constants=constants)

    note = "-".join(["channels"] * by_channel + [f"{snapshots}"] * (snapshots > 1) + ["fused"] * is_fused)
    return ggml.case("gated_delta_net", f"gated_delta_net_f32_{rows}", make, note)


def solve(n: tuple[int, int], k: tuple[int, int]) -> Case:
    """A lower triangular system for several right sides, one for each simdgroup."""

    def make(s: Sizes) -> Call:
        size, sides, batch, simdgroups = s(*n), s(*k), s(2, 1), 4
        a = np.tril(s.normal((batch, size, size), scale=1 / size))
        a[:, np.arange(size), np.arange(size)] = s.uniform(0.5, 2, (batch, size))
        # What is above the diagonal is not read.
        stored = (a + np.triu(s.normal(a.shape), 1)).astype(np.float32)
        b = s.normal((batch, size, sides)).astype(np.float32)
        a = np.tril(stored).astype(np.float64)
        x = np.linalg.solve(a, b.astype(np.float64))
        # Forward substitution is backward stable: |error| <= |A^-1| |A| |x| times the roundings of a row.
        bound = np.abs(np.linalg.inv(a)) @ (np.abs(a) @ np.abs(x)) * HALF * (size / 16 + 12)
        args = ggml.of("solve_tri", {"0": stored, "1": b, "": b})
        # Rows are read in whole simdgroups, and so is the part of the result that is there; zeros where there is none.
        slack = np.zeros(32 * sides)
        result, bound = np.concatenate([x.reshape(-1), slack]), np.concatenate([bound.reshape(-1), slack])
        out = Out(result, bound=bound, before=np.zeros(result.size, np.float32))
        padded = np.concatenate([stored.reshape(-1), np.zeros(4 * size + 64, np.float32)])
        fc = ggml.number("FC_SOLVE_TRI")
        constants = {fc: simdgroups, fc + 1: size, fc + 2: sides}
        groups = (-(-sides // simdgroups), batch, 1)
        memory = {0: 4 * simdgroups * (-(-size // 32) * 32)}
        return Call([args, padded, b, out], groups=groups, threadgroup=(32, simdgroups, 1), threadgroup_memory=memory, constants=constants)

    return ggml.case("solve_tri", "solve_tri_f32", make, f"{n[0]}x{k[0]}")


CASES = (
    [sort_by_expert(n) for n in (1, 2, 4, 5, 6, 8, 10, 16, 22)]
    + [products_by_expert(name, t, (76, 36)) for name in FORMATS for t in ("f32", "f16") if (name, t) != ("bf16", "f16")]
    + [products_by_expert("q4_0", "f32", (128, 64), "shared"), products_by_expert("q6_K", "f32", (70, 30), "scaled")]
    + [products_by_expert(name, "f32", (61, 13), "odd") for name in ("f32", "f16", "bf16")]
    + [largest_parts()] + [scale_of_largest(*p) for p in ((100.0, 1), (32768.0, 1), (40000.0, 2), (65536.0, 2), (1e6, 32), (1e20, 2.0**52))]
    + [route(60, 6, True), route(128, 8, False), route(200, 40, True), route(31, 31, True), route(1000, 10, False)]
    + [weigh(n) for n in (1, 2, 6)] + [add_chosen()]
    + [state_space("", 32, False), state_space("", 128, True), state_space("", 64, True, 3), state_space("_tail", 64, True), state_space("_ssd_mma", 64, True)]
    + [delta_rule(n, c) for n in (1, 2, 4) for c in (False, True)] + [delta_rule(2, False, 3), delta_rule(1, False, 4, True), delta_rule(1, True, 1, True)]
    + [solve((64, 32), (12, 4)), solve((40, 20), (7, 3)), solve((96, 17), (1, 1))]
)  # fmt: skip
