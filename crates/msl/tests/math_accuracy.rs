//! The math library keeps the error bounds of the MSL specification on the interpreter.

use msl::conformance::Interpreter;
use msl::conformance::accuracy::check_math;
use msl::{CompileOptions, FunctionConstantValues, Library, MathMode, NoFiles};

/// Samples per exponent; the devices' own tests take more.
const DENSITY: u32 = 1;

#[test]
fn math_functions_are_as_accurate_as_the_specification_says() {
    let mut executor = Interpreter::new();
    if let Err(failures) = check_math(&mut executor, DENSITY) {
        panic!("\n{failures}");
    }
}

/// The math mode of the standard library's own text is "safe"; what it chooses by is the program's.
#[test]
fn the_forms_of_functions_follow_the_math_mode_of_the_program() {
    let source = "#include <metal_stdlib>\nkernel void f(device float* p) { p[0] = metal::sin(p[0]); }";
    for (math_mode, is_precise) in [(MathMode::Fast, false), (MathMode::Safe, true)] {
        let options = CompileOptions { math_mode, ..CompileOptions::default() };
        let library = Library::open("f.metal", source, &options, &NoFiles).unwrap();
        let module = library.compile(&library.entry_points()[0], &FunctionConstantValues::default()).unwrap().module;
        // The bits of 2/pi are for arguments that are too large for fast math.
        assert_eq!(module.globals.iter().any(|(_, g)| g.name == "two_over_pi"), is_precise, "{math_mode:?}");
    }
}
