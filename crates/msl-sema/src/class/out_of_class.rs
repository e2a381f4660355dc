//! Members that are defined outside of their class.

use std::rc::Rc;

use msl_base::{Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::{NameKey, OutOfClassKind};
use crate::entity::*;
use crate::types::*;

impl Checker<'_> {
    /// Gives members their definitions from outside the class.
    pub(super) fn attach_out_of_class(&mut self, id: ClassId, def: &Rc<ClassDef>) {
        let decl = self.classes[id.0 as usize].decl.clone();
        let args = self.classes[id.0 as usize].args.clone();
        for (scope, ooc) in &def.out_of_class {
            let (name, templates) = match &ooc.kind {
                OutOfClassKind::Function(f) => (&f.name, &f.templates),
                OutOfClassKind::Variable(v) => (&v.name, &v.templates),
                OutOfClassKind::Class(_) => continue,
            };
            if name.segments.len() != ooc.first_segment + 2 {
                continue;
            }
            let owner = &name.segments[ooc.first_segment];
            let bound = match (&owner.template_args, templates.first()) {
                (Some(written), Some(header)) if !header.params.is_empty() => {
                    let own_args =
                        decl.name.as_ref().and_then(|n| n.segments.last()).and_then(|s| s.template_args.as_ref());
                    let text =
                        |list: &[ast::TemplateArg]| list.iter().map(crate::declare::arg_text).collect::<Vec<_>>();
                    match own_args {
                        // Of a partial specialisation: written the same way.
                        Some(own) if text(own) != text(written) => continue,
                        Some(own) => {
                            let Some(own_header) = decl.templates.last() else { continue };
                            let _ = own;
                            let values: Vec<Arg> =
                                own_header.params.iter().filter_map(|p| self.bound_param(p.name?)).collect();
                            Scope::params(scope, crate::resolve::bind_params(&header.params, &values))
                        }
                        // Of the primary template: the parameters in order.
                        None => {
                            let plain = written.len() == header.params.len()
                                && written.iter().zip(&header.params).all(|(a, p)| {
                                    let a = match a {
                                        ast::TemplateArg::Pack(inner) => inner,
                                        other => other,
                                    };
                                    p.name.is_some_and(|n| crate::declare::arg_text(a) == format!("::{n}"))
                                });
                            if !plain {
                                continue;
                            }
                            Scope::params(scope, crate::resolve::bind_params(&header.params, &args))
                        }
                    }
                }
                (Some(written), _) => {
                    // A member of one specialisation.
                    let Some(primary) = def.header.clone() else { continue };
                    let (def_scope, def_name) = (def.scope.clone(), def.name);
                    let found = self.attempt(|c| {
                        c.in_scope(scope, |c| {
                            c.resolve_template_args(&primary.params, written, &def_scope, Span::NONE, def_name)
                        })
                    });
                    match found {
                        Ok(Some(found)) if found == args => scope.clone(),
                        _ => continue,
                    }
                }
                (None, _) => scope.clone(),
            };
            let bound = Scope::class(&bound, id);
            self.attach_definition(id, ooc, bound);
        }
    }

    fn bound_param(&mut self, name: Symbol) -> Option<Arg> {
        match self.lookup_unqualified(NameKey::Name(name)).entities.into_iter().next() {
            Some(Entity::Param(Binding::Bound(a))) => Some(a),
            _ => None,
        }
    }

    fn attach_definition(&mut self, id: ClassId, ooc: &crate::declare::OutOfClass, bound: Rc<Scope>) {
        match &ooc.kind {
            OutOfClassKind::Function(f) => {
                let key = match f.kind {
                    ast::FunctionKind::Constructor => NameKey::Constructor,
                    ast::FunctionKind::Destructor => NameKey::Destructor,
                    ast::FunctionKind::Conversion => NameKey::Conversion,
                    ast::FunctionKind::Ordinary => match f.name.segments.last() {
                        Some(s) => NameKey::of(&s.ident),
                        None => return,
                    },
                };
                let list = self.classes[id.0 as usize].members.get(&key).cloned().unwrap_or_default();
                let candidates: Vec<Rc<FnDef>> = list
                    .into_iter()
                    .filter_map(|e| match e {
                        Entity::Function(d) if d.class == Some(id) && d.decl.params.len() == f.params.len() => Some(d),
                        _ => None,
                    })
                    .collect();
                let own_templates = |d: &ast::FunctionDecl| d.templates.last().map_or(0, |t| t.params.len());
                let text = |d: &ast::FunctionDecl| -> Vec<String> {
                    d.params.iter().map(|p| crate::declare::type_text(&p.ty)).collect()
                };
                let chosen = match candidates.len() {
                    0 => None,
                    1 => Some(0),
                    _ => candidates
                        .iter()
                        .position(|d| text(&d.decl) == text(f) && d.decl.this_quals == f.this_quals)
                        .or_else(|| candidates.iter().position(|d| text(&d.decl) == text(f)))
                        .or_else(|| {
                            candidates.iter().position(|d| {
                                !d.has_body() && d.is_template() == (own_templates(f) > 0 && d.header.is_some())
                            })
                        }),
                };
                match chosen {
                    Some(i) => *candidates[i].definition.borrow_mut() = Some((f.clone(), bound)),
                    None => {
                        let class = self.class_name(id);
                        let message = format!("'{class}' declares no such member");
                        self.error("unknown-member", f.name.span, message);
                    }
                }
            }
            OutOfClassKind::Variable(v) => {
                let Some(last) = v.name.segments.last() else { return };
                let key = NameKey::of(&last.ident);
                if let Some(list) = self.classes[id.0 as usize].members.get_mut(&key) {
                    for e in list {
                        if let Entity::Variable(def) = e
                            && let Some(d) = Rc::get_mut(def)
                        {
                            d.definition = Some((bound.clone(), v.clone()));
                        }
                    }
                }
            }
            OutOfClassKind::Class(_) => {}
        }
    }
}
