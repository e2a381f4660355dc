//! Declaring classes and class templates, their specializations and definitions of nested ones.

use std::sync::Arc;

use msl_base::Diagnostic;
use msl_syntax::ast;

use super::spelling::class_key;
use super::*;

impl Declarer<'_> {
    pub(super) fn declare_class(&mut self, class: &Arc<ast::ClassDecl>, ns: NsId) {
        let Some(name) = &class.name else { return };
        let Some(last) = name.segments.last() else { return };
        let key = NameKey::of(&last.ident);
        if last.template_args.is_some() {
            // A specialisation.
            let owner = self.resolve_owner(ns, name);
            if let Some((i, found)) = owner {
                let target = found.iter().find_map(|e| match e {
                    DeclEntity::Class(c) => Some(*c),
                    _ => None,
                });
                if let Some(target) = target {
                    if i + 1 == name.segments.len() {
                        let ext = self.layer.class_ext.entry(target).or_default();
                        // A specialisation declared first and defined later.
                        if class.members.is_some() {
                            let key = class_key(class);
                            ext.specializations.retain(|(_, c)| c.members.is_some() || class_key(c) != key);
                        }
                        ext.specializations.push((ns, class.clone()));
                    } else {
                        self.layer.class_ext.entry(target).or_default().members.push(OutOfClass {
                            ns,
                            first_segment: i,
                            kind: OutOfClassKind::Class(class.clone()),
                        });
                    }
                    return;
                }
            }
            self.diags.push(Diagnostic::error(
                "unknown-template",
                name.span,
                "no class template of this name is declared to specialise",
            ));
            return;
        }
        if name.segments.len() > 1 {
            if let Some((i, found)) = self.resolve_owner(ns, name) {
                for entity in &found {
                    if let DeclEntity::Class(target) = entity {
                        if i + 1 == name.segments.len() {
                            self.replace_class(*target, class);
                        } else {
                            self.layer.class_ext.entry(*target).or_default().members.push(OutOfClass {
                                ns,
                                first_segment: i,
                                kind: OutOfClassKind::Class(class.clone()),
                            });
                        }
                        return;
                    }
                }
            }
            self.diags.push(Diagnostic::error("unknown-class", name.span, "no class of this name is declared here"));
            return;
        }
        let mut own = Vec::new();
        self.layer.find(ns, key, &mut own);
        for entity in own {
            if let DeclEntity::Class(existing) = entity {
                if existing.0 < self.layer.starts[2] {
                    continue;
                }
                let old = &self.layer.class(existing).decl;
                if class.members.is_some() && old.members.is_some() && !Arc::ptr_eq(old, class) {
                    let (was, span) = (old.span, class.span);
                    let d = Diagnostic::error(
                        "redefinition",
                        name.span,
                        format!("redefinition of '{}'", text_of(&last.ident)),
                    );
                    self.diags.push(if was == span { d } else { d.note_at(was, "the previous definition is here") });
                } else if class.members.is_some() {
                    self.replace_class(existing, class);
                }
                return;
            }
        }
        let id = ClassDeclId(self.layer.starts[2] + self.layer.classes.len() as u32);
        self.layer.classes.push(ClassEntry { ns, decl: class.clone() });
        let list = self.names(ns).members.entry(key).or_default();
        list.retain(|e| !matches!(e, DeclEntity::Alias(_)));
        list.push(DeclEntity::Class(id));
    }

    fn replace_class(&mut self, id: ClassDeclId, class: &Arc<ast::ClassDecl>) {
        if let Some(i) = id.0.checked_sub(self.layer.starts[2]) {
            let entry = &mut self.layer.classes[i as usize];
            // Default template arguments may stand on the forward declaration only.
            if let (Some(old), Some(new)) = (entry.decl.templates.last(), class.templates.last()) {
                let merged = merge_headers(old, new);
                let mut copy = ast::ClassDecl::clone(class);
                if let Some(last) = copy.templates.last_mut() {
                    *last = merged;
                }
                entry.decl = Arc::new(copy);
            } else {
                entry.decl = class.clone();
            }
        }
    }
}

/// Names of template parameters and default arguments may differ between declarations; defaults of either count.
fn merge_headers(old: &ast::TemplateHeader, new: &ast::TemplateHeader) -> ast::TemplateHeader {
    let mut merged = new.clone();
    for (to, from) in merged.params.iter_mut().zip(&old.params) {
        match (&mut to.kind, &from.kind) {
            (ast::TemplateParamKind::Type { default: to }, ast::TemplateParamKind::Type { default: from })
                if to.is_none() =>
            {
                to.clone_from(from);
            }
            (
                ast::TemplateParamKind::Value { default: to, .. },
                ast::TemplateParamKind::Value { default: from, .. },
            ) if to.is_none() => {
                to.clone_from(from);
            }
            _ => {}
        }
    }
    merged
}
