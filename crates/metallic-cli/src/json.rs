//! Results as JSON, on one line.

use metallic::{Access, ComputePipelineState, Diagnostic, Param, ParamKind, Place};
use msl::json::quoted;

pub fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(", "))
}

pub fn diagnostic(d: &Diagnostic) -> String {
    let severity = if d.is_error { "error" } else { "warning" };
    let notes =
        list(&d.notes, |n| format!("{{\"message\": {}, \"place\": {}}}", quoted(&n.message), place(n.place.as_ref())));
    let help = d.help.as_deref().map_or("null".into(), quoted);
    format!(
        "{{\"id\": {}, \"severity\": \"{severity}\", \"message\": {}, \"place\": {}, \"notes\": {notes}, \"help\": {help}}}",
        quoted(&d.id),
        quoted(&d.message),
        place(d.place.as_ref())
    )
}

fn place(place: Option<&Place>) -> String {
    match place {
        None => "null".into(),
        Some(p) => format!(
            "{{\"file\": {}, \"line\": {}, \"column\": {}, \"end_line\": {}, \"end_column\": {}}}",
            quoted(&p.file),
            p.line,
            p.column,
            p.end_line,
            p.end_column
        ),
    }
}

pub fn bindings(pipeline: &ComputePipelineState) -> String {
    list(pipeline.reflection(), binding)
}

fn binding(param: &Param) -> String {
    let (kind, ty) = match &param.kind {
        ParamKind::Buffer { is_constant, is_reference, element } => {
            let kind = if *is_constant { "constant" } else { "device" };
            let sign = if *is_reference { '&' } else { '*' };
            ("buffer", format!("{kind} {}{sign}", element.msl_name()))
        }
        ParamKind::Threadgroup { element } => ("threadgroup", format!("threadgroup {}*", element.msl_name())),
        ParamKind::Texture { dimension, component, array_len } => {
            let one = format!("{}<{}>", dimension.msl_name(), component.msl_name());
            ("texture", if *array_len > 1 { format!("array<{one}, {array_len}>") } else { one })
        }
        ParamKind::Sampler => ("sampler", "sampler".into()),
    };
    let access = match param.access {
        Access::ReadOnly => "read",
        Access::WriteOnly => "write",
        Access::ReadWrite => "read_write",
    };
    format!(
        "{{\"name\": {}, \"kind\": \"{kind}\", \"index\": {}, \"type\": {}, \"access\": \"{access}\", \"used\": {}}}",
        quoted(param.name.as_str()),
        param.index,
        quoted(&ty),
        param.used
    )
}
