//! Removes the functions that no entry point reaches any more: all but kernels, once calls are inlined.
//!
//! In: a module. Out: the same entry points over fewer functions, in their old order; their ids are new.

use super::inline_calls::callees;
use crate::ir::{FunctionId, Module, Op};
use msl_base::{Arena, FxMap, Id};

pub fn remove_functions(module: &mut Module) {
    let mut reached: FxMap<FunctionId, Option<FunctionId>> = FxMap::default();
    let mut open: Vec<FunctionId> = module.entry_points.iter().map(|entry| entry.function).collect();
    while let Some(id) = open.pop() {
        if reached.insert(id, None).is_none() {
            open.extend(callees(&module.functions[id]).into_iter().map(|(callee, _)| callee));
        }
    }
    let mut kept = Arena::default();
    for (i, function) in std::mem::take(&mut module.functions).into_items().into_iter().enumerate() {
        if let Some(new) = reached.get_mut(&FunctionId::from_index(i)) {
            *new = Some(kept.push(function));
        }
    }
    // What is not there, the verifier has to report; it stays as it is.
    let renamed = |id: FunctionId| reached.get(&id).copied().flatten().unwrap_or(id);
    for (_, function) in kept.iter_mut() {
        for (_, inst) in function.insts.iter_mut() {
            if let Op::Call { function, .. } = &mut inst.op {
                *function = renamed(*function);
            }
        }
    }
    module.entry_points.iter_mut().for_each(|entry| entry.function = renamed(entry.function));
    module.functions = kept;
}

#[cfg(test)]
mod tests {
    use super::super::testing::module;
    use super::*;
    use crate::text;
    use crate::verify;

    #[test]
    fn what_entry_points_call_stays() {
        let mut m = module(
            "fn unused(%a: u32) -> u32 { %b = call @leaf(%a)  return %b }
             fn leaf(%a: u32) -> u32 { return %a }
             fn idle(%a: u32) -> u32 { return %a }
             fn k(%p: ptr<device, u32>) -> void { %a = load %p  %b = call @leaf(%a)  store %p, %b }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        remove_functions(&mut m);
        verify(&m).expect("a valid module");
        let t = text::print(&m);
        assert!(t.contains("fn leaf") && !t.contains("unused") && !t.contains("idle"), "{t}");
    }
}
