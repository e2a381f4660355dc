//! Statements, a line each.

use crate::ast::*;
use crate::dump::Printer;
use crate::dump::expr::{expr, exprs};
use crate::dump::names::{join, type_text};

impl Printer {
    pub(super) fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Compound(list) => {
                for stmt in list {
                    match stmt.kind {
                        StmtKind::Compound(_) => {
                            self.line("block");
                            self.inside(|p| p.stmt(stmt));
                        }
                        _ => self.stmt(stmt),
                    }
                }
            }
            StmtKind::Decl(decls) => {
                for decl in decls {
                    self.decl(decl);
                }
            }
            StmtKind::StructuredBinding { names, ty, init } => {
                let names = join(names, ", ", |(n, _)| n.to_string());
                self.line(&format!("bind [{names}]: {} = {}", type_text(ty), expr(init)));
            }
            StmtKind::Expr(e) => self.line(&expr(e)),
            StmtKind::If { init, condition: c, is_constexpr, then, otherwise } => {
                let keyword = if *is_constexpr { "if constexpr" } else { "if" };
                self.line(&format!("{keyword} {}", condition(c)));
                self.inside(|p| {
                    p.opt_init(init.as_deref());
                    p.stmt(then);
                });
                if let Some(otherwise) = otherwise {
                    self.line("else");
                    self.inside(|p| p.stmt(otherwise));
                }
            }
            StmtKind::Switch { init, condition: c, body } => {
                self.line(&format!("switch {}", condition(c)));
                self.inside(|p| {
                    p.opt_init(init.as_deref());
                    p.stmt(body);
                });
            }
            StmtKind::Case { value, upper, body } => {
                let upper = upper.as_ref().map_or(String::new(), |e| format!(" ... {}", expr(e)));
                self.line(&format!("case {}{upper}", expr(value)));
                self.inside(|p| p.stmt(body));
            }
            StmtKind::Default(body) => {
                self.line("default");
                self.inside(|p| p.stmt(body));
            }
            StmtKind::While { condition: c, body, hint } => {
                self.line(&format!("while {}{}", condition(c), loop_hint(*hint)));
                self.inside(|p| p.stmt(body));
            }
            StmtKind::DoWhile { body, condition, hint } => {
                self.line(&format!("do-while {}{}", expr(condition), loop_hint(*hint)));
                self.inside(|p| p.stmt(body));
            }
            StmtKind::For { init, condition: c, step, body, hint } => {
                let c = c.as_ref().map_or(String::new(), condition);
                let step = step.as_ref().map_or(String::new(), expr);
                self.line(&format!("for {c}; {step}{}", loop_hint(*hint)));
                self.inside(|p| {
                    p.opt_init(init.as_deref());
                    p.stmt(body);
                });
            }
            StmtKind::RangeFor { variable, range, body, hint } => {
                let head =
                    format!("{}: {} in {}", super::names::name(&variable.name), type_text(&variable.ty), expr(range));
                self.line(&format!("for-each {head}{}", loop_hint(*hint)));
                self.inside(|p| p.stmt(body));
            }
            StmtKind::Break => self.line("break"),
            StmtKind::Continue => self.line("continue"),
            StmtKind::Return(None) => self.line("return"),
            StmtKind::Return(Some(value)) => {
                self.line(&format!("return {}", initializer(value).trim_start_matches("= ")))
            }
            StmtKind::FpPragma(pragma) => self.line(fp_pragma(*pragma)),
            StmtKind::Empty => self.line("empty"),
            StmtKind::Error => self.line("<error>"),
        }
    }

    fn opt_init(&mut self, init: Option<&Stmt>) {
        if let Some(init) = init {
            self.line("init");
            self.inside(|p| p.stmt(init));
        }
    }
}

fn condition(c: &Condition) -> String {
    match c {
        Condition::Expr(e) => expr(e),
        Condition::Decl(v) => {
            let init = v.init.as_ref().map_or(String::new(), |i| format!(" {}", initializer(i)));
            format!("{}: {}{init}", super::names::name(&v.name), type_text(&v.ty))
        }
    }
}

fn loop_hint(hint: LoopPragma) -> String {
    match hint {
        LoopPragma::None => String::new(),
        LoopPragma::Unroll(0) => " unroll".into(),
        LoopPragma::Unroll(n) => format!(" unroll({n})"),
        LoopPragma::NoUnroll => " nounroll".into(),
    }
}

pub(super) fn fp_pragma(pragma: FpPragma) -> &'static str {
    match pragma {
        FpPragma::MathModeFast => "fp math_mode(fast)",
        FpPragma::MathModeRelaxed => "fp math_mode(relaxed)",
        FpPragma::MathModeSafe => "fp math_mode(safe)",
        FpPragma::ContractFast => "fp contract(fast)",
        FpPragma::ContractOn => "fp contract(on)",
        FpPragma::ContractOff => "fp contract(off)",
    }
}

pub(super) fn initializer(init: &Initializer) -> String {
    match init {
        Initializer::Copy(e) => format!("= {}", expr(e)),
        Initializer::Paren(args, _) => format!("({})", exprs(args)),
        Initializer::Brace(args, _) => format!("{{{}}}", exprs(args)),
    }
}
