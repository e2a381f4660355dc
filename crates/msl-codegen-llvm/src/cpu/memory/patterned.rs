//! Accesses whose places are a number plus a pattern of lanes ([`crate::cpu::pattern`]).
//!
//! A pattern that is known while compiling says which vectors to access and how to shuffle them. Of one that is
//! only known to be the same for all gangs, two tests, which LLVM moves out of the loops over gangs, ask for the
//! common cases: the lanes count up, or they lie in some order within a window of two vectors. Everything else is
//! gathered or scattered.

use llvm_sys::LLVMIntPredicate as IP;

use super::linear::Way;
use super::masked::StoreMask;
use super::{ALIGN, Access, Element};
use crate::cpu::kernel::Emit;
use crate::cpu::pattern::Pattern;
use crate::emit::shape::Root;
use crate::emit::value::{Pointer, Varying, memory_type};
use crate::llvm::V;

/// An access as [`super::scattered`] prepares it.
pub(super) struct Request<'a> {
    pub p: &'a Pointer,
    pub var: &'a Varying,
    pub e: Element,
    pub base: V,
    pub length: V,
    /// None for loads.
    pub values: &'a [Vec<V>],
    pub site: V,
    /// How many parts are accessed.
    pub n: u32,
}

/// How lanes that follow a constant pattern are accessed.
enum Known {
    /// All at one place.
    Same,
    /// As they count up.
    Run,
    /// The lanes' distances from the first place, in scalars.
    Window(Vec<u32>),
}

/// Lanes in a few rows that are some distance from each other, which is known at run time.
struct RowPlan {
    width: V,
    /// The row, its first number, and its lanes with their distances from there, in scalars.
    rows: Vec<(i64, i64, Vec<(u32, u32)>)>,
    /// Scalars that are accessed of each row.
    length: u32,
    /// The greatest number.
    last: i64,
}

/// What is known of a pattern at run time.
struct Window {
    /// Distances from the first place, as 32-bit numbers.
    lanes: V,
    /// Whether they lie within two vectors, and for stores count up.
    fits: V,
    /// Bytes from the first place to the end of the last.
    extent: V,
    /// Stores: which places of the window are stored to, and by which lanes. Where masks have no registers, the lane is
    /// negative where none stores.
    inverse: Vec<(Option<V>, V)>,
}

impl Emit<'_> {
    /// The patterns of all parts of an access, if it is one for this module.
    pub(super) fn access_patterns(&self, p: &Pointer, var: &Varying, e: Element, n: u32) -> Option<Vec<Pattern>> {
        if p.valid || p.root == Root::Raw || p.scalar.shape.lanes() || var.scale <= 0 {
            return None;
        }
        // The elements of a row, of structures in a row, or neighbors of elements.
        if !(var.scale as u64).is_multiple_of(u64::from(e.scalar.size())) {
            return None;
        }
        (0..n).map(|i| self.pattern_of(&var.index, i)).collect()
    }

    pub(super) fn has_patterns(&self, p: &Pointer, var: &Varying, e: Element) -> bool {
        let n = if p.scalar.shape.parts() || var.index.shape.parts() { self.gang.parts } else { 1 };
        self.access_patterns(p, var, e, n).is_some()
    }

    /// The access, without the lanes' own ways.
    pub(super) fn patterned_access(&mut self, r: &Request, patterns: &[Pattern]) -> Vec<V> {
        let bits = r.var.ty.bits();
        let constant: Option<Vec<Vec<i64>>> = patterns.iter().map(|p| self.constant_lanes_of(p.lanes, bits)).collect();
        match constant {
            Some(lists) => self.known_pattern(r, patterns, &lists),
            None => self.tested_pattern(r, patterns),
        }
    }

    fn gathered_request(&mut self, r: &Request) -> Vec<V> {
        self.gathered(r.p, r.var, r.e, r.base, r.length, r.values, r.site, r.n)
    }

    /// Where the pattern of a part starts, in bytes.
    fn pattern_start(&self, r: &Request, pattern: &Pattern, part: u32) -> V {
        let ll = self.ll;
        let bytes = ll.mul(self.widen(pattern.base, r.var.ty), ll.c64(r.var.scale as u64));
        ll.add(r.p.scalar.get(ll, self.gang, part, false), bytes)
    }

    /// Offsets below which nothing is out of bounds because an index wrapped.
    fn pattern_bound(&self, r: &Request) -> V {
        let ll = self.ll;
        if r.var.ty.is_signed() || r.var.ty.bits() == 64 {
            return r.length;
        }
        let most = (r.var.scale as u64).saturating_mul(1u64 << r.var.ty.bits());
        ll.intrinsic1("umin", ll.int(64), &[r.length, ll.c64(most)])
    }

    fn known_form(&self, r: &Request, rel: &[i64]) -> Option<Known> {
        let (size, scale) = (u64::from(r.e.scalar.size()), r.var.scale as u64);
        let is_store = !r.values.is_empty();
        if rel.iter().all(|d| *d == 0) {
            return (!is_store).then_some(Known::Same);
        }
        let what = if is_store { Access::Store(&[]) } else { Access::Load };
        if rel.iter().enumerate().all(|(i, d)| *d == i as i64) && self.way_of_stride(scale, r.e, &what) != Way::Lanes {
            return Some(Known::Run);
        }
        let most = *rel.iter().max()? as u64;
        let bytes = most.checked_mul(scale)?.checked_add(r.e.size())?;
        // Four vectors; masked stores of small elements have instructions with AVX-512 only.
        if bytes > u64::from(self.gang.lanes) * 16 || (is_store && (size < 4 && !self.target.has_avx512)) {
            return None;
        }
        Some(Known::Window(rel.iter().map(|d| (*d as u64 * scale / size) as u32).collect()))
    }

    fn known_pattern(&mut self, r: &Request, patterns: &[Pattern], lists: &[Vec<i64>]) -> Vec<V> {
        let ll = self.ll;
        let bound = self.pattern_bound(r);
        let mut ok = ll.cbool(true);
        let mut plans = Vec::new();
        for (i, (pattern, list)) in patterns.iter().zip(lists).enumerate() {
            let low = list.iter().copied().min().unwrap_or(0);
            let rel: Vec<i64> = list.iter().map(|d| d - low).collect();
            let Some(form) = self.known_form(r, &rel) else { return self.gathered_request(r) };
            let first = self.pattern_start(r, pattern, i as u32);
            let first = ll.add(first, ll.c64((low * r.var.scale) as u64));
            let most = rel.iter().copied().max().unwrap_or(0) as u64;
            let extent = match form {
                // Whole elements are read where they lie interleaved.
                Known::Run => u64::from(self.gang.lanes) * r.var.scale as u64,
                _ => most * r.var.scale as u64 + r.e.size(),
            };
            ok = ll.and(ok, ll.and(pattern.holds, ll.ult(first, self.limit(bound, extent))));
            plans.push((first, form));
        }
        let mask = if r.values.is_empty() { None } else { self.mask.clone() };
        let root = r.p.root;
        self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, (first, form)) in plans.iter().enumerate() {
                    let at = ll.gep(r.base, *first);
                    let m = mask.as_ref().map(|m| m[i]);
                    match (form, r.values.get(i)) {
                        (Known::Same, _) => out.extend(me.broadcast_load(at, r.e, root)),
                        (Known::Run, None) => out.extend(me.strided_load(at, r.var.scale as u64, r.e, None, root)),
                        (Known::Run, Some(v)) => {
                            let m = m.map(|lanes| StoreMask { lanes, is_there: true });
                            me.strided_store(at, r.var.scale as u64, r.e, m, v, root);
                        }
                        (Known::Window(rel), None) => out.extend(me.window_load(at, r.e, rel, root)),
                        (Known::Window(rel), Some(v)) => me.window_store(at, r.e, rel, m, v, root),
                    }
                }
                out
            },
            |me| me.gathered_request(r),
        )
    }

    fn broadcast_load(&self, at: V, e: Element, root: Root) -> Vec<V> {
        let ll = self.ll;
        let t = memory_type(ll, e.scalar);
        let size = u64::from(e.scalar.size());
        (0..e.count)
            .map(|k| {
                let v = ll.load(t, ll.gep_const(at, k as u64 * size), ALIGN);
                self.annotate(v, root);
                ll.splat(v, self.gang.lanes)
            })
            .collect()
    }

    fn window_load(&self, at: V, e: Element, rel: &[u32], root: Root) -> Vec<V> {
        let ll = self.ll;
        let total = rel.iter().max().map_or(0, |m| m + e.count as u32);
        let t = memory_type(ll, e.scalar);
        let whole = total.next_power_of_two();
        let v = if total == whole || (e.scalar.size() < 4 && !self.target.has_avx512) {
            ll.load(ll.vec(t, total), at, ALIGN)
        } else {
            let vt = ll.vec(t, whole);
            let there: Vec<V> = (0..whole).map(|i| ll.cbool(i < total)).collect();
            ll.masked_load(vt, at, ALIGN, ll.cvec(&there), ll.zero(vt))
        };
        self.annotate(v, root);
        (0..e.count as u32).map(|k| ll.shuffle1(v, &rel.iter().map(|d| d + k).collect::<Vec<_>>())).collect()
    }

    /// Where lanes have the same place, the last one's value stays.
    fn window_store(&self, at: V, e: Element, rel: &[u32], mask: Option<V>, values: &[V], root: Root) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let total = rel.iter().max().map_or(0, |m| m + e.count as u32).next_power_of_two();
        let mut order: Vec<Option<(u32, u32)>> = vec![None; total as usize];
        let mut is_shared = false;
        for (lane, d) in rel.iter().enumerate() {
            for k in 0..e.count as u32 {
                is_shared |= order[(d + k) as usize].replace((lane as u32, k)).is_some();
            }
        }
        if is_shared && let Some(m) = mask {
            // Which lane comes last depends on which are on.
            let offsets: Vec<V> = rel.iter().map(|d| ll.c64(u64::from(*d) * u64::from(e.scalar.size()))).collect();
            for (k, v) in values.iter().enumerate() {
                let to = ll.gep_const(at, k as u64 * u64::from(e.scalar.size()));
                let s = ll.scatter(*v, ll.gep(to, ll.cvec(&offsets)), ALIGN, m);
                self.annotate(s, root);
            }
            return;
        }
        let mut padded = values.to_vec();
        padded.resize(values.len().next_power_of_two(), ll.poison(ll.type_of(values[0])));
        let wide = ll.concat(&padded);
        let v = ll.shuffle1(wide, &order.iter().map(|o| o.map_or(0, |(lane, k)| k * lanes + lane)).collect::<Vec<_>>());
        let mut m = ll.cvec(&order.iter().map(|o| ll.cbool(o.is_some())).collect::<Vec<_>>());
        if let Some(on) = mask {
            m = ll.and(m, ll.shuffle1(on, &order.iter().map(|o| o.map_or(0, |(lane, _)| lane)).collect::<Vec<_>>()));
        }
        self.masked_store(v, at, StoreMask { lanes: m, is_there: false }, root);
    }

    /// Whether vectors can be shuffled by numbers that are only known at run time.
    fn has_window(&self, r: &Request) -> bool {
        let can = self.target.has_permutes();
        can && r.e.scalar.size() == 4 && r.e.count <= 2 && r.var.scale as u64 == r.e.size()
    }

    fn tested_pattern(&mut self, r: &Request, patterns: &[Pattern]) -> Vec<V> {
        if let Some(plan) = patterns.iter().map(|p| self.row_plan(r, p)).collect::<Option<Vec<RowPlan>>>() {
            return self.rows_access(r, patterns, &plan);
        }
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let is_store = !r.values.is_empty();
        let scale = r.var.scale as u64;
        let bound = self.pattern_bound(r);
        let what = if is_store { Access::Store(&[]) } else { Access::Load };
        let has_run = self.way_of_stride(scale, r.e, &what) != Way::Lanes;
        let has_window = self.has_window(r);
        if !has_run && !has_window {
            return self.gathered_request(r);
        }
        let firsts: Vec<V> = (0..).zip(patterns).map(|(i, p)| self.pattern_start(r, p, i)).collect();
        let holds = patterns.iter().map(|p| p.holds).reduce(|a, b| ll.and(a, b)).unwrap_or_else(|| ll.cbool(true));
        let counts_up: Vec<V> =
            patterns.iter().map(|p| ll.eq(p.lanes, ll.iota(ll.elem(ll.type_of(p.lanes)), lanes, 1))).collect();
        let counts_up = self.all_of(&counts_up);
        let limit = self.limit(bound, u64::from(lanes) * scale);
        let within = |limits: &[V]| {
            let inside = firsts.iter().zip(limits).map(|(first, limit)| ll.ult(*first, *limit));
            inside.reduce(|a, b| ll.and(a, b)).unwrap_or_else(|| ll.cbool(true))
        };
        // Lanes with gaps between them are read up to the next element.
        let is_within = self.is_within && scale == r.e.size();
        let run_within = if is_within { ll.cbool(true) } else { within(&vec![limit; patterns.len()]) };
        let mask = if is_store { self.mask.clone() } else { None };
        let root = r.p.root;
        let run = ll.and(ll.and(holds, counts_up), run_within);
        let run_way = |me: &mut Self| {
            let mut out = Vec::new();
            for (i, first) in firsts.iter().enumerate() {
                let at = ll.gep(r.base, *first);
                match r.values.get(i) {
                    None => out.extend(me.strided_load(at, scale, r.e, None, root)),
                    Some(v) => {
                        let m = mask.as_ref().map(|m| StoreMask { lanes: m[i], is_there: false });
                        me.strided_store(at, scale, r.e, m, v, root)
                    }
                }
            }
            out
        };
        if !has_window {
            return self.two_ways(run, run_way, |me| me.gathered_request(r));
        }
        let windows: Vec<Window> = patterns.iter().map(|p| self.window(p.lanes, scale, r.e, is_store)).collect();
        let all_fit = windows.iter().map(|w| w.fits).reduce(|a, b| ll.and(a, b)).unwrap_or_else(|| ll.cbool(false));
        let limits: Vec<V> = windows
            .iter()
            .map(|w| ll.intrinsic1("usub.sat", ll.int(64), &[bound, ll.sub(w.extent, ll.c64(1))]))
            .collect();
        // A window starts where no lane may be.
        let in_window = ll.and(ll.and(holds, all_fit), within(&limits));
        let window_way = |me: &mut Self| {
            let mut out = Vec::new();
            for (i, (first, w)) in firsts.iter().zip(&windows).enumerate() {
                let at = ll.gep(r.base, *first);
                match r.values.get(i) {
                    None => out.extend(me.permuted_load(at, r.e, w, root)),
                    Some(v) => me.permuted_store(at, r.e, w, mask.as_ref().map(|m| m[i]), v, root),
                }
            }
            out
        };
        if !has_run {
            return self.two_ways(in_window, window_way, |me| me.gathered_request(r));
        }
        self.two_ways(run, run_way, |me| me.two_ways(in_window, window_way, |me| me.gathered_request(r)))
    }

    fn row_plan(&self, r: &Request, pattern: &Pattern) -> Option<RowPlan> {
        let known = pattern.rows.as_ref()?;
        let (width, times) = known.times.as_ref()?;
        let (size, scale) = (u64::from(r.e.scalar.size()), r.var.scale as u64);
        if known.number.iter().chain(times).any(|n| !(0..256).contains(n)) || r.var.ty.bits() < 32 {
            return None;
        }
        let mut numbers: std::collections::BTreeMap<i64, Vec<(u32, i64)>> = std::collections::BTreeMap::new();
        for (lane, (row, number)) in (0..).zip(times.iter().zip(&known.number)) {
            numbers.entry(*row).or_default().push((lane, *number));
        }
        let mut rows = Vec::new();
        let mut length = 1;
        for (row, lanes) in numbers {
            let low = lanes.iter().map(|l| l.1).min()?;
            let lanes: Vec<(u32, u32)> =
                lanes.iter().map(|(lane, n)| (*lane, ((n - low) as u64 * scale / size) as u32)).collect();
            length = length.max(lanes.iter().map(|l| l.1).max()? + r.e.count as u32);
            let mut places: Vec<u32> = lanes.iter().map(|l| l.1).collect();
            places.sort_unstable();
            if !r.values.is_empty() && places.windows(2).any(|p| p[1] - p[0] < r.e.count as u32) {
                return None;
            }
            rows.push((row, low, lanes));
        }
        let length = length.next_power_of_two();
        let is_whole = |(_, _, lanes): &(i64, i64, Vec<(u32, u32)>)| lanes.len() * r.e.count == length as usize;
        // Parts of a row need masks.
        let can = (size >= 4 && self.target.lanes >= 8) || self.target.has_avx512 || rows.iter().all(is_whole);
        let last = known.number.iter().copied().max()?;
        let worth = rows.len() as u32 * 2 <= self.gang.lanes && u64::from(length) * size <= 64;
        (can && worth).then_some(RowPlan { width: *width, rows, length, last })
    }

    fn rows_access(&mut self, r: &Request, patterns: &[Pattern], plans: &[RowPlan]) -> Vec<V> {
        let ll = self.ll;
        let scale = r.var.scale as u64;
        let bound = self.pattern_bound(r);
        let limit = self.limit(bound, r.e.size());
        let mut ok = ll.cbool(true);
        let mut places = Vec::new();
        for (i, (pattern, plan)) in (0..).zip(patterns.iter().zip(plans)) {
            let first = self.pattern_start(r, pattern, i);
            // Rows that are not too long: from the first one on, all places are further on.
            let small = ll.ult(plan.width, ll.cint(ll.type_of(plan.width), 1 << 24));
            let width = ll.mul(self.widen(plan.width, r.var.ty), ll.c64(scale));
            let row = |k: i64| ll.add(first, ll.mul(width, ll.c64(k as u64)));
            let low = plan.rows.iter().map(|p| p.1).min().unwrap_or(0);
            let start = ll.add(row(plan.rows[0].0), ll.c64(low as u64 * scale));
            let end = ll.add(row(plan.rows[plan.rows.len() - 1].0), ll.c64(plan.last as u64 * scale));
            for test in [pattern.holds, small, ll.ult(start, limit), ll.ult(end, limit)] {
                ok = ll.and(ok, test);
            }
            places.push(
                plan.rows.iter().map(|(k, low, _)| ll.add(row(*k), ll.c64(*low as u64 * scale))).collect::<Vec<V>>(),
            );
        }
        let mask = if r.values.is_empty() { None } else { self.mask.clone() };
        let root = r.p.root;
        self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, (plan, places)) in plans.iter().zip(&places).enumerate() {
                    let places: Vec<V> = places.iter().map(|p| ll.gep(r.base, *p)).collect();
                    match r.values.get(i) {
                        None => out.extend(me.load_rows(&places, plan, r.e, root)),
                        Some(v) => me.store_rows(&places, plan, r.e, mask.as_ref().map(|m| m[i]), v, root),
                    }
                }
                out
            },
            |me| me.gathered_request(r),
        )
    }

    fn load_rows(&self, places: &[V], plan: &RowPlan, e: Element, root: Root) -> Vec<V> {
        let ll = self.ll;
        let n = plan.length;
        let vt = ll.vec(memory_type(ll, e.scalar), n);
        let mut order = vec![0; self.gang.lanes as usize];
        let mut vectors = Vec::new();
        for (k, (at, (_, _, lanes))) in (0..).zip(places.iter().zip(&plan.rows)) {
            let end = lanes.iter().map(|l| l.1).max().unwrap_or(0) + e.count as u32;
            let v = if end == n {
                ll.load(vt, *at, ALIGN)
            } else {
                let there: Vec<V> = (0..n).map(|i| ll.cbool(i < end)).collect();
                ll.masked_load(vt, *at, ALIGN, ll.cvec(&there), ll.zero(vt))
            };
            self.annotate(v, root);
            vectors.push(v);
            for (lane, place) in lanes {
                order[*lane as usize] = k * n + place;
            }
        }
        vectors.resize(vectors.len().next_power_of_two(), ll.poison(vt));
        let all = ll.concat(&vectors);
        (0..e.count as u32).map(|k| ll.shuffle1(all, &order.iter().map(|o| o + k).collect::<Vec<_>>())).collect()
    }

    fn store_rows(&self, places: &[V], plan: &RowPlan, e: Element, mask: Option<V>, values: &[V], root: Root) {
        let ll = self.ll;
        let gang = self.gang.lanes;
        let mut padded = values.to_vec();
        padded.resize(values.len().next_power_of_two(), ll.poison(ll.type_of(values[0])));
        let all = ll.concat(&padded);
        for (at, (_, _, lanes)) in places.iter().zip(&plan.rows) {
            let mut from: Vec<Option<(u32, u32)>> = vec![None; plan.length as usize];
            for (lane, place) in lanes {
                for k in 0..e.count as u32 {
                    from[(place + k) as usize] = Some((*lane, k));
                }
            }
            let order: Vec<u32> = from.iter().map(|f| f.map_or(0, |(lane, k)| k * gang + lane)).collect();
            let v = ll.shuffle1(all, &order);
            if mask.is_none() && from.iter().all(Option::is_some) {
                self.annotate(ll.store(v, *at, ALIGN), root);
            } else {
                let mut m = ll.cvec(&from.iter().map(|f| ll.cbool(f.is_some())).collect::<Vec<_>>());
                if let Some(on) = mask {
                    let lanes: Vec<u32> = from.iter().map(|f| f.map_or(0, |(lane, _)| lane)).collect();
                    m = ll.and(m, ll.shuffle1(on, &lanes));
                }
                self.masked_store(v, *at, StoreMask { lanes: m, is_there: false }, root);
            }
        }
    }

    /// What is to be known of a pattern; all of it is the same for all gangs.
    fn window(&self, pattern: V, scale: u64, e: Element, is_store: bool) -> Window {
        let ll = self.ll;
        let n = self.gang.lanes;
        let words = ll.vec(ll.int(32), n);
        let t = ll.elem(ll.type_of(pattern));
        let most = ll.reduce("umax", pattern);
        let mut fits = ll.ult(most, ll.cint(t, u64::from(2 * n)));
        let wide = ll.int(64);
        let most = if t == wide { most } else { ll.zext(most, wide) };
        let extent = ll.add(ll.mul(most, ll.c64(scale)), ll.c64(e.size()));
        let lanes = if t == wide {
            ll.trunc(pattern, words)
        } else if t == ll.int(32) {
            pattern
        } else {
            ll.zext(pattern, words)
        };
        let mut inverse = Vec::new();
        if is_store {
            let before: Vec<u32> = (0..n).map(|i| i.max(1) - 1).collect();
            let grows = ll.icmp(IP::LLVMIntUGT, lanes, ll.shuffle1(lanes, &before));
            let first = ll.cvec(&(0..n).map(|i| ll.cbool(i == 0)).collect::<Vec<_>>());
            fits = ll.and(fits, self.all_of(&[ll.or(grows, first)]));
            inverse = if self.target.has_avx512 { self.expanded_lanes(lanes) } else { self.sought_lanes(lanes) };
        }
        Window { lanes, fits, extent, inverse }
    }

    /// Lane numbers, in order, at the places that are stored to.
    fn expanded_lanes(&self, lanes: V) -> Vec<(Option<V>, V)> {
        let ll = self.ll;
        let n = self.gang.lanes;
        let words = ll.vec(ll.int(32), n);
        let places = ll.reduce("or", ll.shl(ll.splat(ll.c32(1), n), ll.and(lanes, ll.splat(ll.c32(31), n))));
        let iota = ll.iota(ll.int(32), n, 1);
        let low = ll.trunc(places, ll.int(n));
        let high = ll.trunc(ll.lshr(places, ll.c32(n)), ll.int(n));
        let in_low = ll.intrinsic1("ctpop", ll.int(32), &[ll.zext(low, ll.int(32))]);
        let halves = [(low, iota), (high, ll.add(iota, ll.splat(in_low, n)))];
        let expanded = halves.map(|(bits, from)| {
            let places = ll.bitcast(bits, self.mask_type());
            let expand = format!("llvm.x86.avx512.mask.expand.v{n}i32");
            let from = ll.intrinsic(&expand, words, &[from, ll.zero(words), places]);
            // It may be computed before it is known to be needed, and so before the loop.
            if let Some(f) = ll.named_function(&expand) {
                ll.attr(f, "speculatable");
            }
            (Some(places), from)
        });
        expanded.to_vec()
    }

    /// The same where no instruction spreads lanes: each place asks all lanes.
    fn sought_lanes(&self, lanes: V) -> Vec<(Option<V>, V)> {
        let ll = self.ll;
        let n = self.gang.lanes;
        let half = |first: u32| {
            let places = ll.add(ll.iota(ll.int(32), n, 1), ll.splat(ll.c32(first), n));
            (0..n).fold(ll.ones(ll.vec(ll.int(32), n)), |from, lane| {
                let here = ll.eq(ll.shuffle1(lanes, &vec![lane; n as usize]), places);
                ll.select(here, ll.splat(ll.c32(lane), n), from)
            })
        };
        vec![(None, half(0)), (None, half(n))]
    }

    fn permuted_load(&self, at: V, e: Element, w: &Window, root: Root) -> Vec<V> {
        let ll = self.ll;
        let n = self.gang.lanes;
        let words = ll.vec(ll.int(32), n);
        let count = e.count as u32;
        // Up to the last element and no further.
        let end = ll.trunc(ll.lshr(w.extent, ll.c64(2)), ll.int(32));
        let vectors: Vec<V> = (0..2 * count)
            .map(|k| {
                let places = ll.add(ll.iota(ll.int(32), n, 1), ll.splat(ll.c32(k * n), n));
                let there = ll.ult(places, ll.splat(end, n));
                let v = ll.masked_load(words, ll.gep_const(at, u64::from(k * n) * 4), ALIGN, there, ll.zero(words));
                self.annotate(v, root);
                v
            })
            .collect();
        let vt = ll.vec(memory_type(ll, e.scalar), n);
        (0..count)
            .map(|k| {
                let places = if count == 1 { w.lanes } else { ll.mul(w.lanes, ll.splat(ll.c32(count), n)) };
                let places = ll.add(places, ll.splat(ll.c32(k), n));
                ll.bitcast(self.pick(&vectors, places), vt)
            })
            .collect()
    }

    /// One vector from `at`, of which lanes take those that `index` says.
    pub(super) fn picked_load(&self, at: V, index: V, e: Element, root: Root) -> V {
        let ll = self.ll;
        let n = self.gang.lanes;
        let v = ll.load(ll.vec(ll.int(32), n), at, ALIGN);
        self.annotate(v, root);
        ll.bitcast(self.pick(&[v], index), ll.vec(memory_type(ll, e.scalar), n))
    }

    fn permuted_store(&self, at: V, e: Element, w: &Window, mask: Option<V>, values: &[V], root: Root) {
        let ll = self.ll;
        let n = self.gang.lanes;
        let words = ll.vec(ll.int(32), n);
        let values: Vec<V> = values.iter().map(|v| ll.bitcast(*v, words)).collect();
        let count = e.count as u32;
        for k in 0..2 * count {
            let (places, from) = w.inverse[(k / count) as usize];
            // Of two components, each vector holds those of half of the lanes.
            let start = k % count * (n / count);
            let spread: Vec<u32> = (0..n).map(|i| start + i / count).collect();
            let spread = |v: V| if count == 1 { v } else { ll.shuffle1(v, &spread) };
            let lanes = spread(from);
            let there = places.map_or_else(|| ll.icmp(IP::LLVMIntSGE, lanes, ll.zero(words)), spread);
            let component: Vec<V> = (0..n).map(|i| ll.c32(i % count * n)).collect();
            let index = ll.or(lanes, ll.cvec(&component));
            let v = self.pick(&values, index);
            let there = match mask {
                None => there,
                Some(m) => {
                    let on = self.pick(&[ll.sext(m, words)], lanes);
                    ll.and(there, ll.ne(on, ll.zero(words)))
                }
            };
            let at = ll.gep_const(at, u64::from(k * n) * 4);
            self.masked_store(v, at, StoreMask { lanes: there, is_there: false }, root);
        }
    }

    /// The lanes `index` of vectors of 32-bit numbers that lie one behind the other.
    fn pick(&self, vectors: &[V], index: V) -> V {
        let ll = self.ll;
        let n = self.gang.lanes;
        let words = ll.vec(ll.int(32), n);
        match vectors {
            [v] if n == 16 => ll.intrinsic("llvm.x86.avx512.permvar.si.512", words, &[*v, index]),
            [v] => ll.intrinsic("llvm.x86.avx2.permd", words, &[*v, index]),
            [a, b] if n == 16 => ll.intrinsic("llvm.x86.avx512.vpermi2var.d.512", words, &[*a, index, *b]),
            _ => {
                let (low, high) = vectors.split_at(vectors.len() / 2);
                let bit = ll.splat(ll.c32(low.len() as u32 * n), n);
                let upper = ll.ne(ll.and(index, bit), ll.zero(words));
                ll.select(upper, self.pick(high, index), self.pick(low, index))
            }
        }
    }
}
