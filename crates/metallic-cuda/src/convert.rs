//! Errors of the driver and fault records, as the layer above knows them.

use metallic_hal::{Argument, Dispatch, Error, Fault};
use msl_codegen_llvm::{FaultKind, FaultSite};

use crate::pipeline::CudaPipeline;

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

/// What a record means, kept for a launch until it is complete.
pub struct Launched {
    pub pipeline: std::sync::Arc<dyn metallic_hal::Pipeline>,
    pub sites: Vec<FaultSite>,
    pub label: std::sync::Arc<str>,
    /// By parameter: how many bytes are bound.
    pub lengths: Vec<Option<u64>>,
}

pub fn lengths(dispatch: &Dispatch) -> Vec<Option<u64>> {
    let length = |argument: &Argument| match argument {
        Argument::Buffer { buffer, offset } => Some(buffer.length().saturating_sub(*offset)),
        Argument::Bytes(bytes) => Some(bytes.len() as u64),
        Argument::Unbound | Argument::Textures(_) | Argument::Sampler(_) | Argument::Threadgroup { .. } => None,
    };
    dispatch.arguments.iter().map(length).collect()
}

impl Launched {
    pub fn describe(&self, record: Record) -> Fault {
        let kernel = Some(self.label.to_string());
        let pipeline: &dyn std::any::Any = &*self.pipeline;
        let (Some(site), Some(pipeline)) =
            (self.sites.get(record.site as usize), pipeline.downcast_ref::<CudaPipeline>())
        else {
            return Fault { kernel, ..Fault::new("the kernel failed at an unknown place") };
        };
        let action = match site.kind {
            FaultKind::Read => "read",
            FaultKind::Write => "write",
            FaultKind::Atomic => "atomic operation",
            FaultKind::Trap => "trap",
        };
        let param = site.param.map(|p| p as usize);
        let argument = param.and_then(|p| pipeline.source.entry_point().params.get(p)).map(|p| p.name.to_string());
        let length = param.and_then(|p| self.lengths.get(p).copied().flatten());
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
            _ if site.param.is_none() => "invalid-pointer",
            FaultKind::Read | FaultKind::Write | FaultKind::Atomic => "out-of-bounds",
        };
        let location = pipeline.source.location(site.span).map(String::into_boxed_str);
        Fault { id, message, kernel, argument, location, thread: Some(record.thread) }
    }
}
