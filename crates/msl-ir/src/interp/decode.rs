//! Where the values of a function live while it is executed.
//!
//! Each component of each value has a slot: a row of one `u64` per thread. Constants have rows of
//! their own, filled once per dispatch. A block's slots are free again after it, since its values
//! are visible in it alone; a frame is `[result][parameters][values]`.

use msl_base::{Id, Symbol};

use crate::*;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// In rows, from the frame or, for constants, from the function's constants.
    pub row: u32,
    pub components: u8,
    pub is_constant: bool,
    /// Of numbers; pointers have none.
    pub scalar: Option<Scalar>,
}

pub(super) struct Decoded {
    pub slots: Vec<Slot>,
    /// Rows of a frame.
    pub frame_rows: usize,
    pub result_components: u8,
    pub constants: Vec<ValueId>,
    /// First row of the constants, among those of all functions.
    pub constant_base: usize,
    pub constant_rows: usize,
    /// Size and name of each local.
    pub locals: Vec<(u64, Symbol)>,
}

pub(super) fn decode(module: &Module, function: &Function) -> Decoded {
    let types = &module.types;
    let result_components = types.component_count(function.ret);
    let mut d = Decoded {
        slots: vec![Slot::default(); function.insts.len()],
        frame_rows: 0,
        result_components,
        constants: Vec::new(),
        constant_base: 0,
        constant_rows: 0,
        locals: function.locals.values().map(|l| (types.size_of(l.ty), l.name)).collect(),
    };
    let mut params = Vec::new();
    let mut row = usize::from(result_components);
    for &p in &function.params {
        params.push(row as u32);
        row += usize::from(types.component_count(p));
    }
    d.frame_rows = row;
    place(module, function, &mut d, &params, &function.body, row);
    d
}

fn place(module: &Module, function: &Function, d: &mut Decoded, params: &[u32], block: &Block, mut row: usize) {
    for &v in &block.insts {
        let inst = &function.insts[v];
        let components = module.types.component_count(inst.ty);
        let scalar = module.types.scalar_of(inst.ty);
        let slot = match inst.op {
            Op::Const(_) | Op::GlobalAddr(_) | Op::Undef => {
                d.constants.push(v);
                d.constant_rows += usize::from(components);
                let row = (d.constant_rows - usize::from(components)) as u32;
                Slot { row, components, is_constant: true, scalar }
            }
            Op::Param(n) => Slot { row: params[n as usize], components, is_constant: false, scalar },
            _ => {
                row += usize::from(components);
                Slot { row: (row - usize::from(components)) as u32, components, is_constant: false, scalar }
            }
        };
        d.slots[v.index()] = slot;
        d.frame_rows = d.frame_rows.max(row);
        for nested in inst.op.blocks() {
            place(module, function, d, params, nested, row);
        }
    }
}

/// The functions that the entry point reaches, itself first.
pub(super) fn reachable(module: &Module, entry: FunctionId) -> Vec<FunctionId> {
    let mut found = vec![entry];
    let mut next = 0;
    while next < found.len() {
        let function = &module.functions[found[next]];
        for inst in function.insts.values() {
            if let Op::Call { function: callee, .. } = inst.op
                && callee.index() < module.functions.len()
                && !found.contains(&callee)
            {
                found.push(callee);
            }
        }
        next += 1;
    }
    found
}
