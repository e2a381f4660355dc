//! Fills in what the host must know about each parameter: whether it is used at all, and
//! whether the kernel reads or writes the buffer behind it.
//!
//! In: an entry point without calls. Only accesses derived from the parameter count; a pointer that is kept
//! where it cannot be followed counts as read and written. The access of a texture is what its type says (the
//! parameter points to a descriptor that is only read) and stays as the front end set it.

use crate::analysis::Provenance;
use crate::ir::{FunctionId, Module};
use crate::reflect::{Access, ParamKind};

pub fn infer_access(module: &mut Module, function: FunctionId) {
    let provenance = Provenance::new(module, &module.functions[function]);
    for entry in module.entry_points.iter_mut().filter(|e| e.function == function) {
        for (i, param) in entry.params.iter_mut().enumerate() {
            let uses = provenance.param_use(i as u32);
            param.used = uses.used;
            match param.kind {
                ParamKind::Buffer { is_constant: false, .. } | ParamKind::Threadgroup { .. } => {
                    param.access = match (uses.read, uses.written) {
                        (_, false) => Access::ReadOnly,
                        (false, true) => Access::WriteOnly,
                        (true, true) => Access::ReadWrite,
                    };
                }
                ParamKind::Buffer { is_constant: true, .. } => param.access = Access::ReadOnly,
                ParamKind::Texture { .. } | ParamKind::Sampler => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module};
    use super::*;

    #[test]
    fn access_is_what_happens_through_the_parameter() {
        let mut m = module(
            "fn k(%a: ptr<device, f32>, %b: ptr<device, f32>, %c: ptr<device, f32>, %d: ptr<device, f32>) -> void {
               local p: ptr<device, f32>
               %gid = builtin thread_index_in_threadgroup
               %pa = ptr_offset %a, %gid
               %p = local_addr p
               store %p, %pa
               %q = load %p
               %x = load %q
               %pb = ptr_offset %b, %gid
               store %pb, %x
               atomic.add %c, %x device
             }
             kernel k = @k {
               a: buffer 0 device read_write f32
               b: buffer 1 device read_write f32
               c: buffer 2 device read_write f32
               d: buffer 3 device read_write f32
             }",
        );
        let k = entry(&m);
        infer_access(&mut m, k);
        let found: Vec<_> = m.entry_points[0].params.iter().map(|p| (p.access, p.used)).collect();
        assert_eq!(
            found,
            [(Access::ReadOnly, true), (Access::WriteOnly, true), (Access::ReadWrite, true), (Access::ReadOnly, false)]
        );
    }
}
