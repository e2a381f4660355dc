//! Options that several commands take.

use std::path::PathBuf;

use clap::Args;
use metallic::{CompileOptions, ConstantValue, Device, FunctionConstantValues, Size};

/// How sources are compiled. The short forms are those of Apple's `metal` command.
#[derive(Args)]
pub struct Compile {
    /// Search a directory for included files
    #[arg(short = 'I', value_name = "DIR")]
    include: Vec<PathBuf>,
    /// Define a macro
    #[arg(short = 'D', value_name = "NAME[=VALUE]")]
    define: Vec<String>,
    /// Language version, as in -std=metal3.1
    #[arg(long = "std", value_name = "VERSION", value_parser = parse_version)]
    version: Option<(u32, u32)>,
    /// Compile as written: IEEE arithmetic
    #[arg(long = "no-fast-math")]
    no_fast_math: bool,
    /// Give a function constant a value
    #[arg(long = "constant", value_name = "NAME|INDEX=VALUE", value_parser = parse_constant)]
    constants: Vec<(String, ConstantValue)>,
}

/// Where kernels run or are compiled for.
#[derive(Args)]
pub struct Target {
    /// The device: see `metallic devices`
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
}

impl Compile {
    pub fn options(&self, source_name: &str) -> CompileOptions {
        let define = |text: &String| match text.split_once('=') {
            Some((name, value)) => (name.to_string(), value.to_string()),
            None => (text.clone(), "1".to_string()),
        };
        CompileOptions {
            source_name: source_name.into(),
            fast_math_enabled: !self.no_fast_math,
            language_version: self.version,
            preprocessor_macros: self.define.iter().map(define).collect(),
            include_directories: self.include.clone(),
            ..CompileOptions::default()
        }
    }

    pub fn constants(&self) -> FunctionConstantValues {
        let mut values = FunctionConstantValues::new();
        for (name, value) in &self.constants {
            match name.parse() {
                Ok(index) => values.set(index, value.clone()),
                Err(_) => values.set_with_name(name, value.clone()),
            };
        }
        values
    }
}

impl Target {
    pub fn open(&self) -> metallic::Result<Device> {
        self.device.as_deref().map_or_else(Device::system_default, Device::by_name)
    }
}

/// Options of compilers with one dash and a long name, as the argument parser knows them.
pub fn long_form(argument: String) -> String {
    match argument.as_str() {
        "-std" => "--std".into(),
        "-fno-fast-math" => "--no-fast-math".into(),
        _ => match argument.strip_prefix("-std=") {
            Some(version) => format!("--std={version}"),
            None => argument,
        },
    }
}

/// `64`, `16,16` or `16x16x1`.
pub fn parse_size(text: &str) -> Result<Size, String> {
    let numbers: Result<Vec<u32>, _> = text.split([',', 'x']).map(|n| n.trim().parse()).collect();
    match numbers.as_deref() {
        Ok([x]) => Ok(Size::new(*x, 1, 1)),
        Ok([x, y]) => Ok(Size::new(*x, *y, 1)),
        Ok([x, y, z]) => Ok(Size::new(*x, *y, *z)),
        _ => Err(format!("{text} is no size such as 16,16")),
    }
}

/// What kernels are compiled for where nothing else is said.
pub const THREADGROUP: Size = Size { width: 256, height: 1, depth: 1 };

/// `INDEX=NUMBER`.
pub fn parse_pair(text: &str) -> Result<(u32, u32), String> {
    let parse = || {
        let (index, value) = text.split_once('=')?;
        Some((index.parse().ok()?, value.parse().ok()?))
    };
    parse().ok_or_else(|| format!("{text} is not INDEX=NUMBER"))
}

/// `INDEX=FILE`.
pub fn parse_output(text: &str) -> Result<(u32, PathBuf), String> {
    let parse = || {
        let (index, file) = text.split_once('=')?;
        Some((index.parse().ok()?, file.into()))
    };
    parse().ok_or_else(|| format!("{text} is not INDEX=FILE"))
}

/// `metal3.1`, `macos-metal2.4`, `3.1`.
fn parse_version(text: &str) -> Result<(u32, u32), String> {
    let digits = text.rsplit("metal").next().unwrap_or(text);
    let parse = || {
        let (major, minor) = digits.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    parse().ok_or_else(|| format!("{text} is no language version such as metal3.1"))
}

fn parse_constant(text: &str) -> Result<(String, ConstantValue), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let components: Option<Vec<_>> = value.split(',').map(|v| parse_scalar(v.trim())).collect();
    let mut components = components.ok_or_else(|| format!("{value} is no number, true or false"))?;
    let value = if components.len() == 1 { components.remove(0) } else { ConstantValue::Vector(components) };
    Ok((name.into(), value))
}

fn parse_scalar(text: &str) -> Option<ConstantValue> {
    match text {
        "true" => Some(true.into()),
        "false" => Some(false.into()),
        _ => text
            .parse::<i64>()
            .map(ConstantValue::from)
            .or_else(|_| text.parse::<u64>().map(ConstantValue::from))
            .ok()
            .or_else(|| text.parse::<f64>().ok().map(ConstantValue::from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_constants_are_read() {
        assert_eq!(parse_version("macos-metal2.4"), Ok((2, 4)));
        assert_eq!(parse_version("3.1"), Ok((3, 1)));
        assert!(parse_version("metal").is_err());
        assert_eq!(parse_constant("n=3").unwrap().1, ConstantValue::Int(3));
        assert_eq!(parse_constant("f=1.5").unwrap().1, ConstantValue::Float(1.5));
        assert_eq!(parse_constant("v=1,2").unwrap().1, ConstantValue::Vector(vec![1i64.into(), 2i64.into()]));
        assert_eq!(long_form("-std=metal3.0".into()), "--std=metal3.0");
    }
}
