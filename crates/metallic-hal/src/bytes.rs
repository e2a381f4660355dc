//! Plain data as bytes, for entries of the cache: words of 64 bits, little endian, and what is made of them.
//!
//! Entries are protected by a checksum and name the build that wrote them, so that a reader need not explain what is
//! wrong with one: it gives `None`, and whoever reads makes the entry again.

/// Appends.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn new() -> Writer {
        Writer::default()
    }
    pub fn word(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }
    pub fn flag(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        self.0.extend(bytes);
    }
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
    /// `None`, or a value that `write` writes.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Writer, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
    pub fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Writer, T)) {
        self.word(items.len() as u64);
        items.for_each(|item| write(self, item));
    }
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes from the front what a [`Writer`] appended.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }
    pub fn word(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }
    /// A word that fits a smaller type.
    pub fn small<T: TryFrom<u64>>(&mut self) -> Option<T> {
        T::try_from(self.word()?).ok()
    }
    pub fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.small()?;
        self.take(length)
    }
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Some(None) }
    }
    pub fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        // Not collected into room for as many as are announced: the number may be nonsense.
        (0..self.word()?).map(|_| read(self)).collect()
    }
    /// `value`, if nothing is left over.
    pub fn end<T>(self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let mut w = Writer::new();
        w.word(u64::MAX);
        w.flag(true);
        w.text("ü");
        w.option(Some(3u32), |w, n| w.word(n.into()));
        w.option(None, |w, n: u32| w.word(n.into()));
        w.list([1u64, 2].into_iter(), Writer::word);
        let bytes = w.into_bytes();
        let read = |bytes: &[u8]| {
            let mut r = Reader::new(bytes);
            let value = (r.word()?, r.flag()?, r.text()?.to_string());
            let value =
                (value, r.option(Reader::small::<u32>)?, r.option(Reader::small::<u32>)?, r.list(Reader::word)?);
            r.end(value)
        };
        assert_eq!(read(&bytes), Some(((u64::MAX, true, "ü".to_string()), Some(3), None, vec![1, 2])));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), None, "the first {end} bytes");
        }
        assert_eq!(read(&[&bytes[..], &[0]].concat()), None);
        assert_eq!(Reader::new(&u64::MAX.to_le_bytes()).list(Reader::word), None);
        assert_eq!(Reader::new(&300u64.to_le_bytes()).small::<u8>(), None);
        assert_eq!(Reader::new(&[2]).flag(), None);
    }
}
