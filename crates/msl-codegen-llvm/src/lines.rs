//! Which lines of the source instructions of a machine come from.
//!
//! In: the spans of IR instructions, told while code is emitted for them. LLVM carries them along as debug
//! locations, whose "line" is a number of ours, through its passes and into assembly text, as `.loc`
//! directives. Out: that text without directives of debuggers, with the span that each line of it comes from.
//! Source lines are the business of whoever has the source.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ptr;

use llvm_sys::core::{LLVMAddModuleFlag, LLVMSetCurrentDebugLocation2};
use llvm_sys::debuginfo::{
    LLVMCreateDIBuilder, LLVMDIBuilderCreateCompileUnit, LLVMDIBuilderCreateDebugLocation, LLVMDIBuilderCreateFile,
    LLVMDIBuilderCreateFunction, LLVMDIBuilderCreateSubroutineType, LLVMDIBuilderFinalize, LLVMDWARFEmissionKind,
    LLVMDWARFSourceLanguage, LLVMDebugMetadataVersion, LLVMDisposeDIBuilder, LLVMSetSubprogram,
};
use llvm_sys::prelude::LLVMMetadataRef;
use llvm_sys::{LLVMModuleFlagBehavior, core::LLVMValueAsMetadata};
use msl_base::Span;

use crate::llvm::{Ll, V};

/// The spans told so far, by number less one.
#[derive(Default)]
pub struct Lines {
    function: RefCell<Option<LLVMMetadataRef>>,
    spans: RefCell<Vec<Span>>,
    numbers: RefCell<HashMap<Span, u32>>,
}

/// A line of assembly text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsmLine {
    pub text: String,
    /// None: it serves no line in particular.
    pub span: Option<Span>,
}

impl Lines {
    /// Before code of `function` is emitted.
    pub fn begin(&self, ll: &Ll, function: V) {
        // SAFETY: all references belong to the module; strings are given with their lengths.
        unsafe {
            let builder = LLVMCreateDIBuilder(ll.module);
            let (name, empty) = ("kernel", c"".as_ptr());
            let file = LLVMDIBuilderCreateFile(builder, name.as_ptr().cast(), name.len(), empty, 0);
            let language = LLVMDWARFSourceLanguage::LLVMDWARFSourceLanguageC11;
            let kind = LLVMDWARFEmissionKind::LLVMDWARFEmissionKindLineTablesOnly;
            LLVMDIBuilderCreateCompileUnit(
                builder, language, file, empty, 0, 1, empty, 0, 0, empty, 0, kind, 0, 0, 0, empty, 0, empty, 0,
            );
            let ty = LLVMDIBuilderCreateSubroutineType(builder, file, ptr::null_mut(), 0, 0);
            let subprogram = LLVMDIBuilderCreateFunction(
                builder,
                file,
                name.as_ptr().cast(),
                name.len(),
                empty,
                0,
                file,
                0,
                ty,
                0,
                1,
                0,
                0,
                1,
            );
            LLVMSetSubprogram(function, subprogram);
            LLVMDIBuilderFinalize(builder);
            LLVMDisposeDIBuilder(builder);
            let key = "Debug Info Version";
            let version = LLVMValueAsMetadata(ll.c32(LLVMDebugMetadataVersion()));
            let behavior = LLVMModuleFlagBehavior::LLVMModuleFlagBehaviorWarning;
            LLVMAddModuleFlag(ll.module, behavior, key.as_ptr().cast(), key.len(), version);
            *self.function.borrow_mut() = Some(subprogram);
        }
        self.at(ll, Span::NONE);
    }

    /// What is emitted from here on comes from there.
    pub fn at(&self, ll: &Ll, span: Span) {
        let Some(scope) = *self.function.borrow() else { return };
        let number = if span.is_none() {
            0
        } else {
            let mut spans = self.spans.borrow_mut();
            *self.numbers.borrow_mut().entry(span).or_insert_with(|| {
                spans.push(span);
                spans.len() as u32
            })
        };
        // SAFETY: the scope belongs to the module of this builder.
        unsafe {
            let location = LLVMDIBuilderCreateDebugLocation(ll.context, number, 0, scope, ptr::null_mut());
            LLVMSetCurrentDebugLocation2(ll.builder, location);
        }
    }

    /// Assembly text by lines, of code that was emitted with these.
    pub fn split(&self, text: &str) -> Vec<AsmLine> {
        let spans = self.spans.borrow();
        let mut out: Vec<AsmLine> = Vec::new();
        let mut span = None;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                // All that follows is for debuggers.
                [".section", name, ..] if name.contains("debug_") => break,
                [".loc", _, number, ..] => {
                    let number: usize = number.parse().unwrap_or(0);
                    span = number.checked_sub(1).and_then(|i| spans.get(i).copied());
                }
                [".file", ..] | [".cfi_sections", ..] => {}
                [label] if is_made_for_debuggers(label) => {}
                _ => {
                    let is_instruction = line.starts_with('\t') && !line.starts_with("\t.");
                    out.push(AsmLine { text: line.to_string(), span: span.filter(|_| is_instruction) });
                }
            }
        }
        out
    }
}

fn is_made_for_debuggers(label: &str) -> bool {
    let name = label.trim_start_matches(['.', 'L']);
    let digits = |prefix: &str| {
        name.strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(':'))
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    digits("tmp") || digits("func_begin")
}
