//! The arithmetic of `expr(n, …)`: numbers, `i`, `+ - * / %`, parentheses, a few functions; in double precision.

pub fn evaluate(text: &str, i: f64) -> Result<f64, String> {
    let mut p = Parser { rest: text, i };
    let value = p.sum()?;
    p.skip();
    if p.rest.is_empty() { Ok(value) } else { Err(format!("cannot read '{}' in '{text}'", p.rest)) }
}

struct Parser<'t> {
    rest: &'t str,
    i: f64,
}

impl Parser<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }
    fn eat(&mut self, c: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }
    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            if self.eat('+') {
                value += self.product()?;
            } else if self.eat('-') {
                value -= self.product()?;
            } else {
                return Ok(value);
            }
        }
    }
    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.factor()?;
        loop {
            if self.eat('*') {
                value *= self.factor()?;
            } else if self.eat('/') {
                value /= self.factor()?;
            } else if self.eat('%') {
                value %= self.factor()?;
            } else {
                return Ok(value);
            }
        }
    }
    fn factor(&mut self) -> Result<f64, String> {
        if self.eat('-') {
            return Ok(-self.factor()?);
        }
        if self.eat('(') {
            let value = self.sum()?;
            return if self.eat(')') { Ok(value) } else { Err("missing ')'".into()) };
        }
        self.skip();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        if word == "i" {
            return Ok(self.i);
        }
        if let Ok(number) = word.parse() {
            return Ok(number);
        }
        if !self.eat('(') {
            return Err(format!("'{word}' is neither a number nor a function"));
        }
        let first = self.sum()?;
        let second = if self.eat(',') { self.sum()? } else { 0.0 };
        if !self.eat(')') {
            return Err("missing ')'".into());
        }
        Ok(match word {
            "sqrt" => first.sqrt(),
            "sin" => first.sin(),
            "cos" => first.cos(),
            "tan" => first.tan(),
            "exp" => first.exp(),
            "exp2" => first.exp2(),
            "log" => first.ln(),
            "log2" => first.log2(),
            "abs" => first.abs(),
            "floor" => first.floor(),
            "ceil" => first.ceil(),
            "trunc" => first.trunc(),
            "tanh" => first.tanh(),
            "atan" => first.atan(),
            "min" => first.min(second),
            "max" => first.max(second),
            "pow" => first.powf(second),
            "atan2" => first.atan2(second),
            // Comparison, giving 0 or 1.
            "lt" => f64::from(u8::from(first < second)),
            "eq" => f64::from(u8::from(first == second)),
            _ => return Err(format!("unknown function '{word}'")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn precedence_functions_and_errors() {
        assert_eq!(evaluate("2*i + 1", 4.0), Ok(9.0));
        assert_eq!(evaluate("-(i - 1) / 2 % 2", 6.0), Ok(-0.5));
        assert_eq!(evaluate("max(min(i, 3), 1)", 9.0), Ok(3.0));
        assert!(evaluate("2 +", 0.0).is_err());
        assert!(evaluate("frob(2)", 0.0).is_err());
    }
}
