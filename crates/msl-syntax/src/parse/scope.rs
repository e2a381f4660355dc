//! What the parser knows of declared names: which are types, templates, values and namespaces.
//!
//! In: declarations as the parser meets them. Out: an [`Entity`] per name.
//! Promised: a [`Scopes`] is a cheap snapshot (its scopes are shared and copied on the first write), so the
//! standard library is parsed once and every program starts from its scopes.
//! Not here: overloads, types of values, redeclaration errors. All that is semantic analysis; the parser only
//! has to tell `a < b` from `a<b>` and a declaration from an expression. C++ [basic.lookup].

use std::sync::Arc;

use msl_base::{FxMap, FxSet, Id, Symbol};

msl_base::define_id!(
    /// A namespace or class of a [`Scopes`].
    pub struct ScopeId, "scope"
);

impl ScopeId {
    pub const GLOBAL: ScopeId = ScopeId(0);
}

/// What a name stands for, as far as syntax cares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entity {
    Namespace(ScopeId),
    /// A class, enumeration, alias or type parameter. The scope holds its members where they are known.
    Type(Option<ScopeId>),
    /// A class template, alias template or template template parameter; the scope is the primary template's.
    ClassTemplate(Option<ScopeId>),
    /// A variable, function, enumerator or non-type template parameter.
    Value,
    /// A function or variable template; also an overload set with a template in it.
    ValueTemplate,
}

impl Entity {
    pub fn is_template(self) -> bool {
        matches!(self, Entity::ClassTemplate(_) | Entity::ValueTemplate)
    }
    /// Where members of the entity are looked up.
    pub fn scope(self) -> Option<ScopeId> {
        match self {
            Entity::Namespace(id) => Some(id),
            Entity::Type(id) | Entity::ClassTemplate(id) => id,
            Entity::Value | Entity::ValueTemplate => None,
        }
    }
}

/// The names of one namespace, class, block or parameter list.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    names: FxMap<Symbol, Entity>,
    /// Base classes, inline namespaces and `using namespace`: searched after the scope itself.
    also: Vec<ScopeId>,
    /// Template parameters: declarations go to the scope around them.
    pub is_template_header: bool,
    pub is_class: bool,
}

impl Scope {
    pub fn class() -> Scope {
        Scope { is_class: true, ..Scope::default() }
    }
    pub fn template_header() -> Scope {
        Scope { is_template_header: true, ..Scope::default() }
    }
    pub fn declare(&mut self, name: Symbol, entity: Entity) {
        let slot = self.names.entry(name).or_insert(entity);
        *slot = match (*slot, entity) {
            // One template makes the whole overload set usable with `<`.
            (Entity::ValueTemplate, Entity::Value) => Entity::ValueTemplate,
            // A redeclaration knows no more than the declaration that has members.
            (old @ (Entity::Type(Some(_)) | Entity::ClassTemplate(Some(_))), Entity::Type(None))
            | (old @ Entity::ClassTemplate(Some(_)), Entity::ClassTemplate(None)) => old,
            (_, new) => new,
        };
    }
    /// Declares a name that hides whatever the scope had.
    pub fn hide(&mut self, name: Symbol, entity: Entity) {
        self.names.insert(name, entity);
    }
    pub fn own(&self, name: Symbol) -> Option<Entity> {
        self.names.get(&name).copied()
    }
    pub fn search_also(&mut self, scope: ScopeId) {
        if !self.also.contains(&scope) {
            self.also.push(scope);
        }
    }
    pub fn also(&self) -> &[ScopeId] {
        &self.also
    }
}

/// All namespaces and classes known so far. Start from [`Scopes::builtin`] or from what [`super::parse`] returned
/// for the standard library.
#[derive(Clone, Debug)]
pub struct Scopes {
    scopes: Vec<Arc<Scope>>,
    /// Names of member templates of any class: `a.f<…>(…)` is ambiguous until the type of `a` is known.
    member_templates: Arc<FxSet<Symbol>>,
}

impl Default for Scopes {
    fn default() -> Self {
        Scopes::builtin()
    }
}

/// Scalar types that are visible before any header, beside those that are keywords. MSL specification, section 2.1.
pub const BUILTIN_TYPE_NAMES: &[&str] = &[
    "uchar",
    "ushort",
    "uint",
    "ulong",
    "size_t",
    "ptrdiff_t",
    "intptr_t",
    "uintptr_t",
    "int8_t",
    "uint8_t",
    "int16_t",
    "uint16_t",
    "int32_t",
    "uint32_t",
    "int64_t",
    "uint64_t",
    "nullptr_t",
];

/// Type templates the compiler itself provides: `__vec<T, N>` and `__packed_vec<T, N>`.
pub const BUILTIN_TEMPLATE_NAMES: &[&str] = &["__vec", "__packed_vec"];

impl Scopes {
    /// The names the compiler knows by itself.
    pub fn builtin() -> Scopes {
        let mut global = Scope::default();
        for name in BUILTIN_TYPE_NAMES {
            global.declare(Symbol::new(name), Entity::Type(None));
        }
        for name in BUILTIN_TEMPLATE_NAMES {
            global.declare(Symbol::new(name), Entity::ClassTemplate(None));
        }
        Scopes { scopes: vec![Arc::new(global)], member_templates: Arc::default() }
    }

    /// Declares a global type by hand, for tests and tools that run without the standard library.
    pub fn declare_global(&mut self, name: &str, entity: Entity) {
        self.declare(ScopeId::GLOBAL, Symbol::new(name), entity);
    }

    pub(super) fn add(&mut self, scope: Scope) -> ScopeId {
        self.scopes.push(Arc::new(scope));
        ScopeId::from_index(self.scopes.len() - 1)
    }
    pub(super) fn get(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.index()]
    }
    pub(super) fn get_mut(&mut self, id: ScopeId) -> &mut Scope {
        Arc::make_mut(&mut self.scopes[id.index()])
    }
    pub(super) fn declare(&mut self, id: ScopeId, name: Symbol, entity: Entity) {
        if entity.is_template() && self.get(id).is_class && !self.member_templates.contains(&name) {
            Arc::make_mut(&mut self.member_templates).insert(name);
        }
        // Copying a shared scope is worth avoiding where nothing changes.
        if self.get(id).own(name) != Some(entity) {
            self.get_mut(id).declare(name, entity);
        }
    }
    pub(super) fn is_member_template(&self, name: Symbol) -> bool {
        self.member_templates.contains(&name)
    }

    /// Qualified lookup: the scope, then its bases, inline namespaces and using-directives.
    pub fn lookup(&self, id: ScopeId, name: Symbol) -> Option<Entity> {
        let scope = self.get(id);
        scope.own(name).or_else(|| if scope.also.is_empty() { None } else { self.lookup_also(&scope.also, name, id) })
    }

    pub(super) fn lookup_also(&self, also: &[ScopeId], name: Symbol, from: ScopeId) -> Option<Entity> {
        // Using-directives may form cycles, so remember what was searched.
        let mut seen = vec![from];
        let mut queue: Vec<ScopeId> = also.to_vec();
        let mut next = 0;
        while let Some(&id) = queue.get(next) {
            next += 1;
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            let scope = self.get(id);
            if let Some(entity) = scope.own(name) {
                return Some(entity);
            }
            queue.extend_from_slice(&scope.also);
        }
        None
    }

    /// Members of a specialisation stand in for those the primary template does not declare: `traits<float>::type`
    /// should be known where `traits` itself is only declared.
    pub(super) fn adopt_members(&mut self, primary: ScopeId, specialisation: ScopeId) {
        let missing: Vec<_> = self
            .get(specialisation)
            .names
            .iter()
            .filter(|(name, _)| self.get(primary).own(**name).is_none())
            .map(|(name, entity)| (*name, *entity))
            .collect();
        if !missing.is_empty() {
            let scope = self.get_mut(primary);
            for (name, entity) in missing {
                scope.declare(name, entity);
            }
        }
    }
}

/// One level of the lexical stack.
#[derive(Clone, Debug)]
pub(super) enum Frame {
    /// A namespace or class, by reference.
    Shared(ScopeId),
    /// A block, a parameter list or a template header.
    Local(Scope),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn using_directives_may_form_cycles() {
        let mut scopes = Scopes::builtin();
        let (a, b) = (scopes.add(Scope::default()), scopes.add(Scope::default()));
        scopes.get_mut(a).search_also(b);
        scopes.get_mut(b).search_also(a);
        assert_eq!(scopes.lookup(a, Symbol::new("x")), None);
        scopes.declare(b, Symbol::new("x"), Entity::Value);
        assert_eq!(scopes.lookup(a, Symbol::new("x")), Some(Entity::Value));
    }

    #[test]
    fn snapshots_do_not_see_later_declarations() {
        let before = Scopes::builtin();
        let mut after = before.clone();
        after.declare_global("S", Entity::Type(None));
        assert_eq!(before.lookup(ScopeId::GLOBAL, Symbol::new("S")), None);
        assert_eq!(after.lookup(ScopeId::GLOBAL, Symbol::new("S")), Some(Entity::Type(None)));
        assert_eq!(before.lookup(ScopeId::GLOBAL, Symbol::new("uint")), Some(Entity::Type(None)));
    }
}
