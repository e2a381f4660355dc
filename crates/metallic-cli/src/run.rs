//! `metallic run`: one kernel on buffers described by the arguments.

use std::path::PathBuf;

use clap::Args;
use metallic::{Buffer, ParamKind, Scalar, Size, StorageMode};

use crate::{Outcome, check, options, value};

#[derive(Args)]
pub struct Arguments {
    /// Source
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The kernel; may be left out where there is one only
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Threads of the grid
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = options::parse_size)]
    grid: Size,
    /// Threads of a threadgroup
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = options::parse_size)]
    threadgroup: Option<Size>,
    /// A buffer: INDEX=TYPE[COUNT]:FILL (zeros, ones, iota, random, VALUE,… or @FILE), INDEX=@FILE,
    /// or a value by itself: INDEX=TYPE:VALUE
    #[arg(long = "buffer", value_name = "SPEC", value_parser = value::parse_spec)]
    buffers: Vec<value::Spec>,
    /// Bytes of threadgroup memory for an argument
    #[arg(long = "threadgroup-memory", value_name = "INDEX=LENGTH", value_parser = options::parse_pair)]
    threadgroup_memory: Vec<(u32, u32)>,
    /// Print a buffer afterwards; by default those that the kernel writes
    #[arg(long = "print", value_name = "INDEX")]
    print: Vec<u32>,
    /// Elements to print of each buffer
    #[arg(long, default_value_t = 32)]
    count: usize,
    /// Write a buffer to a file afterwards
    #[arg(long = "output", value_name = "INDEX=FILE", value_parser = options::parse_output)]
    outputs: Vec<(u32, PathBuf)>,
    /// Run that often and print times
    #[arg(long, value_name = "TIMES")]
    repeat: Option<usize>,
    #[command(flatten)]
    compile: options::Compile,
    #[command(flatten)]
    target: options::Target,
}

pub fn run(arguments: &Arguments) -> Outcome {
    let device = arguments.target.open()?;
    let text = check::read(&arguments.file)?;
    let library = device.make_library(&text, &arguments.compile.options(&arguments.file.display().to_string()))?;
    let name = match (&arguments.kernel, &library.function_names()[..]) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, names) => return Err(format!("choose one with --kernel: {}", names.join(", ")).into()),
    };
    let function = library.make_function_with_constants(&name, &arguments.compile.constants())?;
    let pipeline = device.make_compute_pipeline_state(&function)?;
    let threadgroup = arguments.threadgroup.unwrap_or_else(|| {
        let most = pipeline.max_total_threads_per_threadgroup();
        pipeline.entry_point().required_threads.map_or(Size::new(most.min(256), 1, 1), Size::from)
    });

    let queue = device.make_command_queue()?;
    let mut buffers: Vec<(&value::Spec, Buffer)> = Vec::new();
    let mut times = Vec::new();
    for _ in 0..arguments.repeat.unwrap_or(1).max(1) {
        let command_buffer = queue.make_command_buffer()?;
        let encoder = command_buffer.make_compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&pipeline)?;
        for spec in &arguments.buffers {
            if let Some((_, buffer)) = buffers.iter().find(|(s, _)| s.index == spec.index) {
                encoder.set_buffer(buffer, 0, spec.index)?;
                continue;
            }
            let (bytes, is_value) = spec.bytes()?;
            if is_value && bytes.len() <= metallic::limits::BYTES {
                encoder.set_bytes(&bytes, spec.index)?;
            } else {
                let buffer = device.make_buffer_with_bytes(&bytes, StorageMode::Shared)?;
                encoder.set_buffer(&buffer, 0, spec.index)?;
                buffers.push((spec, buffer));
            }
        }
        for (index, length) in &arguments.threadgroup_memory {
            encoder.set_threadgroup_memory_length(*length, *index)?;
        }
        encoder.dispatch_threads(arguments.grid, threadgroup)?;
        encoder.end_encoding()?;
        command_buffer.commit()?;
        command_buffer.wait_until_completed()?;
        times.push(command_buffer.gpu_end_time() - command_buffer.gpu_start_time());
    }

    for param in pipeline.reflection() {
        let ParamKind::Buffer { .. } = param.kind else { continue };
        let Some((spec, buffer)) = buffers.iter().find(|(s, _)| s.index == param.index) else { continue };
        let is_written = param.access != metallic::Access::ReadOnly;
        if arguments.print.contains(&param.index) || (arguments.print.is_empty() && is_written) {
            print_buffer(&format!("{} ({})", param.name, param.index), spec.scalar, buffer, arguments.count)?;
        }
    }
    for (index, file) in &arguments.outputs {
        let (_, buffer) =
            buffers.iter().find(|(s, _)| s.index == *index).ok_or(format!("there is no buffer {index}"))?;
        std::fs::write(file, buffer.to_vec::<u8>()?).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if arguments.repeat.is_some() {
        times.sort_by(f64::total_cmp);
        let micro = |time: f64| time * 1e6;
        let median = times[times.len() / 2];
        say!("time: least {:.1} µs, median {:.1} µs of {} runs", micro(times[0]), micro(median), times.len());
    }
    Ok(true)
}

fn print_buffer(name: &str, scalar: Scalar, buffer: &Buffer, count: usize) -> metallic::Result<()> {
    let values = value::decode(scalar, &buffer.to_vec::<u8>()?);
    let more = if values.len() > count { format!(" … ({} in all)", values.len()) } else { String::new() };
    say!("{name}: {}{more}", values[..values.len().min(count)].join(" "));
    Ok(())
}
