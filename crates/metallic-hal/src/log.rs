//! Turns log records of kernels (`os_log`, `printf`) into text.

/// Formats like C's `printf`, from one 64-bit word per scalar: integers extended, floats as the
/// bits of a `double`. What is missing or unknown is left as it was written.
pub fn format(format: &str, arguments: &[u64]) -> String {
    let mut out = String::with_capacity(format.len());
    let mut arguments = arguments.iter().copied();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = rest[1..].find(|c: char| c.is_ascii_alphabetic() && !"hlLzjtv".contains(c) || c == '%');
        let Some(length) = length else { break };
        let (directive, after) = rest.split_at(length + 2);
        rest = after;
        write_directive(&mut out, directive, &mut arguments);
    }
    out.push_str(rest);
    out
}

fn write_directive(out: &mut String, directive: &str, arguments: &mut impl Iterator<Item = u64>) {
    let conversion = directive.chars().next_back().unwrap_or('%');
    if conversion == '%' {
        out.push('%');
        return;
    }
    let flags_end = 1 + directive[1..].find(|c: char| !"-+ #0".contains(c)).unwrap_or(0);
    let flags = &directive[1..flags_end];
    let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse::<usize>().ok();
    let width = number(&directive[flags_end..]).unwrap_or(0).min(256);
    let precision = directive.find('.').map(|dot| number(&directive[dot + 1..]).unwrap_or(0).min(64));
    // `%v4f` prints the components of a vector, with commas between.
    let count = directive.find('v').and_then(|v| number(&directive[v + 1..])).unwrap_or(1).clamp(1, 4);
    let is_64 = directive.contains("ll") || directive.contains('l') && !directive.contains("hl");
    for i in 0..count {
        let Some(word) = arguments.next() else {
            out.push_str(directive);
            return;
        };
        if i > 0 {
            out.push(',');
        }
        let signed = if is_64 { word as i64 } else { i64::from(word as i32) };
        let unsigned = if is_64 { word } else { u64::from(word as u32) };
        let float = f64::from_bits(word);
        let text = match conversion {
            'd' | 'i' if flags.contains('+') && signed >= 0 => format!("+{signed}"),
            'd' | 'i' => signed.to_string(),
            'u' => unsigned.to_string(),
            'x' if flags.contains('#') => format!("0x{unsigned:x}"),
            'x' => format!("{unsigned:x}"),
            'X' => format!("{unsigned:X}"),
            'o' => format!("{unsigned:o}"),
            'p' => format!("0x{word:x}"),
            'c' => char::from(word as u8).to_string(),
            'e' | 'E' => format!("{float:.*e}", precision.unwrap_or(6)),
            'g' | 'G' => format!("{float}"),
            'f' | 'F' => format!("{float:.*}", precision.unwrap_or(6)),
            _ => directive.to_string(),
        };
        if flags.contains('-') {
            out.push_str(&format!("{text:<width$}"));
        } else if flags.contains('0') {
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |d| ("-", d));
            out.push_str(sign);
            out.push_str(&format!("{digits:0>0$}", width.saturating_sub(sign.len())));
        } else {
            out.push_str(&format!("{text:>width$}"));
        }
    }
}

/// Where log records go: one line each on standard output.
pub fn emit(text: &str) {
    use std::io::Write;
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(std::io::stdout().lock(), "{text}{end}");
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn directives_are_those_of_printf() {
        let one = 1.5f64.to_bits();
        assert_eq!(format("i=%d x=%5.2f|%-4u|%04d %%", &[u64::MAX, one, 7, 42]), "i=-1 x= 1.50|7   |0042 %");
        assert_eq!(format("%v2f %x", &[one, one, 255]), "1.500000,1.500000 ff");
        assert_eq!(format("%d %d", &[1]), "1 %d");
        assert_eq!(format("100%", &[]), "100%");
    }
}
