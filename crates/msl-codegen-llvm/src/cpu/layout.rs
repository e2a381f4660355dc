//! Which thread sits in which lane: the shapes and values of the position builtins.
//!
//! A gang is `parts` × `lanes` consecutive threads of a threadgroup in linear order. Where the rows
//! of the threadgroup are whole parts, `y` and `z` are the same in every lane of a part and `x` is
//! linear; otherwise positions are computed per lane. Smaller threadgroups at the edges of a grid keep
//! that form, with lanes off, unless the kernel asks for the numbers of threads.

use msl_ir::Builtin;

use crate::emit::shape::{ALL, G, L, MOST_ALIGN, P, Shape, zeros};
use crate::emit::value::Gang;

/// How linear thread indices map to positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// One row: `x` is the linear index.
    Line,
    /// Each gang lies in one row (x is linear over the gang).
    InRow,
    /// Each part lies in one row.
    PartInRow,
    /// Anything: positions by division, in every lane.
    Scattered,
}

#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub gang: Gang,
    /// Threads per threadgroup, as compiled.
    pub size: [u32; 3],
    /// The last threadgroups of a grid: smaller than `size`, known at run time only.
    pub edge: bool,
    pub rows: Rows,
    /// Most gangs of a threadgroup.
    pub gangs: u32,
}

impl Layout {
    /// `packed`: at the edges of a grid, threads are numbered without gaps; else a lane is the thread
    /// at the same place of a full threadgroup, or off.
    pub fn new(gang: Gang, size: [u32; 3], edge: bool, packed: bool) -> Layout {
        let [x, y, z] = size;
        let rows = if y == 1 && z == 1 {
            Rows::Line
        } else if edge && packed {
            Rows::Scattered
        } else if x % gang.threads() == 0 {
            Rows::InRow
        } else if x % gang.lanes == 0 {
            Rows::PartInRow
        } else {
            Rows::Scattered
        };
        let gangs = (x * y * z).div_ceil(gang.threads());
        Layout { gang, size, edge, rows, gangs }
    }
    /// Lanes follow the rows of a full threadgroup, which are several.
    pub fn in_rows(&self) -> bool {
        matches!(self.rows, Rows::InRow | Rows::PartInRow)
    }
    pub fn threads(&self) -> u32 {
        self.size.iter().product()
    }
    /// Every lane of every gang is a thread.
    pub fn is_full(&self) -> bool {
        !self.edge && self.threads().is_multiple_of(self.gang.threads())
    }
    /// A value that differs between gangs; nothing does when there is one.
    pub fn g(&self) -> u8 {
        if self.gangs > 1 { G } else { 0 }
    }
    fn linear_index(&self) -> Shape {
        let gang = zeros(i64::from(self.gang.threads()));
        Shape::linear(self.g() | L, 1, Some(i64::from(self.gang.lanes)), true).aligned(gang)
    }
    pub fn simdgroup_uniform(&self) -> Shape {
        Shape::of(if self.gang.threads() == 32 { self.g() } else { P | self.g() })
    }

    /// Shapes of x, y and z.
    pub fn position(&self) -> [Shape; 3] {
        let g = self.g();
        let uniform = Shape::UNIFORM;
        let depth = |s: Shape| if self.size[2] == 1 { uniform } else { s };
        match self.rows {
            Rows::Line => [self.linear_index(), uniform, uniform],
            Rows::InRow => [self.linear_index(), Shape::of(g), depth(Shape::of(g))],
            Rows::PartInRow => {
                // With one part to a row, x is the same in every part.
                let part = if self.size[0] == self.gang.lanes { Some(0) } else { None };
                let x = Shape::linear(L | g, 1, part, true);
                let x = if part == Some(0) { Shape { bits: L, ..x } } else { x };
                let x = x.aligned(zeros(i64::from(self.gang.lanes)));
                let varies = if self.gang.parts > 1 { P | g } else { g };
                [x, Shape::of(varies), depth(Shape::of(varies))]
            }
            Rows::Scattered => {
                let v = Shape::of(ALL);
                [v, v, depth(v)]
            }
        }
    }

    pub fn builtin(&self, b: Builtin) -> [Shape; 3] {
        let u = Shape::UNIFORM;
        let one = |s: Shape| [s, s, s];
        match b {
            Builtin::ThreadPositionInThreadgroup => self.position(),
            Builtin::ThreadPositionInGrid => {
                let mut out = self.position();
                for (s, size) in out.iter_mut().zip(self.size) {
                    *s = s.aligned(s.align.min(zeros(i64::from(size))));
                }
                out
            }
            Builtin::ThreadgroupPositionInGrid
            | Builtin::ThreadsPerGrid
            | Builtin::ThreadsPerThreadgroup
            | Builtin::DispatchThreadsPerThreadgroup
            | Builtin::ThreadgroupsPerGrid
            | Builtin::SimdgroupsPerThreadgroup
            | Builtin::DispatchSimdgroupsPerThreadgroup
            | Builtin::ThreadsPerSimdgroup
            | Builtin::QuadgroupsPerThreadgroup
            | Builtin::DispatchQuadgroupsPerThreadgroup => one(u),
            Builtin::ThreadIndexInThreadgroup => one(self.linear_index()),
            Builtin::ThreadIndexInSimdgroup => {
                // Within one simdgroup lanes count up; a gang of several starts anew at each.
                let part = if self.gang.threads() == 32 { Some(i64::from(self.gang.lanes)) } else { None };
                let align = if part.is_some() { MOST_ALIGN } else { zeros(i64::from(self.gang.lanes)) };
                one(Shape::linear(L, 1, part, true).aligned(align))
            }
            Builtin::SimdgroupIndexInThreadgroup => one(self.simdgroup_uniform()),
            Builtin::ThreadIndexInQuadgroup => one(Shape::of(L)),
            Builtin::QuadgroupIndexInThreadgroup => one(Shape::of(ALL)),
        }
    }
}
