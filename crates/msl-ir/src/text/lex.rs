//! Text → tokens.

use super::parse::ParseError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// May contain dots: `add.fast`.
    Word(String),
    /// `%name`, without the sign.
    Value(String),
    /// `@name`, without the sign.
    At(String),
    /// As written, with its sign.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Punct(char),
    /// `->`
    Arrow,
    End,
}

#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub token: Token,
    pub line: u32,
    pub column: u32,
}

pub(super) fn lex(text: &str) -> Result<Vec<Spot>, ParseError> {
    let mut lexer = Lexer { chars: text.chars().collect(), at: 0, line: 1, line_start: 0 };
    let mut out = Vec::new();
    loop {
        lexer.skip_space();
        let (line, column) = (lexer.line, (lexer.at - lexer.line_start) as u32 + 1);
        let token = lexer.token().map_err(|message| ParseError { line, column, message })?;
        let is_end = token == Token::End;
        out.push(Spot { token, line, column });
        if is_end {
            return Ok(out);
        }
    }
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: u32,
    line_start: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn skip_space(&mut self) {
        while self.at < self.chars.len() {
            let c = self.peek(0);
            if c == '\n' {
                self.at += 1;
                self.line += 1;
                self.line_start = self.at;
            } else if c.is_whitespace() {
                self.at += 1;
            } else if c == ';' || (c == '/' && self.peek(1) == '/') {
                while self.at < self.chars.len() && self.peek(0) != '\n' {
                    self.at += 1;
                }
            } else {
                return;
            }
        }
    }

    fn take_while(&mut self, test: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.at < self.chars.len() && test(self.peek(0)) {
            self.at += 1;
        }
        self.chars[start..self.at].iter().collect()
    }

    fn token(&mut self) -> Result<Token, String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        if self.at >= self.chars.len() {
            return Ok(Token::End);
        }
        let c = self.peek(0);
        if c == 'x' && self.peek(1) == '"' {
            self.at += 2;
            let digits = self.take_while(|c| c != '"' && c != '\n');
            if self.peek(0) != '"' {
                return Err("unterminated bytes".into());
            }
            self.at += 1;
            return bytes(&digits).map(Token::Bytes).ok_or_else(|| "bytes are pairs of hexadecimal digits".into());
        }
        if c.is_ascii_alphabetic() || c == '_' {
            return Ok(Token::Word(self.take_while(is_word)));
        }
        if c == '%' || c == '@' {
            self.at += 1;
            let name = self.take_while(is_word);
            if name.is_empty() {
                return Err(format!("a name must follow '{c}'"));
            }
            return Ok(if c == '%' { Token::Value(name) } else { Token::At(name) });
        }
        if c == '-' && self.peek(1) == '>' {
            self.at += 2;
            return Ok(Token::Arrow);
        }
        if c.is_ascii_digit() || (c == '-' && self.peek(1).is_ascii_digit()) {
            let start = self.at;
            self.at += 1;
            self.take_while(is_word);
            let is_hex = self.chars[start..self.at].contains(&'x');
            if !is_hex && matches!(self.chars[self.at - 1], 'e' | 'E') && matches!(self.peek(0), '+' | '-') {
                self.at += 1;
                self.take_while(is_word);
            }
            return Ok(Token::Number(self.chars[start..self.at].iter().collect()));
        }
        if c == '"' {
            return self.string().map(Token::Text);
        }
        self.at += 1;
        match c {
            '{' | '}' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ':' | '=' => Ok(Token::Punct(c)),
            _ => Err(format!("unexpected character {c:?}")),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.peek(0) {
                '"' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    self.at += 2;
                    match self.chars.get(self.at - 1) {
                        Some('n') => out.push('\n'),
                        Some('u') if self.peek(0) == '{' => {
                            self.at += 1;
                            let digits = self.take_while(|c| c.is_ascii_hexdigit());
                            let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                            out.push(c.ok_or("bad character escape")?);
                            if self.peek(0) != '}' {
                                return Err("bad character escape".into());
                            }
                            self.at += 1;
                        }
                        Some(&c @ ('"' | '\\')) => out.push(c),
                        _ => return Err("unknown escape".into()),
                    }
                }
                '\n' => return Err("unterminated string".into()),
                '\0' if self.at >= self.chars.len() => return Err("unterminated string".into()),
                c => {
                    out.push(c);
                    self.at += 1;
                }
            }
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).ok()).collect()
}
