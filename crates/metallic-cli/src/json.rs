//! Results as JSON, on one line.

use metallic::{Access, ComputePipelineState, Diagnostic, HostType, Param, ParamKind, Place};
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
            ("buffer", format!("{kind} {}{sign}", type_name(element)))
        }
        ParamKind::Threadgroup { element } => ("threadgroup", format!("threadgroup {}*", type_name(element))),
        ParamKind::Texture { dimension, component, array_len } => {
            let array = if *array_len > 0 { format!("[{array_len}]") } else { String::new() };
            ("texture", format!("{dimension:?}<{}>{array}", component.name()))
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

fn type_name(ty: &HostType) -> String {
    match ty {
        HostType::Scalar(s) => s.name().into(),
        HostType::Vector { elem, len, size } => {
            let is_packed = *len == 3 && *size == 3 * elem.size();
            format!("{}{}x{len}", if is_packed { "packed " } else { "" }, elem.name())
        }
        HostType::Matrix { elem, columns, rows, .. } => format!("{}x{columns}x{rows}", elem.name()),
        HostType::Array { elem, len, .. } => format!("{}[{len}]", type_name(elem)),
        HostType::Struct { name, .. } => name.to_string(),
        HostType::Pointer => "pointer".into(),
        HostType::Texture => "texture".into(),
        HostType::Sampler => "sampler".into(),
        HostType::Other { size, .. } => format!("{size} bytes"),
    }
}
