//! Directives: the comments of a test file to steps.

use msl_ir::{SamplerState, Scalar};

use super::texture::{self, Texture};
use super::value::{Number, TypedValues, scalar_named};
use crate::{CompileOptions, ConstantValue, MathMode};

/// One test: a source and what to do with it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file, and the name after `//---` where there is one.
    pub name: String,
    /// Lines before the case are kept as blank lines, so that messages name lines of the file.
    pub source: String,
    pub options: CompileOptions,
    pub directives: Vec<Directive>,
    /// The diagnostic that compiling must give.
    pub error: Option<String>,
    /// What is rejected serves graphics alone.
    pub is_graphics: bool,
    /// Where else the feature is shown, instead of here: a file from the root of the repository and the name of a case.
    pub see: Option<String>,
    pub known_failure: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Directive {
    pub line: usize,
    pub step: Step,
}

#[derive(Clone, Debug)]
pub enum Step {
    Buffer(u32, Vec<u8>),
    Texture(u32, Texture),
    Sampler(u32, SamplerState),
    Threadgroup(u32, u32),
    Constant(String, ConstantValue),
    /// The next dispatch must fail with a message that holds this.
    Fault(String),
    Dispatch {
        kernel: String,
        size: [u32; 3],
        is_groups: bool,
        threadgroup: [u32; 3],
    },
    Expect {
        is_texture: bool,
        index: u32,
        start: usize,
        values: TypedValues,
        tolerance: Tolerance,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    Exact,
    /// Of the greater of 1 and the expected magnitude.
    Within(f64),
}

/// What the kernel of a small case is called.
pub const CONVENTIONAL_KERNEL: &str = "f";

/// Splits a file into cases.
pub fn parse_file(name: &str, text: &str) -> Result<Vec<Case>, String> {
    let new_case = |name: String| Case {
        name,
        source: String::new(),
        options: CompileOptions::default(),
        directives: Vec::new(),
        error: None,
        is_graphics: false,
        see: None,
        known_failure: None,
    };
    let mut cases = vec![new_case(name.to_owned())];
    let mut shared = String::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(part) = line.strip_prefix("//---") {
            // What stands before the first mark is a heading, whose code every case begins with, unless it is a case.
            if cases.len() == 1 && cases[0].directives.is_empty() && cases[0].error.is_none() && shared.is_empty() {
                shared = cases.pop().map(|c| c.source).unwrap_or_default();
            }
            let mut case = new_case(format!("{name} ({})", part.trim()));
            case.source = shared.clone();
            case.source += &"\n".repeat(number - shared.lines().count());
            cases.push(case);
        }
        let Some(case) = cases.last_mut() else { continue };
        case.source.push_str(line);
        case.source.push('\n');
        if let Some(comment) = line.trim_start().strip_prefix("//") {
            directive(case, number + 1, comment.trim()).map_err(|e| format!("{name}:{}: {e}", number + 1))?;
        }
    }
    Ok(cases)
}

fn directive(case: &mut Case, line: usize, text: &str) -> Result<(), String> {
    let Some((head, rest)) = text.split_once(':') else { return Ok(()) };
    let rest = rest.trim();
    let (word, argument) = head.split_once(' ').unwrap_or((head, ""));
    let argument = argument.trim();
    let step = match (word, argument) {
        ("options", "") => return options(&mut case.options, rest),
        ("error", "") => {
            case.error = Some(rest.to_owned());
            return Ok(());
        }
        ("graphics-only", "") => {
            (case.error, case.is_graphics) = (Some(rest.to_owned()), true);
            return Ok(());
        }
        ("see", "") => {
            case.see = Some(rest.to_owned());
            return Ok(());
        }
        ("known", "failure") => {
            case.known_failure = Some(rest.to_owned());
            return Ok(());
        }
        ("fault", "") => Step::Fault(rest.to_owned()),
        ("dispatch", "") => dispatch(rest)?,
        ("gives", _) => {
            let (values, tolerance) = typed_values(rest)?;
            let threads = if argument.is_empty() { 1 } else { index(argument)? };
            let (kernel, size) = (CONVENTIONAL_KERNEL.to_owned(), [threads, 1, 1]);
            for step in [
                Step::Buffer(0, vec![0; values.to_bytes().len()]),
                Step::Dispatch { kernel, size, is_groups: false, threadgroup: size },
            ] {
                case.directives.push(Directive { line, step });
            }
            Step::Expect { is_texture: false, index: 0, start: 0, values, tolerance }
        }
        ("buffer", _) => {
            let (values, _) = typed_values(rest)?;
            Step::Buffer(index(argument)?, values.to_bytes())
        }
        ("texture", _) => Step::Texture(index(argument)?, Texture::parse(rest)?),
        ("sampler", _) => Step::Sampler(index(argument)?, texture::parse_sampler(rest)?),
        ("threadgroup", _) => Step::Threadgroup(index(argument)?, index(rest)?),
        ("constant", name) if !name.is_empty() && !name.contains(' ') => {
            let (values, _) = typed_values(rest)?;
            let [(scalar, number)] = values.0[..] else { return Err("a constant has one value".into()) };
            Step::Constant(name.to_owned(), constant_value(scalar, number))
        }
        ("expect", _) => {
            let of_texture = argument.strip_prefix("texture ");
            let argument = of_texture.unwrap_or(argument);
            let (index_text, start) = match argument.split_once('[') {
                Some((i, s)) => (i, s.trim_end_matches(']').parse().map_err(|_| "bad start element")?),
                None => (argument, 0),
            };
            let (values, tolerance) = typed_values(rest)?;
            Step::Expect { is_texture: of_texture.is_some(), index: index(index_text)?, start, values, tolerance }
        }
        // Prose.
        _ => return Ok(()),
    };
    case.directives.push(Directive { line, step });
    Ok(())
}

fn index(text: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| format!("'{text}' is not a number"))
}

/// `f32 = …` or `f32 ~ 1e-5 = …`.
fn typed_values(text: &str) -> Result<(TypedValues, Tolerance), String> {
    let (head, values) = text.split_once('=').ok_or("expected 'TYPE = VALUES'")?;
    let (ty, tolerance) = match head.split_once('~') {
        Some((ty, t)) => (ty, Tolerance::Within(t.trim().parse().map_err(|_| format!("'{t}' is not a tolerance"))?)),
        None => (head, Tolerance::Exact),
    };
    let scalar = scalar_named(ty.trim()).ok_or_else(|| format!("'{}' is not a type", ty.trim()))?;
    Ok((TypedValues::parse(scalar, values)?, tolerance))
}

fn constant_value(scalar: Scalar, number: Number) -> ConstantValue {
    let bytes = TypedValues(vec![(scalar, number)]).to_bytes();
    let mut raw = [0; 8];
    raw[..bytes.len()].copy_from_slice(&bytes);
    ConstantValue::scalar(scalar, u64::from_le_bytes(raw))
}

fn dispatch(text: &str) -> Result<Step, String> {
    let mut words = text.split_whitespace();
    let kernel = words.next().ok_or("expected a kernel")?.to_owned();
    let (mut size, mut is_groups, mut threadgroup) = (None, false, [1, 1, 1]);
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("expected 'key=value', found '{word}'"))?;
        match key {
            "grid" => size = Some(extent(value)?),
            "groups" => (size, is_groups) = (Some(extent(value)?), true),
            "threadgroup" => threadgroup = extent(value)?,
            _ => return Err(format!("unknown word '{key}' of a dispatch")),
        }
    }
    let size = size.ok_or("a dispatch needs 'grid=' or 'groups='")?;
    Ok(Step::Dispatch { kernel, size, is_groups, threadgroup })
}

fn extent(text: &str) -> Result<[u32; 3], String> {
    let mut out = [1; 3];
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() > 3 {
        return Err(format!("'{text}' has more than three dimensions"));
    }
    for (slot, part) in out.iter_mut().zip(parts) {
        *slot = index(part)?;
    }
    Ok(out)
}

fn options(options: &mut CompileOptions, text: &str) -> Result<(), String> {
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("expected 'key=value', found '{word}'"))?;
        match (key, value) {
            ("std", version) => {
                let parsed = version.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                options.language_version = parsed.ok_or_else(|| format!("'{version}' is not a version"))?;
            }
            ("math", "safe") => options.math_mode = MathMode::Safe,
            ("math", "relaxed") => options.math_mode = MathMode::Relaxed,
            ("math", "fast") => options.math_mode = MathMode::Fast,
            ("define", definition) => {
                let (name, value) = definition.split_once('=').unwrap_or((definition, "1"));
                options.defines.push((name.to_owned(), Some(value.to_owned())));
            }
            _ => return Err(format!("unknown option '{word}'")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_steps_and_prose_is_left_alone() {
        let text = "\
// Doubles: each element.
// options: math=safe std=3.1 define=N=4
// buffer 0: f32 = iota(4)
// dispatch: f groups=2,1 threadgroup=2
// expect 0[1]: f32 ~ 1e-6 = 2 4 6
kernel void f() {}
";
        let cases = parse_file("a.metal", text).unwrap();
        let [case] = &cases[..] else { panic!() };
        assert_eq!(case.options.math_mode, MathMode::Safe);
        assert_eq!(case.options.language_version, (3, 1));
        assert_eq!(case.directives.len(), 3);
        assert!(matches!(
            &case.directives[1].step,
            Step::Dispatch { size: [2, 1, 1], is_groups: true, threadgroup: [2, 1, 1], .. }
        ));
        assert_eq!(case.directives[2].line, 5);
    }

    #[test]
    fn a_file_holds_several_cases_with_the_lines_of_the_file() {
        let text = "// Heading.\n//--- one\n// error: x\nint a;\n//--- two\n// known failure: not yet\nint b;\n";
        let cases = parse_file("a.metal", text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].name, "a.metal (one)");
        assert_eq!(cases[0].error.as_deref(), Some("x"));
        assert_eq!(cases[1].source.lines().position(|l| l == "int b;"), Some(6));
        assert_eq!(cases[1].known_failure.as_deref(), Some("not yet"));
    }

    #[test]
    fn the_code_of_a_heading_is_shared_and_results_can_be_given_at_once() {
        let text = "// Heading.\nint a;\n//--- one\n// gives 4: i32 = 1 2 3\nint b;\n//--- two\n// graphics-only: x\n";
        let cases = parse_file("a.metal", text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].source.lines().position(|l| l == "int a;"), Some(1));
        assert_eq!(cases[0].source.lines().position(|l| l == "int b;"), Some(4));
        assert_eq!(cases[1].source.lines().position(|l| l == "int a;"), Some(1));
        assert_eq!(cases[1].source.lines().position(|l| l == "//--- two"), Some(5));
        assert!(cases[1].is_graphics && cases[1].error.as_deref() == Some("x"));
        let [Directive { step: Step::Buffer(0, zeros), .. }, dispatch, expect] = &cases[0].directives[..] else {
            panic!()
        };
        assert_eq!(zeros.len(), 12);
        assert!(matches!(&dispatch.step, Step::Dispatch { kernel, size: [4, 1, 1], .. } if kernel == "f"));
        assert!(matches!(&expect.step, Step::Expect { index: 0, start: 0, .. }));
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = parse_file("a.metal", "\n// buffer 0: f33 = 1\n").unwrap_err();
        assert_eq!(error, "a.metal:2: 'f33' is not a type");
    }
}
