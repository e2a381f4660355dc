//! Errors of the driver and fault records, as the layer above knows them.

use std::sync::Arc;

use metallic_hal::{Argument, Dispatch, Error, Fault, Pipeline};
use msl_codegen_llvm::FaultKind;

use crate::pipeline::{CudaPipeline, Variant};

pub fn fault(label: Option<&str>, error: &Error) -> Fault {
    Fault { kernel: label.map(str::to_string), ..Fault::new(error.to_string()) }
}

/// What a thread reported before it ended.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub site: u32,
    pub dispatch: u32,
    pub thread: [u32; 3],
    pub offset: u64,
}

/// By parameter: how many bytes are bound.
pub fn lengths(dispatch: &Dispatch) -> Box<[Option<u64>]> {
    let length = |argument: &Argument| match argument {
        Argument::Buffer { buffer, offset } => Some(buffer.length().saturating_sub(*offset)),
        Argument::Bytes(bytes) => Some(bytes.len() as u64),
        Argument::Unbound | Argument::Textures(_) | Argument::Sampler(_) | Argument::Threadgroup { .. } => None,
    };
    dispatch.arguments.iter().map(length).collect()
}

/// What a record of a launch means.
pub fn describe(
    pipeline: &Arc<dyn Pipeline>,
    variant: &Variant,
    label: &str,
    lengths: &[Option<u64>],
    record: Record,
) -> Fault {
    let kernel = Some(label.to_string());
    let pipeline: &dyn std::any::Any = &**pipeline;
    let (Some(site), Some(pipeline)) =
        (variant.kernel.sites.get(record.site as usize), pipeline.downcast_ref::<CudaPipeline>())
    else {
        return Fault { kernel, ..Fault::new("the kernel failed at an unknown place") };
    };
    let action = match site.kind {
        FaultKind::Read => "read",
        FaultKind::Write => "write",
        FaultKind::Atomic => "atomic operation",
        FaultKind::Trap => "trap",
        FaultKind::Barrier => "barrier",
    };
    let param = site.param.map(|p| p as usize);
    let argument = param.and_then(|p| pipeline.source.entry_point().params.get(p)).map(|p| p.name.to_string());
    let length = param.and_then(|p| lengths.get(p).copied().flatten());
    let offset = record.offset;
    let message = match (&site.message, site.kind, length) {
        (Some(message), ..) => message.clone(),
        (None, FaultKind::Trap, _) => "the kernel stopped itself".into(),
        (None, _, Some(length)) => format!("{action} at byte {} of {length}", offset as i64),
        (None, _, None) if site.param.is_some() => format!("{action} at byte {} out of bounds", offset as i64),
        (None, _, None) => format!("{action} at address {offset:#x}, where no buffer is"),
    };
    let id = match site.kind {
        FaultKind::Trap => "trap",
        FaultKind::Barrier => "divergent-barrier",
        _ if site.param.is_none() && site.message.is_none() => "invalid-pointer",
        FaultKind::Read | FaultKind::Write | FaultKind::Atomic => "out-of-bounds",
    };
    let location = pipeline.source.location(site.span).map(String::into_boxed_str);
    Fault { id, message, kernel, argument, location, thread: Some(record.thread) }
}
