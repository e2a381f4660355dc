//! Declaring functions: redeclarations, specializations, members defined outside of their class, entry points.

use std::sync::Arc;

use msl_base::{Diagnostic, Symbol};
use msl_syntax::ast;

use super::spelling::{signature_key, text_of};
use super::*;

impl Declarer<'_> {
    pub(super) fn declare_function(&mut self, f: &Arc<ast::FunctionDecl>, ns: NsId) {
        let Some(last) = f.name.segments.last() else { return };
        let key = NameKey::of(&last.ident);
        let is_specialization = f.templates.last().is_some_and(|t| t.params.is_empty());
        if f.name.segments.len() > 1 || is_specialization {
            let Some((i, found)) = self.resolve_owner(ns, &f.name) else { return };
            if i + 1 < f.name.segments.len() {
                let class = found.iter().find_map(|e| match e {
                    DeclEntity::Class(c) => Some(*c),
                    _ => None,
                });
                match class {
                    Some(class) => self.layer.class_ext.entry(class).or_default().members.push(OutOfClass {
                        ns,
                        first_segment: i,
                        kind: OutOfClassKind::Function(f.clone()),
                    }),
                    None => self.diags.push(Diagnostic::error(
                        "unknown-identifier",
                        f.name.span,
                        "the class or namespace this member is defined in is not declared",
                    )),
                }
                return;
            }
            if is_specialization {
                let functions: Vec<FnDeclId> = found
                    .iter()
                    .filter_map(|e| match e {
                        DeclEntity::Function(f) => Some(*f),
                        _ => None,
                    })
                    .collect();
                let templates: Vec<FnDeclId> =
                    functions.into_iter().filter(|id| !self.layer.function(*id).decl.templates.is_empty()).collect();
                if templates.is_empty() {
                    self.diags.push(Diagnostic::error(
                        "unknown-template",
                        f.name.span,
                        "no function template of this name is declared to specialise",
                    ));
                }
                // Which template it belongs to is settled when one of them is instantiated.
                for id in templates {
                    let list = self.layer.fn_specializations.entry(id).or_default();
                    if !matches!(f.body, ast::FunctionBody::None) {
                        let key = signature_key(f);
                        list.retain(|(_, s)| !matches!(s.body, ast::FunctionBody::None) || signature_key(s) != key);
                    }
                    list.push((ns, f.clone()));
                }
                return;
            }
            // `void ns::f() {…}` defines what the namespace declared.
            let target = self.resolve_prefix(ns, &f.name, f.name.segments.len() - 1).unwrap_or(ns);
            self.add_function(f, target, key);
            return;
        }
        self.add_function(f, ns, key);
    }

    fn add_function(&mut self, f: &Arc<ast::FunctionDecl>, ns: NsId, key: NameKey) {
        if ns == NsId::GLOBAL && matches!(key, NameKey::Name(n) if n == "main") {
            let d = Diagnostic::error("reserved-name", f.name.span, "no function of Metal can be named 'main'");
            let help = if is_kernel(f) {
                "name the kernel after what it does"
            } else {
                "a program of Metal starts with the kernels that the host asks for"
            };
            self.diags.push(d.help(help));
        }
        let has_body = !matches!(f.body, ast::FunctionBody::None);
        let signature = std::sync::OnceLock::new();
        let key_of = |f: &ast::FunctionDecl| signature_key(f).into_boxed_str();
        for entity in self.own(ns, key) {
            let DeclEntity::Function(id) = entity else { continue };
            let Some(at) = id.0.checked_sub(self.layer.starts[1]) else { continue };
            let existing = &self.layer.functions[at as usize];
            let existing_has_body =
                existing.definition.is_some() || !matches!(existing.decl.body, ast::FunctionBody::None);
            if existing.decl.params.len() != f.params.len()
                || existing.decl.templates.len() != f.templates.len()
                || existing.signature.get_or_init(|| key_of(&existing.decl)) != signature.get_or_init(|| key_of(f))
            {
                continue;
            }
            if has_body && existing_has_body {
                let was = existing.definition.as_ref().unwrap_or(&existing.decl).name.span;
                if let Some(last) = f.name.segments.last() {
                    self.diags.push(
                        Diagnostic::error(
                            "redefinition",
                            f.name.span,
                            format!("redefinition of '{}'", text_of(&last.ident)),
                        )
                        .note_at(was, "the previous definition is here"),
                    );
                }
            } else if has_body {
                self.layer.functions[at as usize].definition = Some(f.clone());
                self.declare_entry(f, id, ns);
            }
            return;
        }
        let id = FnDeclId(self.layer.starts[1] + self.layer.functions.len() as u32);
        self.layer.functions.push(FnEntry { ns, decl: f.clone(), definition: None, signature });
        self.add(ns, key, DeclEntity::Function(id));
        if has_body {
            self.declare_entry(f, id, ns);
        }
    }

    fn declare_entry(&mut self, f: &Arc<ast::FunctionDecl>, id: FnDeclId, ns: NsId) {
        if !f.templates.is_empty() {
            return;
        }
        let Some(last) = f.name.segments.last() else { return };
        let ast::Ident::Name(own_name) = last.ident else { return };
        let name = host_name(&f.attributes).unwrap_or(own_name);
        let entry = EntryDecl { name, span: f.name.span, ns, kind: EntryDeclKind::Function(id) };
        if is_kernel(f) {
            self.push_entry(entry);
        } else if is_visible(&f.attributes) {
            self.layer.visible.push(entry);
        }
    }

    fn push_entry(&mut self, entry: EntryDecl) {
        if let Some(&other) = self.layer.entry_index.get(&entry.name) {
            let was = self.layer.entries[other].span;
            self.diags.push(
                Diagnostic::error(
                    "duplicate-entry-point",
                    entry.span,
                    format!("a kernel named '{}' exists already", entry.name),
                )
                .note_at(was, "the other kernel is here"),
            );
            return;
        }
        self.layer.entry_index.insert(entry.name, self.layer.entries.len());
        self.layer.entries.push(entry);
    }

    pub(super) fn declare_instantiation(&mut self, inner: &ast::Decl, ns: NsId) {
        let (name, attributes, signature) = match &inner.kind {
            ast::DeclKind::Function(f) => (&f.name, &f.attributes, Some(f.clone())),
            ast::DeclKind::Variable(v) => (&v.name, &v.attributes, None),
            _ => return,
        };
        match host_name(attributes) {
            Some(host) => {
                let kind = EntryDeclKind::Instantiation { name: name.clone(), signature };
                let entry = EntryDecl { name: host, span: name.span, ns, kind };
                if is_visible(attributes) {
                    self.layer.visible.push(entry);
                } else {
                    self.push_entry(entry);
                }
            }
            None => {
                if let Some(f) = signature {
                    self.layer.instantiations.push((ns, f));
                }
            }
        }
    }
}

pub fn is_kernel(f: &ast::FunctionDecl) -> bool {
    f.stage == ast::StageKeyword::Kernel || f.attributes.iter().any(|a| a.name == "kernel")
}

/// MSL specification, sections 5.1.4 and 5.1.5.
fn is_visible(attributes: &[ast::Attribute]) -> bool {
    attributes.iter().any(|a| a.name == "visible" || a.name == "stitchable")
}

/// What a function of graphics or ray tracing is called, with its article.
pub(super) fn graphics_stage(f: &ast::FunctionDecl) -> Option<&'static str> {
    let has = |name: &str| f.attributes.iter().any(|a| a.name == name);
    match f.stage {
        ast::StageKeyword::Vertex => Some("a vertex"),
        ast::StageKeyword::Fragment => Some("a fragment"),
        _ if has("vertex") => Some("a vertex"),
        _ if has("fragment") => Some("a fragment"),
        _ if has("object") => Some("an object"),
        _ if has("mesh") => Some("a mesh"),
        _ if has("intersection") => Some("an intersection"),
        _ => None,
    }
}

fn host_name(attributes: &[ast::Attribute]) -> Option<Symbol> {
    attributes.iter().find(|a| a.name == "host_name").and_then(|a| match a.args.first().map(|e| &e.kind) {
        Some(ast::ExprKind::String(s)) => Some(*s),
        _ => None,
    })
}
