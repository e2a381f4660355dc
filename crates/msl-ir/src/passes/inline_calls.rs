//! Inlines every call that an entry point reaches.
//!
//! In: a module whose call graph is acyclic. Out: the entry function without [`Op::Call`]. Parameters
//! become the argument values, locals of the callee become locals of the caller, labels are
//! renewed. A callee that returns only at its end is spliced in; otherwise its body becomes a
//! [`Op::Scope`], a `return` becomes a store to a result local and a `break`.
//!
//! Callees are made free of calls first, and simpler, so that each call is copied once per place it is called
//! from. The result is limited in size: a chain of functions that each call the next one twice
//! grows exponentially, and gives a diagnostic.

use msl_base::{Diagnostic, FxMap, Span};

use super::rewrite::{Remap, Replacements, clone_list, edit_blocks, nested_mut, push, push_local_addr, with_function};
use crate::analysis::tree::nested_count;
use crate::ir::{Block, Function, FunctionId, LabelId, Local, LocalId, Module, Op, ValueId};
use crate::types::{Type, TypeTable};

/// Instructions of one function after inlining.
pub const LIMIT: usize = 2_000_000;
/// A callee is simplified when at least one instruction of so many is new to the passes.
const FRESH_PART: usize = 4;

pub fn inline_calls(module: &mut Module, entry: FunctionId) -> Result<(), Box<Diagnostic>> {
    let order = callees_first(module, entry)?;
    let mut done: FxMap<FunctionId, Function> = FxMap::default();
    // Instructions of each that no pass has looked at since they stand where they are.
    let mut fresh: FxMap<FunctionId, usize> = FxMap::default();
    for id in order {
        if id == entry {
            with_function(module, id, |module, f| inline_into(&mut module.types, f, &done))?;
        } else {
            let written = module.functions[id].clone();
            let mut new = size(&written);
            new += callees(&written).iter().filter_map(|(callee, _)| fresh.get(callee)).sum::<usize>();
            with_function(module, id, |module, f| inline_into(&mut module.types, f, &done))?;
            // Once here, or once per call later; what merely passes arguments on is left to those who call it.
            if new >= size(&module.functions[id]) / FRESH_PART {
                super::pipeline::clean_callee(module, id);
                new = 0;
            }
            fresh.insert(id, new);
            done.insert(id, std::mem::replace(&mut module.functions[id], written));
        }
    }
    Ok(())
}

fn size(function: &Function) -> usize {
    super::rewrite::count(function, &function.body.insts)
}

/// The functions that `entry` reaches, each after those that it calls.
fn callees_first(module: &Module, entry: FunctionId) -> Result<Vec<FunctionId>, Box<Diagnostic>> {
    let mut order = Vec::new();
    // `false` while the callees of a function are being visited.
    let mut state: FxMap<FunctionId, bool> = FxMap::default();
    let mut stack = vec![(entry, callees(&module.functions[entry]))];
    state.insert(entry, false);
    while let Some((id, rest)) = stack.last_mut() {
        match rest.pop() {
            None => {
                state.insert(*id, true);
                order.push(*id);
                stack.pop();
            }
            Some((callee, span)) => match state.get(&callee) {
                Some(true) => {}
                Some(false) => {
                    let d = Diagnostic::error("recursive-call", span, "functions must not call themselves");
                    return Err(Box::new(d));
                }
                None => {
                    let Some(f) = module.functions.get(callee) else {
                        let d = Diagnostic::error("ice-missing-callee", span, "the called function does not exist");
                        return Err(Box::new(d));
                    };
                    state.insert(callee, false);
                    stack.push((callee, callees(f)));
                }
            },
        }
    }
    Ok(order)
}

pub(super) fn callees(function: &Function) -> Vec<(FunctionId, Span)> {
    let mut list = Vec::new();
    crate::analysis::tree::walk(function, &function.body, &mut |v| {
        if let Op::Call { function: callee, .. } = function.insts[v].op {
            list.push((callee, function.insts[v].span));
        }
    });
    list
}

fn inline_into(
    types: &mut TypeTable,
    caller: &mut Function,
    done: &FxMap<FunctionId, Function>,
) -> Result<(), Box<Diagnostic>> {
    let mut replaced = Replacements::default();
    let mut too_large = None;
    edit_blocks(caller, &mut |caller, list| {
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            let inst = &caller.insts[v];
            let (id, args) = match &inst.op {
                Op::Call { function, args } => (*function, args.clone()),
                _ => {
                    out.push(v);
                    continue;
                }
            };
            let span = inst.span;
            let Some(callee) = done.get(&id) else {
                out.push(v);
                continue;
            };
            if caller.insts.len().saturating_add(callee.insts.len()) > LIMIT {
                too_large.get_or_insert(span);
                out.push(v);
                continue;
            }
            splice(types, caller, callee, v, &args, &mut out, &mut replaced);
        }
        out
    });
    replaced.apply(caller);
    match too_large {
        Some(span) => Err(Box::new(Diagnostic::error(
            "unsupported-kernel-size",
            span,
            format!("the kernel exceeds {LIMIT} instructions when its calls are inlined"),
        ))),
        None => Ok(()),
    }
}

fn splice(
    types: &mut TypeTable,
    caller: &mut Function,
    callee: &Function,
    call: ValueId,
    args: &[ValueId],
    out: &mut Vec<ValueId>,
    replaced: &mut Replacements,
) {
    let span = caller.insts[call].span;
    let mut map = Remap::default();
    for (l, local) in callee.locals.iter() {
        map.locals.insert(l, caller.locals.push(local.clone()));
    }
    let mut body = clone_list(Some(callee), caller, &callee.body.insts, &mut map);
    // Parameters become the arguments.
    let mut params = Replacements::default();
    drop_params(caller, &mut body, args, &mut params);
    for &new in map.values.values() {
        let inst = &mut caller.insts[new];
        inst.op.map_operands(|v| params.get(v));
        // What has no place of its own happens where it is called for.
        if inst.span.is_none() {
            inst.span = span;
        }
    }

    let has_value = !matches!(types.get(callee.ret), Type::Void);
    let returns = count_returns(caller, &body);
    let tail = body.last().copied().filter(|v| matches!(caller.insts[*v].op, Op::Return(_)));
    match (returns, tail) {
        (0, None) => out.append(&mut body),
        (1, Some(tail)) => {
            body.pop();
            out.append(&mut body);
            if let Op::Return(Some(value)) = caller.insts[tail].op {
                replaced.insert(call, value);
                return;
            }
        }
        _ => {
            let label = caller.make_label();
            let result = has_value.then(|| {
                let align = types.align_of(callee.ret);
                caller.locals.push(Local { name: callee.name, ty: callee.ret, align })
            });
            let body = returns_to_breaks(types, caller, body, label, result);
            let void = types.void();
            out.push(push(caller, Op::Scope { label, body: Block { insts: body } }, void, span));
            if let Some(result) = result {
                let ptr = push_local_addr(types, caller, result, span);
                out.push(ptr);
                let align = caller.locals[result].align;
                caller.insts[call].op = Op::Load { ptr, align, volatile: false };
                out.push(call);
                return;
            }
        }
    }
    if has_value {
        // Control never comes back from a callee that does not return.
        caller.insts[call].op = Op::Undef;
        out.push(call);
    }
}

fn drop_params(f: &mut Function, list: &mut Vec<ValueId>, args: &[ValueId], params: &mut Replacements) {
    list.retain(|&v| match f.insts[v].op {
        Op::Param(i) if (i as usize) < args.len() => {
            params.insert(v, args[i as usize]);
            false
        }
        _ => true,
    });
    for &v in list.iter() {
        for i in 0..nested_count(&f.insts[v].op) {
            let mut inner = super::rewrite::take_nested(f, v, i);
            drop_params(f, &mut inner, args, params);
            super::rewrite::put_nested(f, v, i, inner);
        }
    }
}

fn count_returns(f: &Function, list: &[ValueId]) -> usize {
    let mut n = 0;
    crate::analysis::tree::walk(f, &Block { insts: list.to_vec() }, &mut |v| {
        n += usize::from(matches!(f.insts[v].op, Op::Return(_)));
    });
    n
}

fn returns_to_breaks(
    types: &mut TypeTable,
    f: &mut Function,
    list: Vec<ValueId>,
    label: LabelId,
    result: Option<LocalId>,
) -> Vec<ValueId> {
    let mut out = Vec::with_capacity(list.len());
    for v in list {
        if let Op::Return(value) = f.insts[v].op {
            let span = f.insts[v].span;
            if let (Some(value), Some(result)) = (value, result) {
                let ptr = push_local_addr(types, f, result, span);
                let align = f.locals[result].align;
                let void = types.void();
                let store = push(f, Op::Store { ptr, value, align, volatile: false }, void, span);
                out.extend([ptr, store]);
            }
            f.insts[v].op = Op::Break(label);
        }
        for i in 0..nested_count(&f.insts[v].op) {
            let inner = nested_mut(&mut f.insts[v].op, i).map(|b| std::mem::take(&mut b.insts)).unwrap_or_default();
            let inner = returns_to_breaks(types, f, inner, label, result);
            super::rewrite::put_nested(f, v, i, inner);
        }
        out.push(v);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn a_tail_return_is_spliced_and_an_early_one_becomes_a_scope() {
        let mut m = module(
            "fn square(%x: f32) -> f32 { %y = mul %x, %x\n return %y }
             fn clamp(%x: f32) -> f32 {
               %zero: f32 = const 0.0
               %n = lt %x, %zero
               if %n { return %zero }
               %s = call @square(%x)
               return %s
             }
             fn k(%p: ptr<device, f32>) -> void {
               %a = load %p
               %b = call @clamp(%a)
               %c = call @square(%b)
               store %p, %c
             }
             kernel k = @k { p: buffer 0 device read_write f32 }",
        );
        let k = entry(&m);
        inline_calls(&mut m, k).unwrap();
        let t = text(&m, k);
        assert!(!t.contains("call"), "{t}");
        assert_eq!(t.matches("scope").count(), 1, "{t}");
        assert_eq!(t.matches("break").count(), 2, "{t}");
        assert_eq!(t.matches("mul").count(), 2, "{t}");
    }

    #[test]
    fn recursion_is_a_diagnostic() {
        let mut m = crate::text::parse("fn f() -> void { call @f() } kernel f = @f { }").unwrap();
        let k = entry(&m);
        assert_eq!(inline_calls(&mut m, k).unwrap_err().id, "recursive-call");
    }
}
