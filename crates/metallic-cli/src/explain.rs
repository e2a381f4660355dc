//! `metallic explain`: what the code generator made of each line of a kernel, and what to change.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use metallic::hal::Explanation;
use metallic::hal::explain::Remark;
use msl::json::quoted;

use crate::{Outcome, check, json, options};

#[derive(Args)]
pub struct Arguments {
    /// Source
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Kernels of it; otherwise all
    #[arg(value_name = "KERNEL")]
    kernels: Vec<String>,
    /// Print one JSON object per kernel and line
    #[arg(long)]
    json: bool,
    /// The size of threadgroups; code is made for one
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = options::parse_size)]
    threadgroup: Option<metallic::Size>,
    #[command(flatten)]
    compile: options::Compile,
    #[command(flatten)]
    target: options::Target,
}

pub fn explain(arguments: &Arguments) -> Outcome {
    let name = arguments.file.display().to_string();
    let text = check::read(&arguments.file)?;
    let device = arguments.target.open()?;
    let mut options = arguments.compile.options(&name);
    options.checks_bodies = false;
    let library = device.make_library(&text, &options)?;
    let kernels = if arguments.kernels.is_empty() { library.function_names() } else { arguments.kernels.clone() };
    let size = arguments.threadgroup.unwrap_or(options::THREADGROUP);
    for kernel in kernels {
        let function = library.make_function_with_constants(&kernel, &arguments.compile.constants())?;
        let explanation = device.explain(&function, size)?;
        let page = Page { file: &name, text: &text, kernel: &kernel, size: size.to_array(), explanation: &explanation };
        check::print(&if arguments.json { page.as_json() } else { page.as_text() });
    }
    Ok(true)
}

/// What is printed about one kernel.
struct Page<'a> {
    file: &'a str,
    text: &'a str,
    kernel: &'a str,
    size: [u32; 3],
    explanation: &'a Explanation,
}

impl Page<'_> {
    fn remarks_at(&self, line: u32) -> Vec<&Remark> {
        let here = |r: &&Remark| r.location.as_ref().is_some_and(|place| place.file == self.file && place.line == line);
        self.explanation.remarks.iter().filter(here).collect()
    }

    /// Remarks about included files, and about nothing in particular.
    fn elsewhere(&self) -> Vec<&Remark> {
        let there = |r: &&Remark| r.location.as_ref().is_none_or(|place| place.file != self.file);
        self.explanation.remarks.iter().filter(there).collect()
    }

    /// Lines of the file from the first to the last that something is known of.
    fn lines(&self) -> Vec<(u32, &str)> {
        let places = self.explanation.remarks.iter().filter_map(|r| r.location.as_ref());
        let remarked = places.filter(|place| place.file == self.file).map(|place| place.line);
        let computing = self.explanation.values.iter().filter(|v| v.file == self.file).map(|v| v.line);
        let known: BTreeSet<u32> = remarked.chain(computing).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else { return Vec::new() };
        let numbered = (1u32..).zip(self.text.lines());
        numbered.filter(|(number, _)| (first..=last).contains(&number)).collect()
    }

    fn forms_at(&self, line: u32) -> &[(String, usize)] {
        let here = self.explanation.values.iter().find(|v| v.file == self.file && v.line == line);
        here.map_or(&[], |v| v.forms.as_slice())
    }

    fn as_text(&self) -> String {
        let [x, y, z] = self.size;
        let mut out = format!("{}: kernel {}, threadgroups of {x}x{y}x{z}\n", self.file, self.kernel);
        for sentence in &self.explanation.summary {
            let _ = writeln!(out, "  {sentence}");
        }
        for (number, line) in self.lines() {
            let _ = writeln!(out, "{number:5} | {line}");
            let forms: Vec<String> = self.forms_at(number).iter().map(|(form, n)| format!("{n} {form}")).collect();
            if !forms.is_empty() {
                let _ = writeln!(out, "      |     values: {}", forms.join(", "));
            }
            let remarks = self.remarks_at(number);
            let same = |a: &Remark, b: &Remark| a.id == b.id && a.message == b.message;
            for (i, remark) in remarks.iter().enumerate() {
                if remarks[..i].iter().any(|r| same(r, remark)) {
                    continue;
                }
                let times = remarks[i..].iter().filter(|r| same(r, remark)).count();
                write_remark(&mut out, "      |", remark, times);
            }
        }
        for remark in self.elsewhere() {
            let place = remark.location.as_ref().map(|place| format!("{}:{}:", place.file, place.line));
            write_remark(&mut out, place.as_deref().unwrap_or(" "), remark, 1);
        }
        out.push('\n');
        out
    }

    fn as_json(&self) -> String {
        let lines: Vec<(u32, &str)> = self.lines();
        let lines = json::list(&lines, |(number, line)| {
            let forms: Vec<String> =
                self.forms_at(*number).iter().map(|(form, n)| format!("{}: {n}", quoted(form))).collect();
            format!(
                "{{\"line\": {number}, \"text\": {}, \"values\": {{{}}}, \"remarks\": {}}}",
                quoted(line),
                forms.join(", "),
                json::list(&self.remarks_at(*number), |remark| as_json(remark))
            )
        });
        let size = json::list(&self.size, u32::to_string);
        format!(
            "{{\"file\": {}, \"kernel\": {}, \"threadgroup\": {size}, \"summary\": {}, \"lines\": {lines}, \"elsewhere\": {}}}\n",
            quoted(self.file),
            quoted(self.kernel),
            json::list(&self.explanation.summary, |sentence| quoted(sentence)),
            json::list(&self.elsewhere(), |remark| as_json(remark))
        )
    }
}

/// A remark that costs speed is marked, and says what to do on a line of its own.
fn write_remark(out: &mut String, margin: &str, remark: &Remark, times: usize) {
    let sign = if remark.help.is_some() { '!' } else { '+' };
    let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
    let _ = writeln!(out, "{margin}   {sign} {}{times} [{}]", remark.message, remark.id);
    if let Some(help) = &remark.help {
        let _ = writeln!(out, "{margin}       help: {help}");
    }
}

fn as_json(remark: &Remark) -> String {
    let (file, line, column) = match &remark.location {
        Some(place) => (quoted(&place.file), place.line.to_string(), place.column.to_string()),
        None => ("null".into(), "null".into(), "null".into()),
    };
    format!(
        "{{\"id\": {}, \"file\": {file}, \"line\": {line}, \"column\": {column}, \"message\": {}, \"help\": {}}}",
        quoted(&remark.id),
        quoted(&remark.message),
        remark.help.as_deref().map_or("null".into(), quoted)
    )
}
