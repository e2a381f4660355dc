//! Name lookup: unqualified through the chain of scopes, qualified into namespaces, classes and enumerations, and
//! argument-dependent. Finding is silent; callers report what was not found.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::{NameKey, NsId};
use crate::diagnose::closest;
use crate::entity::*;
use crate::types::*;

/// What a name designates. Several entities only for functions.
#[derive(Debug, Default)]
pub struct Found {
    pub entities: Vec<Entity>,
    pub qualifier: Option<Qualifier>,
    /// Found as a member of this class, by unqualified lookup.
    pub class: Option<ClassId>,
    /// A function boundary lies between here and the declaration.
    pub crossed: bool,
    /// The qualifier was wrong and a diagnostic has been reported.
    pub is_error: bool,
}

#[derive(Clone, Debug)]
pub enum Qualifier {
    Namespace(NsId),
    Class(ClassId),
    Enum(Rc<EnumDef>),
    Other(QualTy),
}

impl Checker<'_> {
    /// Unqualified or qualified lookup of a name as written.
    pub fn lookup(&mut self, name: &ast::Name) -> Found {
        let Some(last) = name.segments.last() else { return Found::default() };
        let key = NameKey::of(&last.ident);
        if name.segments.len() == 1 && !name.is_global {
            let found = self.lookup_unqualified(key);
            self.check_order(name, &found);
            return found;
        }
        match self.resolve_qualifier(name) {
            Some(qualifier) => self.lookup_qualified(qualifier, key),
            None => Found { is_error: true, ..Found::default() },
        }
    }

    /// Reports a name of namespace scope that is used above its declaration. Inside templates names may be found later.
    fn check_order(&mut self, name: &ast::Name, found: &Found) {
        if self.frame.is_some() || found.entities.is_empty() {
            return;
        }
        let declared: Vec<Span> = found.entities.iter().map_while(Entity::declared_at).collect();
        if declared.len() == found.entities.len() && declared.iter().all(|d| self.layer.is_before(name.span, *d)) {
            let d = Diagnostic::error(
                "used-before-declaration",
                name.span,
                format!("'{}' is used before it is declared", crate::declare::text_of(&name.segments[0].ident)),
            )
            .note_at(declared[0], "it is declared here")
            .help("move the declaration up, or declare it once more above");
            self.report(d);
        }
    }

    pub fn lookup_qualified(&mut self, qualifier: Qualifier, key: NameKey) -> Found {
        let entities = match &qualifier {
            Qualifier::Namespace(ns) => self.lookup_in_namespace(*ns, key),
            Qualifier::Class(c) => {
                self.complete_class(*c, Span::NONE);
                self.lookup_in_class(*c, key)
            }
            Qualifier::Enum(def) => match key {
                NameKey::Name(n) => def
                    .decl
                    .enumerators
                    .iter()
                    .flatten()
                    .position(|e| e.name == n)
                    .map(|i| vec![Entity::Enumerator(def.clone(), i as u32)])
                    .unwrap_or_default(),
                _ => Vec::new(),
            },
            Qualifier::Other(_) => Vec::new(),
        };
        Found { entities, qualifier: Some(qualifier), ..Found::default() }
    }

    pub fn lookup_unqualified(&mut self, key: NameKey) -> Found {
        let mut at = Some(self.scope.clone());
        let mut crossed = false;
        let mut directives: Vec<NsId> = Vec::new();
        while let Some(scope) = at {
            match &scope.kind {
                ScopeKind::Block(block) => {
                    if let NameKey::Name(name) = key
                        && let Some(found) = block.names.borrow().get(&name)
                    {
                        return Found { entities: found.clone(), crossed, ..Found::default() };
                    }
                    directives.extend(block.directives.borrow().iter().copied());
                }
                ScopeKind::Params(params) => {
                    if let NameKey::Name(name) = key
                        && let Some((_, binding)) = params.iter().rev().find(|(n, _)| *n == name)
                    {
                        return Found { entities: vec![Entity::Param(binding.clone())], crossed, ..Found::default() };
                    }
                }
                ScopeKind::Function => crossed = true,
                ScopeKind::Class(class) => {
                    let entities = self.lookup_in_class(*class, key);
                    if !entities.is_empty() {
                        return Found { entities, class: Some(*class), crossed, ..Found::default() };
                    }
                }
                ScopeKind::Namespace(ns) => {
                    let mut entities = self.lookup_in_namespace(*ns, key);
                    for d in &directives {
                        for e in self.lookup_in_namespace(*d, key) {
                            if entities.is_empty() || matches!(e, Entity::Function(_)) {
                                entities.push(e);
                            }
                        }
                    }
                    if !entities.is_empty() {
                        return Found { entities, crossed, ..Found::default() };
                    }
                }
            }
            at = scope.parent.clone();
        }
        Found::default()
    }

    pub fn lookup_in_namespace(&mut self, ns: NsId, key: NameKey) -> Vec<Entity> {
        let declared = self.layer.find_with_directives(ns, key);
        let mut all = Vec::new();
        for d in declared {
            self.entity(d, &mut all);
        }
        // The namespace's own non-function hides what its using-directives bring in.
        match all.first() {
            Some(Entity::Function(_)) => {
                let mut out: Vec<Entity> = Vec::new();
                let mut types = Vec::new();
                let mut seen = msl_base::FxSet::default();
                for e in all {
                    match &e {
                        Entity::Function(f) if seen.insert(f.serial) => out.push(e),
                        Entity::Class(_) | Entity::Enum(_) => types.push(e),
                        _ => {}
                    }
                }
                // `struct f` and `void f()`: types are still found where only a type makes sense.
                out.extend(types);
                out
            }
            Some(Entity::Class(_) | Entity::Enum(_)) if all.iter().any(|e| matches!(e, Entity::Function(_))) => {
                // `struct f` and `void f()`: types are still found where only a type makes sense.
                all.sort_by_key(|e| !matches!(e, Entity::Function(_)));
                all
            }
            _ => {
                all.truncate(1);
                all
            }
        }
    }

    /// Members of a class, or else of its bases.
    pub fn lookup_in_class(&mut self, class: ClassId, key: NameKey) -> Vec<Entity> {
        let info = &self.classes[class.0 as usize];
        if let Some(found) = info.members.get(&key) {
            return found.clone();
        }
        if let NameKey::Name(n) = key
            && n == info.def.name
        {
            return vec![Entity::Injected(class)];
        }
        let bases: Vec<ClassId> = info.bases.iter().map(|b| b.class).collect();
        let mut out = Vec::new();
        for base in bases {
            let found = self.lookup_in_class(base, key);
            if key == NameKey::Constructor {
                continue;
            }
            out.extend(found);
            if !out.is_empty() && key != NameKey::Conversion {
                break;
            }
        }
        out
    }

    /// Reports a member that several bases have: each object of theirs has one of its own.
    pub fn report_ambiguous_member(&mut self, class: ClassId, key: NameKey, found: &[Entity], span: Span) -> bool {
        let is_own = match found.first() {
            Some(Entity::Field(..)) => true,
            Some(Entity::Function(f)) => f.is_method(),
            _ => false,
        };
        if !is_own || key == NameKey::Conversion || self.classes[class.0 as usize].bases.is_empty() {
            return false;
        }
        let mut owners = Vec::new();
        self.member_owners(class, key, &mut owners);
        let [first, .., last] = owners[..] else { return false };
        let name = match key {
            NameKey::Name(n) => n.to_string(),
            _ => "this operator".into(),
        };
        let text = self.class_name(class);
        let (one, other) = (self.class_name(first), self.class_name(last));
        let message = if first == last {
            format!("'{text}' has '{name}' more than once: it has several bases '{one}'")
        } else {
            format!("'{name}' is a member of two bases of '{text}', of '{one}' and of '{other}'")
        };
        let help = format!("name the base whose member is meant: 'x.Base::{name}'");
        self.report(Diagnostic::error("ambiguous-member", span, message).help(help));
        true
    }

    /// The classes of the subobjects that have the member, one for each.
    pub fn member_owners(&self, class: ClassId, key: NameKey, out: &mut Vec<ClassId>) {
        let info = &self.classes[class.0 as usize];
        if info.members.contains_key(&key) {
            out.push(class);
            return;
        }
        for base in &info.bases {
            self.member_owners(base.class, key, out);
        }
    }

    /// What stands before the last `::`. Reports what is wrong and gives `None`.
    pub fn resolve_qualifier(&mut self, name: &ast::Name) -> Option<Qualifier> {
        let count = name.segments.len() - 1;
        let mut at: Option<Qualifier> = name.is_global.then_some(Qualifier::Namespace(NsId::GLOBAL));
        for segment in &name.segments[..count] {
            if let ast::Ident::Decltype(e) = &segment.ident {
                let ty = self.decltype_of(e);
                at = Some(self.qualifier_of_type(ty, segment.span)?);
                continue;
            }
            let key = NameKey::of(&segment.ident);
            let found = match at.clone() {
                Some(q) => self.lookup_qualified(q, key),
                None => self.lookup_unqualified(key),
            };
            // Only namespaces, classes, enumerations and templates count in front of `::`.
            let entity = found.entities.into_iter().find(|e| {
                matches!(
                    e,
                    Entity::Namespace(_)
                        | Entity::Class(_)
                        | Entity::Injected(_)
                        | Entity::Enum(_)
                        | Entity::Alias(_)
                        | Entity::Type(_)
                        | Entity::Param(_)
                )
            });
            let Some(entity) = entity else {
                let single = ast::Name { is_global: false, segments: vec![segment.clone()], span: segment.span };
                match at {
                    Some(q) => self.report_no_member(&q, &segment.ident, segment.span),
                    None => self.report_unknown(&single),
                }
                return None;
            };
            at = Some(match entity {
                Entity::Namespace(ns) => Qualifier::Namespace(ns),
                Entity::Enum(def) => Qualifier::Enum(def),
                other => {
                    let ty = self.entity_type(&other, segment)?;
                    self.qualifier_of_type(ty, segment.span)?
                }
            });
        }
        at
    }

    fn qualifier_of_type(&mut self, ty: QualTy, span: Span) -> Option<Qualifier> {
        match *self.kind(ty.ty) {
            TyKind::Class(c) => {
                self.complete_class(c, span);
                Some(Qualifier::Class(c))
            }
            TyKind::Enum(e) => Some(Qualifier::Enum(self.enum_infos[e.0 as usize].def.clone())),
            TyKind::Error => None,
            _ => Some(Qualifier::Other(ty)),
        }
    }

    pub fn report_no_member(&mut self, qualifier: &Qualifier, ident: &ast::Ident, span: Span) {
        if let Qualifier::Class(c) = qualifier
            && self.classes[c.0 as usize].has_error
        {
            // Silent for the reader, but still a failure where templates are tried.
            if self.is_speculating() {
                self.error("unknown-member", span, "the class has errors");
            }
            return;
        }
        let wanted = crate::declare::text_of(ident);
        let (place, names) = match qualifier {
            Qualifier::Namespace(ns) => {
                let what = match self.layer.namespace(*ns).name {
                    Some(n) => format!("namespace '{n}'"),
                    None => "the global namespace".into(),
                };
                (what, self.layer.member_names(*ns))
            }
            Qualifier::Class(c) => (format!("'{}'", self.class_name(*c)), self.class_member_names(*c)),
            Qualifier::Enum(def) => {
                let name =
                    def.decl.name.as_ref().and_then(|n| n.segments.last()).map(|s| crate::declare::text_of(&s.ident));
                let names = def.decl.enumerators.iter().flatten().map(|e| e.name).collect();
                (format!("enumeration '{}'", name.unwrap_or_default()), names)
            }
            Qualifier::Other(ty) => {
                let message = format!("'{}' has no members to name with '::'", self.type_name(*ty));
                self.error("not-a-class", span, message);
                return;
            }
        };
        let mut d = Diagnostic::error("unknown-member", span, format!("no '{wanted}' in {place}"));
        if let Some(close) = closest(&wanted, &names) {
            d = d.help(format!("did you mean '{close}'?"));
        }
        self.report(d);
    }

    pub fn class_member_names(&self, class: ClassId) -> Vec<Symbol> {
        let info = &self.classes[class.0 as usize];
        let mut names: Vec<Symbol> = info
            .members
            .keys()
            .filter_map(|k| match k {
                NameKey::Name(n) => Some(*n),
                _ => None,
            })
            .collect();
        for base in &info.bases {
            names.extend(self.class_member_names(base.class));
        }
        names.sort_by_cached_key(|n| n.as_str());
        names
    }

    /// Says that a name means nothing here, with the nearest remedy.
    pub fn report_unknown(&mut self, name: &ast::Name) {
        let Some(last) = name.segments.last() else { return };
        if name.segments.len() > 1 || name.is_global {
            if let Some(q) = self.resolve_qualifier(name) {
                self.report_no_member(&q, &last.ident, last.span);
            }
            return;
        }
        let wanted = crate::declare::text_of(&last.ident);
        let mut d = Diagnostic::error("unknown-identifier", name.span, format!("'{wanted}' is not declared"));
        if let Some(remedy) = msl_syntax::foreign::remedy(&wanted) {
            d = d.help(remedy);
        } else if let Some(ns) = self.namespace_with(NameKey::of(&last.ident)) {
            let ns = self.layer.namespace(ns).name.map_or_else(String::new, |n| n.to_string());
            d = d.help(format!("it is in namespace '{ns}': add 'using namespace {ns};' or write '{ns}::{wanted}'"));
        } else if let Some(close) = closest(&wanted, &self.visible_names()) {
            d = d.help(format!("did you mean '{close}'?"));
        } else if let Some(close) = crate::diagnose::closest_type(&wanted) {
            d = d.help(format!("did you mean '{close}'?"));
        } else if let Some((ns, close)) = self.closest_in_namespaces(&wanted) {
            d = d.help(format!("did you mean '{ns}::{close}'? 'using namespace {ns};' makes its names known"));
        }
        self.report(d);
    }

    /// The nearest name in a namespace directly below the global one.
    fn closest_in_namespaces(&self, wanted: &str) -> Option<(String, Symbol)> {
        self.layer.child_namespaces(NsId::GLOBAL).into_iter().find_map(|ns| {
            let names: Vec<Symbol> = self.layer.member_names(ns);
            Some((self.layer.namespace(ns).name?.to_string(), closest(wanted, &names)?))
        })
    }

    /// A namespace directly below the global one that has the name.
    pub fn namespace_with(&self, key: NameKey) -> Option<NsId> {
        self.layer.child_namespaces(NsId::GLOBAL).into_iter().find(|ns| {
            let mut out = Vec::new();
            self.layer.find(*ns, key, &mut out);
            !out.is_empty()
        })
    }

    /// Every plain name unqualified lookup could find from here, sorted.
    pub fn visible_names(&self) -> Vec<Symbol> {
        let mut names = Vec::new();
        let mut at = Some(&self.scope);
        while let Some(scope) = at {
            match &scope.kind {
                ScopeKind::Block(b) => names.extend(b.names.borrow().keys().copied()),
                ScopeKind::Params(p) => names.extend(p.iter().map(|(n, _)| *n)),
                ScopeKind::Class(c) => names.extend(self.class_member_names(*c)),
                ScopeKind::Function => {}
                ScopeKind::Namespace(ns) => {
                    names.extend(self.layer.member_names(*ns));
                    for d in self.layer.directives(*ns) {
                        names.extend(self.layer.member_names(d));
                    }
                }
            }
            at = scope.parent.as_ref();
        }
        names.retain(|n| !n.as_str().starts_with("__"));
        names.sort_by_cached_key(|n| n.as_str());
        names.dedup();
        names
    }

    // ---- argument-dependent ------------------------------------------------------------

    /// Functions of the namespaces and classes that the argument types belong to.
    pub fn lookup_by_arguments(&mut self, key: NameKey, args: &[Ty], out: &mut Vec<Rc<FnDef>>) {
        let mut namespaces = Vec::new();
        let mut classes = Vec::new();
        for ty in args {
            self.associated(*ty, &mut namespaces, &mut classes, 0);
        }
        let mut seen: msl_base::FxSet<u32> = out.iter().map(|f| f.serial).collect();
        let mut push = |f: Rc<FnDef>| {
            if seen.insert(f.serial) {
                out.push(f);
            }
        };
        for class in &classes {
            for f in &self.classes[class.0 as usize].friends {
                if f.key == key {
                    push(f.clone());
                }
            }
        }
        for ns in namespaces {
            let mut declared = Vec::new();
            self.layer.find(ns, key, &mut declared);
            let mut entities = Vec::new();
            for d in declared {
                self.entity(d, &mut entities);
            }
            for e in entities {
                if let Entity::Function(f) = e {
                    push(f);
                }
            }
        }
    }

    fn associated(&mut self, ty: Ty, namespaces: &mut Vec<NsId>, classes: &mut Vec<ClassId>, depth: u32) {
        if depth > 8 {
            return;
        }
        match self.kind(ty).clone() {
            TyKind::Class(c) => {
                if classes.contains(&c) {
                    return;
                }
                self.complete_class(c, Span::NONE);
                classes.push(c);
                let info = &self.classes[c.0 as usize];
                let ns = info.def.ns;
                if !namespaces.contains(&ns) {
                    namespaces.push(ns);
                }
                let bases: Vec<ClassId> = info.bases.iter().map(|b| b.class).collect();
                let args = info.args.clone();
                for base in bases {
                    let base = self.types().intern(TyKind::Class(base));
                    self.associated(base, namespaces, classes, depth + 1);
                }
                for arg in args {
                    if let Arg::Type(t) = arg {
                        self.associated(t.ty, namespaces, classes, depth + 1);
                    }
                }
            }
            TyKind::Enum(e) => {
                let ns = self.enum_infos[e.0 as usize].ns;
                if !namespaces.contains(&ns) {
                    namespaces.push(ns);
                }
            }
            TyKind::Pointer { pointee, .. } => self.associated(pointee, namespaces, classes, depth + 1),
            TyKind::Reference { referent, .. } => self.associated(referent, namespaces, classes, depth + 1),
            TyKind::Array { element, .. } => self.associated(element, namespaces, classes, depth + 1),
            TyKind::MemberPointer { class, member, .. } => {
                let class = self.types().intern(TyKind::Class(class));
                self.associated(class, namespaces, classes, depth + 1);
                self.associated(member, namespaces, classes, depth + 1);
            }
            TyKind::Error
            | TyKind::Void
            | TyKind::NullPtr
            | TyKind::Scalar(_)
            | TyKind::Vector(..)
            | TyKind::PackedVector(..)
            | TyKind::Function { .. } => {}
        }
    }
}
