//! The math library keeps the error bounds of the MSL specification on the interpreter.

use msl::conformance::Interpreter;
use msl::conformance::accuracy::check_math;

/// Samples per exponent; the devices' own tests take more.
const DENSITY: u32 = 1;

#[test]
fn math_functions_are_as_accurate_as_the_specification_says() {
    let mut executor = Interpreter::new();
    if let Err(failures) = check_math(&mut executor, DENSITY) {
        panic!("\n{failures}");
    }
}
