//! Helpers for the tests of passes and analyses.

use crate::analysis::{GangLayout, Liveness, Provenance, Tree, Uniformity};
use crate::ir::{FunctionId, LocalId, Module, ValueId};
use crate::text;

pub fn module(source: &str) -> Module {
    match text::parse(source) {
        Ok(m) => {
            check(&m);
            m
        }
        Err(e) => panic!("{e:?} in {source}"),
    }
}

/// Panics where the module is not well formed.
pub fn check(m: &Module) {
    if let Err(errors) = crate::verify::verify(m) {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{}", list.join("\n"), text::print(m));
    }
}

pub fn entry(m: &Module) -> FunctionId {
    m.entry_points[0].function
}

pub fn text(m: &Module, f: FunctionId) -> String {
    check(m);
    text::print_function(m, f)
}

pub fn local(m: &Module, f: FunctionId, name: &str) -> LocalId {
    m.functions[f].locals.iter().find(|(_, l)| l.name == name).expect("a local of that name").0
}

/// The n-th instruction, in tree order, whose printed form contains `pattern`.
pub fn find(m: &Module, f: FunctionId, pattern: &str, n: usize) -> ValueId {
    let function = &m.functions[f];
    let tree = Tree::new(function);
    let hits: Vec<_> = tree
        .order()
        .iter()
        .filter(|v| {
            let line = text::print_inst(m, function, **v);
            line.lines().next().unwrap_or_default().contains(pattern)
        })
        .collect();
    **hits.get(n).unwrap_or_else(|| panic!("no {pattern} #{n} in\n{}", text(m, f)))
}

pub fn uniformity(m: &Module, layout: &GangLayout) -> Uniformity {
    let f = &m.functions[entry(m)];
    let provenance = Provenance::new(m, f);
    let liveness = Liveness::new(m, f, &provenance);
    Uniformity::new(m, f, &Tree::new(f), &provenance, &liveness, layout)
}
