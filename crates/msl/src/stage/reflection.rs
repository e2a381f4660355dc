//! Entry points as text: what a host is told.

use std::fmt::Write;

use msl_ir::{EntryPoint, HostType, Module, ParamKind};

pub fn print(module: &Module) -> String {
    let mut out = String::new();
    for entry in &module.entry_points {
        print_entry(&mut out, entry);
    }
    out
}

fn print_entry(out: &mut String, entry: &EntryPoint) {
    let _ = writeln!(out, "kernel {}", entry.name);
    if let Some(limit) = entry.max_total_threads {
        let _ = writeln!(out, "  max_total_threads_per_threadgroup {limit}");
    }
    if let Some([x, y, z]) = entry.required_threads {
        let _ = writeln!(out, "  required_threads_per_threadgroup {x} {y} {z}");
    }
    for param in &entry.params {
        let used = if param.used { "" } else { ", unused" };
        let (table, detail) = match &param.kind {
            ParamKind::Buffer { is_constant, is_reference, element } => {
                let space = if *is_constant { "constant" } else { "device" };
                let form = if *is_reference { "one " } else { "" };
                ("buffer", format!("{space} {form}{}", host_type(element, 2)))
            }
            ParamKind::Threadgroup { element } => ("threadgroup", host_type(element, 2)),
            ParamKind::Texture { dimension, component, array_len } => {
                let count = if *array_len > 1 { format!(" x {array_len}") } else { String::new() };
                ("texture", format!("{dimension:?} of {}{count}", component.name()))
            }
            ParamKind::Sampler => ("sampler", String::new()),
        };
        let detail = if detail.is_empty() { detail } else { format!(" {detail}") };
        let access = format!("{:?}", param.access);
        let _ = writeln!(out, "  {table} {} {}:{detail}, {access}{used}", param.index, param.name);
    }
}

fn host_type(ty: &HostType, indent: usize) -> String {
    match ty {
        HostType::Scalar(s) => s.name().to_owned(),
        HostType::Vector { elem, len, size } => format!("{}x{len} ({size} bytes)", elem.name()),
        HostType::Matrix { elem, columns, rows, size } => format!("{}x{columns}x{rows} ({size} bytes)", elem.name()),
        HostType::Array { elem, len, stride } => format!("[{len} x {}, stride {stride}]", host_type(elem, indent)),
        HostType::Struct { name, size, align, fields } => {
            let mut out = format!("{name} ({size} bytes, align {align}) {{\n");
            let pad = "  ".repeat(indent);
            for f in fields {
                let _ = writeln!(out, "{pad}  +{} {}: {}", f.offset, f.name, host_type(&f.ty, indent + 1));
            }
            out.push_str(&pad);
            out.push('}');
            out
        }
        HostType::Pointer => "pointer".into(),
        HostType::Texture => "texture".into(),
        HostType::Sampler => "sampler".into(),
        HostType::FunctionTable { function } => format!("visible_function_table<{function}>"),
        HostType::Other { size, align } => format!("opaque ({size} bytes, align {align})"),
    }
}
