//! What the front end found out about a text, as entries of the cache on disk: the contents of libraries and the facts
//! about functions. With them and with machine code, which devices keep, a kernel runs without being compiled.
//!
//! A library is named by its text, its options and our build; its entry lists every file that the preprocessor asked for
//! and what it got, also where that was nothing, and counts only where asking again gives the same. What is in these
//! files is part of the name of the library's functions, as are the values of function constants. Sources with errors
//! are never remembered: their messages are made anew. Warnings are neither, only whether there are some.

use std::sync::LazyLock;

use metallic_hal::KernelFacts;
use metallic_hal::bytes::{Reader, Writer};
use metallic_hal::cache::{Cache, Key};
use msl::FileProvider;
use msl_ir::Scalar;
use msl_ir::text::Spelled;

use super::files::{Found, ReadFiles};
use crate::CompileOptions;

static CACHE: LazyLock<Cache> = LazyLock::new(Cache::of_user);

/// Distinguishes builds of ourselves whose version is the same.
const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("METALLIC_BUILD"));

/// What is known about a library that was opened.
#[derive(Debug, PartialEq)]
pub(super) struct Contents {
    /// Of the kernels, in the order of the source.
    pub names: Vec<String>,
    pub declared: Vec<msl::FunctionConstant>,
    pub visible: Vec<msl::VisibleFunction>,
    pub has_warnings: bool,
}

/// `None` without a cache.
pub(super) fn library_key(text: &str, options: &CompileOptions) -> Option<Key> {
    if !CACHE.is_enabled() {
        return None;
    }
    let CompileOptions {
        source_name,
        fast_math_enabled,
        language_version,
        preprocessor_macros,
        include_directories,
        headers,
        checks_bodies,
    } = options;
    let mut w = Writer::new();
    w.text(source_name);
    w.flag(*fast_math_enabled);
    w.option(*language_version, |w, (major, minor)| {
        w.word(major.into());
        w.word(minor.into());
    });
    let pairs = |w: &mut Writer, pairs: &[(String, String)]| {
        w.list(pairs.iter(), |w, (name, value)| {
            w.text(name);
            w.text(value);
        });
    };
    pairs(&mut w, preprocessor_macros);
    w.list(include_directories.iter(), |w, path| w.bytes(path.as_os_str().as_encoded_bytes()));
    pairs(&mut w, headers);
    w.flag(*checks_bodies);
    Some(Key::of(&[b"library", BUILD.as_bytes(), text.as_bytes(), &w.into_bytes()]))
}

/// The contents of a library whose files are what they were, and what names all that decides about its functions.
pub(super) fn library(key: &Key, files: &ReadFiles) -> Option<(Contents, Key)> {
    let bytes = CACHE.get(key)?;
    let mut r = Reader::new(&bytes);
    let digest = Key::of(&[key.as_str().as_bytes(), r.bytes()?]);
    // The list is within the entry, as bytes: what names functions is what is compared here.
    let mut same = Reader::new(&bytes);
    let mut same = Reader::new(same.bytes()?);
    same.list(|r| {
        let (path, includer, system) = (r.text()?, r.text()?, r.flag()?);
        let before = r.option(|r| Some((r.text()?, r.text()?)))?;
        let now = files.read(path, includer, system).ok()?;
        let now = now.map(|file| (file.name, Key::of(&[file.text.as_bytes()])));
        (now.as_ref().map(|(name, text)| (name.as_str(), text.as_str())) == before).then_some(())
    })?;
    same.end(())?;
    let contents = Contents {
        names: r.list(|r| r.text().map(str::to_string))?,
        declared: r.list(|r| {
            let (name, index) = (r.text()?.to_string(), r.small()?);
            Some(msl::FunctionConstant { name, index, scalar: Scalar::from_spelling(r.text()?)?, len: r.small()? })
        })?,
        visible: r.list(|r| {
            let (name, number) = (r.text()?.to_string(), r.word()?);
            Some(msl::VisibleFunction { name, number, type_name: r.text()?.to_string() })
        })?,
        has_warnings: r.flag()?,
    };
    r.end((contents, digest))
}

/// Gives what names all that decides about the library's functions. Libraries that met files which cannot be read are
/// not remembered.
pub(super) fn remember_library(key: &Key, contents: &Contents, files: &ReadFiles) -> Option<Key> {
    let mut w = Writer::new();
    let found = files.found();
    if found.iter().any(|found| found.file.is_err()) {
        return None;
    }
    w.list(found.iter(), |w, Found { path, includer, system, file }| {
        w.text(path);
        w.text(includer);
        w.flag(*system);
        w.option(file.as_ref().ok().and_then(Option::as_ref), |w, file| {
            w.text(&file.name);
            w.text(Key::of(&[file.text.as_bytes()]).as_str());
        });
    });
    let found = w.into_bytes();
    let digest = Key::of(&[key.as_str().as_bytes(), &found]);
    let mut w = Writer::new();
    w.bytes(&found);
    w.list(contents.names.iter(), |w, name| w.text(name));
    w.list(contents.declared.iter(), |w, constant| {
        w.text(&constant.name);
        w.word(constant.index.into());
        w.text(constant.scalar.spelling());
        w.word(constant.len.into());
    });
    w.list(contents.visible.iter(), |w, function| {
        w.text(&function.name);
        w.word(function.number);
        w.text(&function.type_name);
    });
    w.flag(contents.has_warnings);
    CACHE.put(key, &w.into_bytes());
    Some(digest)
}

/// For a function of the library of a digest, and values of function constants.
pub(super) fn function_key(library: &Key, name: &str, values: &msl::FunctionConstantValues) -> Key {
    let mut w = Writer::new();
    for (index, value) in values.indices() {
        w.word(index.into());
        w.text(value.scalar.spelling());
        w.word(value.len.into());
        value.bits.iter().for_each(|bits| w.word(*bits));
    }
    Key::of(&[b"function", library.as_str().as_bytes(), name.as_bytes(), &w.into_bytes()])
}

/// The facts about a function and the digest of its code.
pub(super) fn function(key: &Key) -> Option<(KernelFacts, Key)> {
    let bytes = CACHE.get(key)?;
    let mut r = Reader::new(&bytes);
    let digest = Key::from_text(r.text()?)?;
    let facts = KernelFacts::read(&mut r)?;
    r.end((facts, digest))
}

pub(super) fn remember_function(key: &Key, facts: &KernelFacts, digest: &Key) {
    let mut w = Writer::new();
    w.text(digest.as_str());
    facts.write(&mut w);
    CACHE.put(key, &w.into_bytes());
}
