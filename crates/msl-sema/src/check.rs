//! Checking a whole source without compiling it for anything, and describing its function constants.

use crate::FunctionConstantInfo;
use crate::checker::Checker;
use crate::declare::VarDeclId;
use crate::entity::*;
use crate::types::*;

impl Checker<'_> {
    /// Everything of the topmost layer that is not a template.
    pub fn check_everything(&mut self) {
        // Without values for function constants nothing about them is an error.
        self.ignore_unset = true;
        let layer = self.layer;
        for id in layer.own_enums() {
            let def = self.enum_def(id);
            let e = self.enum_instance(&def);
            self.complete_enum(e);
        }
        for id in layer.own_classes() {
            let def = self.class_def(id);
            if def.header.is_none() && def.decl.members.is_some() {
                let class = self.class_instance(&def, Vec::new(), def.decl.span);
                self.complete_class(class, def.decl.span);
                self.check_methods(class);
            }
        }
        for id in layer.own_aliases() {
            let mut found = Vec::new();
            self.entity(crate::declare::DeclEntity::Alias(id), &mut found);
            if let Some(Entity::Alias(def)) = found.first()
                && def.decl.template.is_none()
            {
                self.alias_type(def, def.decl.span);
            }
        }
        for id in layer.own_variables() {
            let def = self.var_def(id);
            if def.decl.templates.is_empty() {
                self.variable_with_args(&def, Vec::new(), def.decl.span);
            }
        }
        for id in layer.own_functions() {
            let def = self.fn_def(id);
            if def.header.is_none() && def.has_body() && !def.is_deleted() {
                let f = self.function_instance(&def, Vec::new(), None, def.span());
                self.mark_used(f);
                self.drain();
            }
        }
        for entry in &layer.entries {
            if let crate::declare::EntryDeclKind::Function(_) = entry.kind {
                self.check_entry(entry);
            }
        }
        self.check_static_asserts();
        self.drain();
    }

    /// Those of namespace scope.
    pub fn check_static_asserts(&mut self) {
        for a in &self.layer.static_asserts {
            let scope = self.ns_scope(a.ns);
            self.in_scope(&scope, |c| c.check_static_assert(&a.condition, a.message, a.span));
        }
    }

    fn check_methods(&mut self, class: ClassId) {
        let members: Vec<Entity> = self.classes[class.0 as usize].members.values().flatten().cloned().collect();
        let mut functions: Vec<_> = members
            .into_iter()
            .filter_map(|e| match e {
                Entity::Function(f) if f.class == Some(class) && f.inherited.is_none() => Some(f),
                _ => None,
            })
            .collect();
        functions.sort_by_key(|f| f.serial);
        for f in functions {
            let checkable = f.header.is_none()
                && f.has_body()
                && !matches!(
                    f.decl.body,
                    msl_syntax::ast::FunctionBody::Defaulted | msl_syntax::ast::FunctionBody::Deleted
                );
            if !checkable {
                continue;
            }
            let space = f.decl.this_quals.address_space.and_then(crate::resolve::address_space);
            let id = self.function_instance(&f, Vec::new(), space, f.span());
            self.mark_used(id);
            self.drain();
        }
    }

    pub fn describe_function_constant(&mut self, id: VarDeclId) -> Option<FunctionConstantInfo> {
        let def = self.var_def(id);
        let attribute = def.decl.attributes.iter().find(|a| a.name == "function_constant")?;
        let scope = def.scope.clone();
        let described = self.attempt(|c| {
            c.in_scope(&scope, |c| {
                let ty = c.resolve_type(&def.decl.ty);
                let index = c.constant_integer(attribute.args.first()?, "the index of a function constant")?;
                Some((ty, index))
            })
        });
        let (ty, index) = described.ok().flatten()?;
        let (scalar, len) = self.program.types.as_numeric(ty.ty)?;
        let name = match def.decl.name.segments.last()?.ident {
            msl_syntax::ast::Ident::Name(n) => n,
            _ => return None,
        };
        Some(FunctionConstantInfo { name, index: u32::try_from(index).ok()?, scalar, len })
    }
}
