//! Files, positions and macro expansions.
//!
//! A [`Span`] is a range of *global* byte positions (each file occupies its own
//! range) plus the macro expansion it came through. The position says where the
//! characters are spelled; the expansion says where they were used.

use std::borrow::Cow;
use std::sync::Arc;

crate::define_id!(
    /// A file of a [`SourceMap`].
    pub struct FileId, "file"
);
crate::define_id!(
    /// A macro expansion; `ExpansionId::NONE` is text that stands in a file as it is.
    pub struct ExpansionId, "expansion"
);

impl ExpansionId {
    pub const NONE: ExpansionId = ExpansionId(0);
}

/// Where something was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Span {
    /// Global byte position of the first byte. 0 with `end == 0` is "nowhere".
    pub start: u32,
    /// Global byte position after the last byte.
    pub end: u32,
    pub expansion: ExpansionId,
}

impl Span {
    pub const NONE: Span = Span { start: 0, end: 0, expansion: ExpansionId::NONE };

    pub fn new(start: u32, end: u32) -> Span {
        Span { start, end, expansion: ExpansionId::NONE }
    }
    pub fn is_none(self) -> bool {
        self == Span::NONE
    }
    /// The span from the start of `self` to the end of `other`. Where the two come from
    /// different expansions the result keeps `self` alone; [`SourceMap::join`] does better.
    pub fn to(self, other: Span) -> Span {
        if self.is_none() {
            return other;
        }
        if other.is_none() || self.expansion != other.expansion || other.end < self.start {
            return self;
        }
        Span { start: self.start, end: other.end, expansion: self.expansion }
    }
}

impl Default for Span {
    fn default() -> Self {
        Span::NONE
    }
}

/// One source text. `start` is the global position of its first byte; positions of different
/// files do not overlap. Position 0 belongs to no file.
#[derive(Debug)]
pub struct SourceFile {
    pub name: String,
    pub text: Arc<str>,
    pub start: u32,
    line_starts: Vec<u32>,
    /// Set for headers that ship with the compiler; notes into them are kept short.
    pub is_builtin: bool,
}

/// A macro expansion: which macro, and where its name was written.
#[derive(Clone, Debug)]
pub struct Expansion {
    pub macro_name: String,
    pub call_site: Span,
    pub definition: Span,
}

/// A resolved position for people: 1-based line and column (columns count characters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// All texts of one compilation. Cloning is cheap: files are shared.
#[derive(Clone, Debug)]
pub struct SourceMap {
    files: Vec<Arc<SourceFile>>,
    /// The first expansions, shared between clones; see [`SourceMap::freeze`].
    frozen: Arc<Vec<Expansion>>,
    expansions: Vec<Expansion>,
    next: u32,
}

impl Default for SourceMap {
    fn default() -> Self {
        SourceMap::new()
    }
}

impl SourceMap {
    pub fn new() -> SourceMap {
        let none = Expansion { macro_name: String::new(), call_site: Span::NONE, definition: Span::NONE };
        SourceMap { files: Vec::new(), frozen: Arc::new(vec![none]), expansions: Vec::new(), next: 1 }
    }

    /// Adds a file, its lines ended as [`with_line_feeds`] says. Returns `None` when the compilation would exceed
    /// 2 GiB of text.
    pub fn add(&mut self, name: &str, text: &str, is_builtin: bool) -> Option<FileId> {
        let text = &*with_line_feeds(text);
        let length = u32::try_from(text.len()).ok()?;
        let next = self.next.checked_add(length)?.checked_add(1)?;
        if next > i32::MAX as u32 {
            return None;
        }
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1))
            .collect();
        let file = SourceFile { name: name.into(), text: text.into(), start: self.next, line_starts, is_builtin };
        self.next = next;
        self.files.push(Arc::new(file));
        Some(FileId(self.files.len() as u32 - 1))
    }

    pub fn add_expansion(&mut self, expansion: Expansion) -> ExpansionId {
        self.expansions.push(expansion);
        ExpansionId((self.frozen.len() + self.expansions.len()) as u32 - 1)
    }

    pub fn expansion(&self, id: ExpansionId) -> &Expansion {
        let index = id.0 as usize;
        self.frozen.get(index).unwrap_or_else(|| &self.expansions[index - self.frozen.len()])
    }
    /// Makes clones cheap: what is here now is shared by them. Call it when a text is complete that many
    /// compilations start from.
    pub fn freeze(&mut self) {
        if !self.expansions.is_empty() {
            let added = std::mem::take(&mut self.expansions);
            Arc::make_mut(&mut self.frozen).extend(added);
        }
    }
    pub fn file(&self, id: FileId) -> &Arc<SourceFile> {
        &self.files[id.0 as usize]
    }
    pub fn files(&self) -> &[Arc<SourceFile>] {
        &self.files
    }

    /// The file that holds a global position.
    pub fn file_at(&self, position: u32) -> Option<&Arc<SourceFile>> {
        let index = self.files.partition_point(|f| f.start <= position).checked_sub(1)?;
        let file = &self.files[index];
        (position <= file.start + file.text.len() as u32).then_some(file)
    }

    /// The text a span covers, where it is spelled.
    pub fn text(&self, span: Span) -> &str {
        match self.file_at(span.start) {
            Some(f) => f.text.get((span.start - f.start) as usize..(span.end - f.start) as usize).unwrap_or(""),
            None => "",
        }
    }

    /// The outermost place where the text was *used*: the call site of the outermost macro, or the span itself.
    pub fn use_site(&self, mut span: Span) -> Span {
        while span.expansion != ExpansionId::NONE {
            span = self.expansion(span.expansion).call_site;
        }
        span
    }

    /// Covers both spans, going through macro call sites until they meet in one expansion.
    pub fn join(&self, a: Span, b: Span) -> Span {
        if a.expansion == b.expansion {
            return a.to(b);
        }
        self.use_site(a).to(self.use_site(b))
    }

    /// Where the span starts, at its use site, for people.
    pub fn location(&self, span: Span) -> Option<Location> {
        self.position(self.use_site(span).start)
    }

    /// Where the span starts, at its use site, and that line's text.
    pub fn line(&self, span: Span) -> Option<(Location, &str)> {
        let start = self.use_site(span).start;
        let location = self.position(start)?;
        let text = self.file_at(start)?.text.lines().nth(location.line as usize - 1)?;
        Some((location, text))
    }

    /// A global position as file, line and column.
    pub fn position(&self, position: u32) -> Option<Location> {
        if position == 0 {
            return None;
        }
        let file = self.file_at(position)?;
        let offset = position - file.start;
        let line = file.line_starts.partition_point(|s| *s <= offset) - 1;
        let line_text = file.text.get(file.line_starts[line] as usize..offset as usize).unwrap_or("");
        Some(Location { file: file.name.clone(), line: line as u32 + 1, column: line_text.chars().count() as u32 + 1 })
    }
}

/// The text with a line feed for each carriage return that stands alone: such a one ends a line as well. Positions
/// stay what they are.
pub fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_alone = |i: usize| bytes[i] == b'\r' && bytes.get(i + 1) != Some(&b'\n');
    if !text.contains('\r') || !(0..bytes.len()).any(is_alone) {
        return text.into();
    }
    let mut followers = text.chars().skip(1);
    let ended = |c| if followers.next() != Some('\n') && c == '\r' { '\n' } else { c };
    text.chars().map(ended).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriage_returns_alone_end_lines() {
        for (text, expected) in
            [("a\rb\r\rc", "a\nb\n\nc"), ("a\r\nb\r", "a\r\nb\n"), ("é\r\r\n", "é\n\r\n"), ("a\n\r", "a\n\n")]
        {
            assert_eq!(with_line_feeds(text), expected, "{text:?}");
        }
        assert!(matches!(with_line_feeds("a\r\nb\n"), Cow::Borrowed(_)));
        let mut map = SourceMap::new();
        let file = map.add("a.metal", "int x;\rint y;\r", false).unwrap();
        let start = map.file(file).start;
        let (location, line) = map.line(Span::new(start + 11, start + 12)).unwrap();
        assert_eq!((location.line, location.column, line), (2, 5, "int y;"));
    }

    #[test]
    fn positions_resolve_in_the_file_that_holds_them() {
        let mut map = SourceMap::new();
        let a = map.add("a.metal", "int x;\nint é = 1;\n", false).unwrap();
        let b = map.add("b.metal", "foo", false).unwrap();
        let at = |file: FileId, offset: u32| map.position(map.file(file).start + offset).unwrap();
        assert_eq!(at(a, 0), Location { file: "a.metal".into(), line: 1, column: 1 });
        assert_eq!(at(a, 14), Location { file: "a.metal".into(), line: 2, column: 7 });
        assert_eq!(at(b, 2), Location { file: "b.metal".into(), line: 1, column: 3 });
        assert_eq!(map.position(0), None);
        let (location, text) = map.line(Span::new(map.file(a).start + 14, map.file(a).start + 16)).unwrap();
        assert_eq!((location.line, text), (2, "int é = 1;"));
        assert_eq!(map.line(Span::NONE), None);
    }

    #[test]
    fn use_site_is_the_outermost_call() {
        let mut map = SourceMap::new();
        map.add("a.metal", "#define F(x) x+x\nF(1)", false).unwrap();
        let call = Span::new(18, 22);
        let id = map.add_expansion(Expansion { macro_name: "F".into(), call_site: call, definition: Span::new(9, 10) });
        let inner = Span { start: 14, end: 15, expansion: id };
        assert_eq!(map.use_site(inner), call);
        assert_eq!(map.location(inner).unwrap().line, 2);
    }
}
