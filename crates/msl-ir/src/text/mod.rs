//! The text form of a [`Module`](crate::Module): printed for people, parsed by tests.
//!
//! In: a module, or text. Out: text, or a module. Promised: `print(parse(print(m))) == print(m)`
//! for every module, ids included. Not promised: that a parsed module is well formed (see
//! [`verify`](crate::verify)); spans survive only as comments.
//!
//! # Form
//!
//! A text is a list of items: `struct`, `global`, `fn` and `kernel`. `//` and `;` start a
//! comment. Items may refer to later ones. White space has no meaning.
//!
//! ```text
//! struct Particle size 32 align 16 {
//!   position: vec3<f32> @0
//!   mass: f32 @16
//! }
//! global weights: array<f32, 2> constant align 4 = x"0000803f00000040"
//! global tile: array<f32, 64> threadgroup align 4
//! global second: ptr<constant, f32> constant align 8 = x"", 0: @weights 4
//! ```
//!
//! Types: `void`, `bool i8 u8 i16 u16 i32 u32 i64 u64 f16 bf16 f32`, `vec3<f32>`,
//! `packed_vec3<f32>`, `array<f32, 4>`, `ptr<device, f32>` (spaces `thread device constant
//! threadgroup`), and structures by name. A structure, global or function is referred to by its
//! name, with `@` before the latter two; where the name is not an identifier or not unique, by
//! its id (`struct3`, `global1`, `fn2`), and then the declaration is `fn fn2 "operator+"(…)`.
//!
//! Values are `%name` or `%12` (a number is kept as the id), labels are `l2` or any name,
//! locals are declared first in a function, `local3 x: f32 align 4` (the id and the name) or
//! `local x: f32`, and referred to by either. An instruction that has a value reads
//! `%12: f32 = op operands`; the type may be left out where the operands imply it. `align`
//! defaults to the natural alignment. Float flags follow the operation: `add.fast`,
//! `mul.contract`.
//!
//! ```text
//! const 1.5                     undef                       splat %a
//! compose %a, %b                extract %v, 2               extract_dyn %v, %i
//! insert %v, %x, 1              insert_dyn %v, %x, %i       shuffle %v, [0, 0, 1]
//! neg … (UnaryOp)               add … (BinaryOp)            eq ne lt le gt ge
//! select %c, %a, %b             fma %a, %b, %c              convert %a      bitcast %a
//! param 0                       local_addr local3           global_addr @tile
//! field_addr %p, 1              index_addr %p, %i           ptr_offset %p, %i
//! ptr_cast %p    ptr_diff %p, %q    ptr_to_int %p    int_to_ptr %i    assume_valid %p
//! load %p align 4               load.volatile %p            store %p, %v align 4
//! copy %dst, %src align 4       atomic.add %p, %v device    atomic.load %p threadgroup
//! compare_exchange %p, %expected, %desired device           fence device [device threadgroup]
//! builtin thread_position_in_grid                           barrier threadgroup [threadgroup]
//! simd.reduce_add %a            log @format, %a, %b         trap "message"
//! call @helper(%a, %b)
//! if %c { … } else { … }        loop l0 unroll 4 { … } continuing { … }
//! switch l1 %v { case 1, 2 { … } case default { … } }       scope l2 { … }
//! break l1     continue l0      return %x                   unreachable
//! ```
//!
//! Float constants are decimal, or bits when written in hexadecimal. Parameters may be named in
//! the header, `fn f(%a: f32)`, which stands for `%a = param 0` at the start of a body that uses it.
//!
//! # Examples
//!
//! A complete vector addition:
//!
//! ```text
//! fn vector_add(%a: ptr<device, f32>, %b: ptr<device, f32>, %out: ptr<device, f32>) -> void {
//!   %gid = builtin thread_position_in_grid
//!   %i = extract %gid, 0
//!   %pa = ptr_offset %a, %i
//!   %pb = ptr_offset %b, %i
//!   %po = ptr_offset %out, %i
//!   %x = load %pa
//!   %y = load %pb
//!   %sum = add.contract %x, %y
//!   store %po, %sum
//! }
//! kernel vector_add = @vector_add {
//!   a: buffer 0 device read f32
//!   b: buffer 1 device read f32
//!   out: buffer 2 device read_write f32
//! }
//! ```
//!
//! The sum of each threadgroup of 64 threads, with a loop and barriers:
//!
//! ```text
//! global tile: array<f32, 64> threadgroup
//!
//! fn reduce(%in: ptr<device, f32>, %out: ptr<device, f32>) -> void {
//!   local stride: u32
//!   %gid = builtin thread_position_in_grid
//!   %i = extract %gid, 0
//!   %lid = builtin thread_index_in_threadgroup
//!   %tile = global_addr @tile
//!   %mine = index_addr %tile, %lid
//!   %pin = ptr_offset %in, %i
//!   %x = load %pin
//!   store %mine, %x
//!   barrier threadgroup [threadgroup]
//!   %stride = local_addr stride
//!   %s0: u32 = const 32
//!   store %stride, %s0
//!   %zero: u32 = const 0
//!   %one: u32 = const 1
//!   loop halve {
//!     %s = load %stride
//!     %done = eq %s, %zero
//!     if %done { break halve }
//!     %active = lt %lid, %s
//!     if %active {
//!       %j = add %lid, %s
//!       %other = index_addr %tile, %j
//!       %u = load %mine
//!       %v = load %other
//!       %w = add %u, %v
//!       store %mine, %w
//!     }
//!     barrier threadgroup [threadgroup]
//!   } continuing {
//!     %s1 = load %stride
//!     %s2 = shr %s1, %one
//!     store %stride, %s2
//!   }
//!   %first = eq %lid, %zero
//!   if %first {
//!     %gp = builtin threadgroup_position_in_grid
//!     %g = extract %gp, 0
//!     %po = ptr_offset %out, %g
//!     %total = load %mine
//!     store %po, %total
//!   }
//! }
//! kernel reduce = @reduce max_threads 64 {
//!   in: buffer 0 device read f32
//!   out: buffer 1 device read_write f32
//! }
//! ```

mod lex;
mod names;
mod parse;
mod parse_inst;
mod print;
#[cfg(test)]
mod tests;

pub use names::Spelled;
pub use parse::{ParseError, parse};
pub use print::{print, print_function, print_inst, print_type, print_with_spans};
