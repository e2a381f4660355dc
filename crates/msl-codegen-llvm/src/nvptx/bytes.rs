//! Kernels as bytes, for caches.

use msl_base::{ExpansionId, Span};

use super::NvptxKernel;
use crate::compiler::{FaultKind, FaultSite};

impl NvptxKernel {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.ptx.len() + 64 * self.sites.len() + 128);
        let word = |out: &mut Vec<u8>, value: u64| out.extend(value.to_le_bytes());
        let text = |out: &mut Vec<u8>, text: &str| {
            word(out, text.len() as u64);
            out.extend(text.as_bytes());
        };
        text(&mut out, &self.ptx);
        word(&mut out, self.static_shared);
        word(&mut out, u64::from(self.needs_ranges));
        for n in self.threadgroup {
            word(&mut out, u64::from(n));
        }
        word(&mut out, self.inline.len() as u64);
        for bytes in &self.inline {
            word(&mut out, bytes.map_or(u64::MAX, u64::from));
        }
        word(&mut out, self.elements.len() as u64);
        for bytes in &self.elements {
            word(&mut out, bytes.unwrap_or(u64::MAX));
        }
        word(&mut out, self.formats.len() as u64);
        for format in &self.formats {
            text(&mut out, format);
        }
        word(&mut out, self.sites.len() as u64);
        for site in &self.sites {
            let kind = match site.kind {
                FaultKind::Read => 0,
                FaultKind::Write => 1,
                FaultKind::Atomic => 2,
                FaultKind::Trap => 3,
                FaultKind::Barrier => 4,
            };
            word(&mut out, kind);
            word(&mut out, site.param.map_or(u64::MAX, u64::from));
            word(&mut out, u64::from(site.span.start) | u64::from(site.span.end) << 32);
            word(&mut out, u64::from(site.span.expansion.0));
            word(&mut out, u64::from(site.message.is_some()));
            text(&mut out, site.message.as_deref().unwrap_or(""));
        }
        out
    }

    /// `None` when the bytes make no sense.
    pub fn from_bytes(bytes: &[u8]) -> Option<NvptxKernel> {
        let mut r = Reader(bytes);
        let ptx = r.text()?;
        let (static_shared, needs_ranges) = (r.word()?, r.word()? != 0);
        let threadgroup = [r.small()?, r.small()?, r.small()?];
        let inline = (0..r.word()?).map(|_| Some(u32::try_from(r.word()?).ok())).collect::<Option<Vec<_>>>()?;
        let elements = (0..r.word()?).map(|_| r.word().map(|n| Some(n).filter(|n| *n != u64::MAX)));
        let elements = elements.collect::<Option<Vec<_>>>()?;
        let formats = (0..r.word()?).map(|_| r.text()).collect::<Option<Vec<_>>>()?;
        let sites = (0..r.word()?).map(|_| r.site()).collect::<Option<Vec<_>>>()?;
        Some(NvptxKernel { ptx, inline, elements, static_shared, sites, formats, needs_ranges, threadgroup })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = tail;
        Some(head)
    }
    fn word(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }
    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.word()?).ok()
    }
    fn text(&mut self) -> Option<String> {
        let length = self.word()?;
        String::from_utf8(self.bytes(length)?.to_vec()).ok()
    }
    fn site(&mut self) -> Option<FaultSite> {
        let kind = match self.word()? {
            0 => FaultKind::Read,
            1 => FaultKind::Write,
            2 => FaultKind::Atomic,
            3 => FaultKind::Trap,
            4 => FaultKind::Barrier,
            _ => return None,
        };
        let param = u32::try_from(self.word()?).ok();
        let positions = self.word()?;
        let expansion = ExpansionId(self.small()?);
        let span = Span { start: positions as u32, end: (positions >> 32) as u32, expansion };
        let has_message = self.word()? != 0;
        let message = self.text()?;
        Some(FaultSite { kind, param, span, message: has_message.then_some(message) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_survive_and_damage_is_noticed() {
        let site = |message: Option<&str>| FaultSite {
            kind: FaultKind::Trap,
            param: Some(3),
            span: Span { start: 5, end: 9, expansion: ExpansionId(2) },
            message: message.map(str::to_string),
        };
        let kernel = NvptxKernel {
            ptx: ".version 8.0".into(),
            inline: vec![None, Some(4)],
            elements: vec![Some(16), None],
            static_shared: 1024,
            sites: vec![site(Some("no")), site(None)],
            formats: vec!["%d".into()],
            needs_ranges: true,
            threadgroup: [32, 2, 1],
        };
        let bytes = kernel.to_bytes();
        assert_eq!(NvptxKernel::from_bytes(&bytes).as_ref(), Some(&kernel));
        for end in 0..bytes.len() {
            assert_eq!(NvptxKernel::from_bytes(&bytes[..end]), None);
        }
    }
}
