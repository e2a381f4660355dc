//! Resources that are bound at namespace scope (MSL specification, section 5.9) become parameters.
//!
//! In: a checked program in which any function may name such a resource as a [`GlobalStorage::Resource`]. Out: the same, where
//! the kernel takes those that it reaches as parameters behind its own, and hands them to the functions it calls. Nothing after
//! this knows that there was another way. Programs without such resources, nearly all, are left alone.

use std::collections::{BTreeMap, BTreeSet};

use msl_base::Arena;

use crate::checker::Checker;
use crate::cleanup::each_operand;
use crate::hir::*;
use crate::types::AddressSpace;

type Reached = BTreeSet<GlobalId>;

impl Checker<'_> {
    /// The resources of namespace scope that a function and those it calls name, in the order of their declaration.
    pub fn reached_resources(&mut self, root: FunctionId) -> Vec<GlobalId> {
        if self.resources.is_empty() {
            return Vec::new();
        }
        let mut known = BTreeMap::new();
        self.reach(root, &mut known).into_iter().collect()
    }

    fn reach(&mut self, id: FunctionId, known: &mut BTreeMap<FunctionId, Reached>) -> Reached {
        if let Some(found) = known.get(&id) {
            return found.clone();
        }
        // What a call that leads back here adds is added by the first call.
        known.insert(id, Reached::new());
        let mut found = Reached::new();
        let mut callees = Vec::new();
        if let Some(mut body) = self.program.functions[id].body.clone() {
            each_node(&mut body, &mut |node| match node {
                Node::Expr(Expr { kind: ExprKind::Global(g), .. }) if self.resources.contains_key(g) => {
                    found.insert(*g);
                }
                Node::Expr(Expr {
                    kind: ExprKind::Call { function, .. } | ExprKind::ConstructorCall { function, .. },
                    ..
                }) => callees.push(*function),
                Node::Expr(_) | Node::Variable(_) => {}
            });
        }
        for callee in callees {
            found.extend(self.reach(callee, known));
        }
        known.insert(id, found.clone());
        found
    }

    /// Makes parameters of all resources that are reached from an entry point; there is no recursion any more.
    pub fn pass_resources(&mut self, root: FunctionId) {
        if self.resources.is_empty() {
            return;
        }
        let mut known = BTreeMap::new();
        self.reach(root, &mut known);
        for (id, reached) in &known {
            if reached.is_empty() {
                continue;
            }
            let function = &mut self.program.functions[*id];
            let (own, added) = (function.param_count, reached.len() as u32);
            let mut locals: Arena<LocalId, Local> = Arena::new();
            let old: Vec<Local> = function.locals.iter().map(|(_, l)| l.clone()).collect();
            let (params, rest) = old.split_at(own as usize);
            params.iter().for_each(|l| {
                locals.push(l.clone());
            });
            for resource in reached {
                let global = &self.program.globals[*resource];
                locals.push(Local { name: Some(global.name), ty: global.ty, align: 0, span: global.span });
            }
            rest.iter().for_each(|l| {
                locals.push(l.clone());
            });
            let moved = |local: LocalId| if local.0 < own { local } else { LocalId(local.0 + added) };
            let place_of =
                |resource: GlobalId| reached.iter().position(|r| *r == resource).map(|i| LocalId(own + i as u32));
            let mut body = function.body.take().unwrap_or_default();
            let globals = &self.program.globals;
            each_node(&mut body, &mut |node| {
                let e = match node {
                    Node::Variable(local) => return *local = moved(*local),
                    Node::Expr(e) => e,
                };
                match &mut e.kind {
                    ExprKind::Local(local) => *local = moved(*local),
                    ExprKind::Global(g) => {
                        if let Some(local) = place_of(*g) {
                            e.kind = ExprKind::Local(local);
                        }
                    }
                    ExprKind::Call { function, args } | ExprKind::ConstructorCall { function, args } => {
                        for resource in known.get(function).into_iter().flatten() {
                            let Some(local) = place_of(*resource) else { continue };
                            let (ty, span) = (globals[*resource].ty, e.span);
                            let category = Category::LValue(AddressSpace::Thread);
                            let place = Expr { kind: ExprKind::Local(local), ty, category, span };
                            let kind = ExprKind::Load(Box::new(place));
                            args.push(Expr { kind, ty, category: Category::RValue, span });
                        }
                    }
                    _ => {}
                }
            });
            let function = &mut self.program.functions[*id];
            function.body = Some(body);
            function.locals = locals;
            function.param_count = own + added;
        }
    }
}

/// What a body consists of, as far as it is rewritten.
enum Node<'n> {
    Expr(&'n mut Expr),
    /// The life of a local starts.
    Variable(&'n mut LocalId),
}

/// Every expression and variable of a block, the inner ones first.
fn each_node(block: &mut Block, f: &mut dyn FnMut(Node<'_>)) {
    for s in block {
        match &mut s.kind {
            StmtKind::Variable { local, init } => {
                init.iter_mut().for_each(|e| visit(e, f));
                f(Node::Variable(local));
            }
            StmtKind::Expr(e) => visit(e, f),
            StmtKind::Block(b) => each_node(b, f),
            StmtKind::If { condition, then, otherwise } => {
                visit(condition, f);
                each_node(then, f);
                each_node(otherwise, f);
            }
            StmtKind::For { condition, step, body, .. } => {
                condition.iter_mut().chain(step).for_each(|e| visit(e, f));
                each_node(body, f);
            }
            StmtKind::DoWhile { body, condition, .. } => {
                each_node(body, f);
                visit(condition, f);
            }
            StmtKind::Switch { value, cases } => {
                visit(value, f);
                cases.iter_mut().for_each(|c| each_node(&mut c.body, f));
            }
            StmtKind::Return(e) => e.iter_mut().for_each(|e| visit(e, f)),
            StmtKind::Break | StmtKind::Continue => {}
        }
    }
}

fn visit(e: &mut Expr, f: &mut dyn FnMut(Node<'_>)) {
    if let ExprKind::Block(stmts, _) = &mut e.kind {
        each_node(stmts, f);
    }
    each_operand(e, &mut |operand| visit(operand, f));
    f(Node::Expr(e));
}
