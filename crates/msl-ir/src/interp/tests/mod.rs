//! The interpreter against computations written independently in Rust.

mod arithmetic;
mod control;
mod faults;
mod memory;
mod threads;

use super::*;

/// A kernel over `u32` buffers `in` and `out`. The body sees the thread's index `%i`, its input
/// `%x`, the pointers `%pin` and `%pout` to its elements and `%in` and `%out`, and constants `%c0`, `%c1`, `%c2`.
fn kernel(items: &str, locals: &str, body: &str) -> String {
    format!(
        "{items}
         fn k(%in: ptr<device, u32>, %out: ptr<device, u32>) -> void {{
           {locals}
           %gid = builtin thread_position_in_grid
           %i = extract %gid, 0
           %pin = ptr_offset %in, %i
           %pout = ptr_offset %out, %i
           %x = load %pin
           %c0: u32 = const 0
           %c1: u32 = const 1
           %c2: u32 = const 2
           {body}
         }}
         kernel k = @k {{ in: buffer 0 device read_write u32 out: buffer 1 device read_write u32 }}"
    )
}

fn module(text: &str) -> Module {
    text::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Runs a kernel made by [`kernel`] with one thread per input; gives `out`.
fn run_with(text: &str, options: Options, input: &[u32], threadgroup: u32) -> Result<Vec<u32>, Fault> {
    let module = module(text);
    let mut machine = Machine::new(&module, "k", options).unwrap_or_else(|e| panic!("{e}"));
    let mut input = input.to_vec();
    let mut out = vec![0u32; input.len()];
    let threads = input.len() as u32;
    machine.bind(0, Argument::Buffer(BufferRef::of(&mut input)));
    machine.bind(1, Argument::Buffer(BufferRef::of(&mut out)));
    machine.dispatch([threads, 1, 1], [threadgroup, 1, 1], DispatchKind::Threads)?;
    drop(machine);
    Ok(out)
}

fn run(text: &str, input: &[u32], threadgroup: u32) -> Vec<u32> {
    run_with(text, Options::default(), input, threadgroup).unwrap_or_else(|e| panic!("{e}"))
}

fn fault(text: &str, options: Options, input: &[u32], threadgroup: u32) -> Fault {
    run_with(text, options, input, threadgroup).expect_err("the kernel faults")
}
