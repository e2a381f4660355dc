//! How the threads of a threadgroup are placed in gangs, as far as shapes depend on it.
//!
//! A [`GangLayout`] says for each position builtin how it varies among the lanes of a part and
//! among the parts of a gang. Code generators that place threads differently fill the fields themselves.

use super::shape::{Lanes, Parts, Shape};

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GangLayout {
    /// Threads in a part.
    pub lanes: u32,
    /// Parts in a gang.
    pub parts: u32,
    /// The size of a full threadgroup, where the code is made for one size.
    pub threads_per_threadgroup: Option<[u32; 3]>,
    /// Of `thread_position_in_threadgroup`; `thread_position_in_grid` has the same lanes and parts.
    pub position: [Shape; 3],
    pub index_in_threadgroup: Shape,
    pub index_in_simdgroup: Shape,
    pub simdgroup_index: Shape,
    pub index_in_quadgroup: Shape,
    pub quadgroup_index: Shape,
    /// Of the result of a reduction over a simdgroup: uniform where the threads are of one simdgroup.
    pub simd_result: Shape,
}

impl GangLayout {
    /// Gangs are runs of `lanes * parts` threads in the order of the linear index, x fastest. Where the size is not
    /// known the rows are assumed to have any length. `lanes` should be a power of two.
    pub fn consecutive(size: Option<[u32; 3]>, lanes: u32, parts: u32) -> GangLayout {
        let lanes = lanes.max(1);
        let gang = lanes.saturating_mul(parts.max(1));
        let log2 = |n: u32| n.trailing_zeros().min(31) as u8;
        let differ = |run: u32, period: u32| if run > period { Parts::Different } else { Parts::Same };
        let total = size.map(|s| s.iter().fold(1u64, |a, b| a.saturating_mul(u64::from(*b))));
        let top = |n: Option<u64>| n.map_or(1023, |n| n.saturating_sub(1));
        let along = |parts_differ: Parts, align: u8, max: u64| Shape {
            no_wrap: true,
            align,
            max,
            ..Shape::linear(i64::from(lanes > 1), parts_differ)
        };
        // What runs with the linear index: it is linear over any part.
        let split = if parts > 1 { Parts::Different } else { Parts::Same };
        let index = along(split, log2(lanes), top(total));

        let mut position = [Shape::VARYING; 3];
        if let Some(size) = size {
            // `run` threads in linear order make one step along the axis.
            let mut run = 1u64;
            for (axis, &extent) in size.iter().enumerate() {
                let extent = u64::from(extent.max(1));
                let outermost = size[axis + 1..].iter().all(|n| *n <= 1);
                let row = run.saturating_mul(extent);
                let max = extent - 1;
                position[axis] = if extent == 1 {
                    Shape::constant(0)
                } else if run == 1 && (outermost || row.is_multiple_of(u64::from(lanes))) {
                    let period = if outermost { u64::MAX } else { row };
                    let same = u64::from(gang) == u64::from(lanes) || period <= u64::from(lanes);
                    along(if same { Parts::Same } else { Parts::Different }, log2(lanes), max)
                } else if run.is_multiple_of(u64::from(lanes)) {
                    // The axis steps only between parts.
                    let parts_differ = if run.is_multiple_of(u64::from(gang)) { Parts::Same } else { Parts::Different };
                    Shape { parts: parts_differ, ..Shape::UNIFORM }.with_max(max)
                } else {
                    Shape::VARYING.with_max(max)
                };
                run = row;
            }
        } else {
            for p in &mut position {
                *p = p.with_max(1023);
            }
        }

        let within = |group: u32| {
            // The number of the group that a thread belongs to.
            let max = top(total.map(|t| t.div_ceil(u64::from(group))));
            if group.is_multiple_of(lanes) {
                let parts_differ = if group.is_multiple_of(gang) { Parts::Same } else { differ(gang, lanes) };
                Shape { parts: parts_differ, ..Shape::UNIFORM }.with_max(max)
            } else {
                Shape::VARYING.with_max(max)
            }
        };
        let number_in = |group: u32| {
            let max = u64::from(group - 1);
            if group.is_multiple_of(lanes) {
                let parts_differ = if group == lanes || parts <= 1 { Parts::Same } else { Parts::Different };
                along(parts_differ, log2(lanes), max)
            } else {
                Shape::VARYING.with_max(max)
            }
        };
        GangLayout {
            lanes,
            parts,
            threads_per_threadgroup: size,
            position,
            index_in_threadgroup: index,
            index_in_simdgroup: number_in(32),
            simdgroup_index: within(32),
            index_in_quadgroup: number_in(4),
            quadgroup_index: within(4),
            simd_result: Shape { max: Shape::UNKNOWN_MAX, ..within(32) },
        }
    }

    /// A layout in which the whole threadgroup is one part whose threads differ in everything: what
    /// is uniform here is the same for all threads of a threadgroup.
    pub fn threadgroup(size: Option<[u32; 3]>) -> GangLayout {
        let axis = |i: usize| match size {
            Some(s) if s[i] <= 1 => Shape::constant(0),
            Some(s) => Shape::VARYING.with_max(u64::from(s[i]) - 1),
            None => Shape::VARYING.with_max(1023),
        };
        let total = size.map(|s| s.iter().fold(1u64, |a, b| a.saturating_mul(u64::from((*b).max(1)))));
        let group = |n: u64| match total {
            Some(t) if t <= n => Shape::constant(0),
            _ => Shape::VARYING.with_max(total.map_or(1023, |t| (t - 1) / n)),
        };
        GangLayout {
            lanes: 1024,
            parts: 1,
            threads_per_threadgroup: size,
            position: [axis(0), axis(1), axis(2)],
            index_in_threadgroup: group(1),
            index_in_simdgroup: if total == Some(1) { Shape::constant(0) } else { Shape::VARYING.with_max(31) },
            simdgroup_index: group(32),
            index_in_quadgroup: if total == Some(1) { Shape::constant(0) } else { Shape::VARYING.with_max(3) },
            quadgroup_index: group(4),
            simd_result: if group(32).lanes == Lanes::Uniform { Shape::UNIFORM } else { Shape::VARYING },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_whole_parts_are_linear_in_x_and_uniform_in_y() {
        let l = GangLayout::consecutive(Some([32, 8, 1]), 16, 2);
        assert_eq!((l.position[0].lanes, l.position[0].parts), (Lanes::Linear(1), Parts::Different));
        assert_eq!((l.position[1].lanes, l.position[1].parts), (Lanes::Uniform, Parts::Same));
        let l = GangLayout::consecutive(Some([16, 16, 1]), 16, 2);
        assert_eq!((l.position[0].lanes, l.position[0].parts), (Lanes::Linear(1), Parts::Same));
        assert_eq!((l.position[1].lanes, l.position[1].parts), (Lanes::Uniform, Parts::Different));
        let l = GangLayout::consecutive(Some([8, 8, 1]), 16, 2);
        assert_eq!(l.position[0].lanes, Lanes::Varying);
        assert_eq!(l.index_in_threadgroup.lanes, Lanes::Linear(1));
        let l = GangLayout::consecutive(Some([100, 1, 1]), 16, 2);
        assert_eq!(l.position[0].lanes, Lanes::Linear(1));
        assert_eq!(l.simd_result.parts, Parts::Same);
        let l = GangLayout::consecutive(None, 16, 2);
        assert_eq!(l.position[0].lanes, Lanes::Varying);
    }
}
