//! One layer of declarations over an optional base, and the questions that are asked of all layers.

use std::sync::Arc;

use msl_base::{FxMap, Symbol};
use msl_syntax::ast;

use super::function::graphics_stage;
use super::*;

/// One layer of declarations over an optional base.
#[derive(Debug, Default)]
pub struct Layer {
    pub base: Option<Arc<Layer>>,
    pub(super) starts: [u32; 7],
    pub(super) namespaces: Vec<Namespace>,
    pub(super) functions: Vec<FnEntry>,
    pub(super) classes: Vec<ClassEntry>,
    pub(super) enums: Vec<EnumEntry>,
    pub(super) aliases: Vec<AliasEntry>,
    pub(super) variables: Vec<VarEntry>,
    pub(super) usings: Vec<UsingEntry>,
    pub(super) names: FxMap<NsId, Names>,
    pub(super) class_ext: FxMap<ClassDeclId, ClassExtension>,
    pub(super) fn_specializations: FxMap<FnDeclId, Vec<(NsId, Arc<ast::FunctionDecl>)>>,
    pub(super) var_specializations: FxMap<VarDeclId, Vec<(NsId, Arc<ast::VariableDecl>)>>,
    pub guides: FxMap<Symbol, Vec<(NsId, Arc<ast::FunctionDecl>)>>,
    pub entries: Vec<EntryDecl>,
    pub entry_index: FxMap<Symbol, usize>,
    /// `[[visible]]` functions, which hosts put into tables.
    pub visible: Vec<EntryDecl>,
    pub function_constants: Vec<VarDeclId>,
    pub static_asserts: Vec<StaticAssertDecl>,
    pub fp_pragmas: Vec<ast::FpPragma>,
    /// Explicit instantiations without a host name: checked by `check`, never an entry point.
    pub instantiations: Vec<(NsId, Arc<ast::FunctionDecl>)>,
    /// Global positions below this belong to the base.
    pub library_end: u32,
    /// Where the files of the program start, ascending.
    pub files: Vec<u32>,
}

macro_rules! accessor {
    ($get:ident, $own:ident, $id:ident, $entry:ident, $slot:literal, $list:ident) => {
        pub fn $get(&self, id: $id) -> &$entry {
            match id.0.checked_sub(self.starts[$slot]) {
                Some(i) => &self.$list[i as usize],
                None => self.base.as_ref().expect("ids below the start belong to the base").$get(id),
            }
        }
        /// Ids this layer declares itself.
        #[allow(dead_code)]
        pub fn $own(&self) -> impl Iterator<Item = $id> + use<> {
            (self.starts[$slot]..self.starts[$slot] + self.$list.len() as u32).map($id)
        }
    };
}

impl Layer {
    /// Whether one place stands above another of the same file; not known for what comes out of macros.
    pub fn is_before(&self, a: Span, b: Span) -> bool {
        let file = |s: Span| self.files.partition_point(|start| *start <= s.start);
        let is_written = |s: Span| s.expansion == msl_base::ExpansionId::NONE && s.start >= self.library_end;
        is_written(a) && is_written(b) && a.start < b.start && file(a) == file(b)
    }
    accessor!(namespace, own_namespaces, NsId, Namespace, 0, namespaces);
    accessor!(function, own_functions, FnDeclId, FnEntry, 1, functions);
    accessor!(class, own_classes, ClassDeclId, ClassEntry, 2, classes);
    accessor!(enumeration, own_enums, EnumDeclId, EnumEntry, 3, enums);
    accessor!(alias, own_aliases, AliasDeclId, AliasEntry, 4, aliases);
    accessor!(variable, own_variables, VarDeclId, VarEntry, 5, variables);
    accessor!(using, own_usings, UsingId, UsingEntry, 6, usings);

    pub fn on(base: Option<Arc<Layer>>) -> Layer {
        let mut layer = Layer::default();
        match &base {
            Some(b) => {
                let lens = [
                    b.namespaces.len(),
                    b.functions.len(),
                    b.classes.len(),
                    b.enums.len(),
                    b.aliases.len(),
                    b.variables.len(),
                    b.usings.len(),
                ];
                for (slot, len) in lens.into_iter().enumerate() {
                    layer.starts[slot] = b.starts[slot] + len as u32;
                }
            }
            None => layer.namespaces.push(Namespace { name: None, parent: None }),
        }
        layer.base = base;
        layer
    }

    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::successors(Some(self), |l| l.base.as_deref())
    }

    /// Direct members of a namespace, inline namespaces included.
    pub fn find(&self, ns: NsId, key: NameKey, out: &mut Vec<DeclEntity>) {
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                if let Some(found) = names.members.get(&key) {
                    out.extend(found.iter().copied());
                }
                for child in &names.inline_children {
                    self.find(*child, key, out);
                }
            }
        }
    }

    /// The namespaces nominated by using-directives in a namespace and its inline ones.
    pub fn directives(&self, ns: NsId) -> Vec<NsId> {
        let mut out = Vec::new();
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                out.extend(names.directives.iter().copied());
                for child in &names.inline_children {
                    out.extend(self.directives(*child));
                }
            }
        }
        out
    }

    /// Plain names visible as members of a namespace; for suggestions.
    pub fn member_names(&self, ns: NsId) -> Vec<Symbol> {
        let mut out = Vec::new();
        for layer in self.layers() {
            if let Some(names) = layer.names.get(&ns) {
                out.extend(names.members.keys().filter_map(|k| match k {
                    NameKey::Name(n) => Some(*n),
                    _ => None,
                }));
                for child in &names.inline_children {
                    out.extend(self.member_names(*child));
                }
            }
        }
        out
    }

    /// The namespaces below one, of all layers; for suggestions.
    pub fn child_namespaces(&self, ns: NsId) -> Vec<NsId> {
        let mut out = Vec::new();
        for layer in self.layers() {
            for id in layer.own_namespaces() {
                if layer.namespace(id).parent == Some(ns) {
                    out.push(id);
                }
            }
        }
        out
    }

    /// A graphics function of the program by its name, and what it is.
    pub fn graphics_function(&self, name: Symbol) -> Option<(&ast::FunctionDecl, &'static str)> {
        self.functions.iter().find_map(|f| {
            let is_named =
                f.decl.name.segments.last().is_some_and(|s| matches!(s.ident, ast::Ident::Name(n) if n == name));
            Some((&*f.decl, graphics_stage(&f.decl)?)).filter(|_| is_named)
        })
    }

    pub fn class_extensions(&self, id: ClassDeclId) -> impl Iterator<Item = &ClassExtension> {
        self.layers().filter_map(move |l| l.class_ext.get(&id))
    }

    pub fn fn_specializations(&self, id: FnDeclId) -> Vec<(NsId, Arc<ast::FunctionDecl>)> {
        self.layers().filter_map(|l| l.fn_specializations.get(&id)).flatten().cloned().collect()
    }

    pub fn var_specializations(&self, id: VarDeclId) -> Vec<(NsId, Arc<ast::VariableDecl>)> {
        self.layers().filter_map(|l| l.var_specializations.get(&id)).flatten().cloned().collect()
    }

    pub fn deduction_guides(&self, name: Symbol) -> Vec<(NsId, Arc<ast::FunctionDecl>)> {
        self.layers().filter_map(|l| l.guides.get(&name)).flatten().cloned().collect()
    }

    /// Unqualified lookup among namespaces alone, for the few names resolved while declaring.
    pub(super) fn lookup(&self, mut ns: NsId, key: NameKey) -> Vec<DeclEntity> {
        loop {
            let found = self.find_with_directives(ns, key);
            if !found.is_empty() {
                return found;
            }
            match self.namespace(ns).parent {
                Some(p) => ns = p,
                None => return Vec::new(),
            }
        }
    }

    /// Members of a namespace, or else of those its using-directives nominate.
    pub fn find_with_directives(&self, ns: NsId, key: NameKey) -> Vec<DeclEntity> {
        let mut out = Vec::new();
        let mut seen = vec![ns];
        let mut next = 0;
        while let Some(&at) = seen.get(next) {
            next += 1;
            self.find(at, key, &mut out);
            for d in self.directives(at) {
                if !seen.contains(&d) {
                    seen.push(d);
                }
            }
        }
        out.dedup();
        out
    }
}
