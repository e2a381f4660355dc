//! Makes a program shorter for as long as something stays true of it. Nothing becomes 0, which could be divided by.

/// Leaves out runs of lines, then whole blocks' braces, then parts of lines.
pub fn reduce(source: &str, mut is_wanted: impl FnMut(&str) -> bool) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut wanted = |lines: &[String]| {
        let text = lines.join("\n");
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| is_wanted(&text))).unwrap_or(false)
    };
    let mut lines: Vec<String> = source.lines().map(String::from).collect();
    loop {
        let before = lines.len();
        let mut size = 32;
        while size > 0 {
            let mut i = 0;
            while i < lines.len() {
                let mut fewer = lines.clone();
                fewer.drain(i..(i + size).min(lines.len()));
                if wanted(&fewer) { lines = fewer } else { i += size.div_ceil(2) }
            }
            size /= 2;
        }
        // Blocks: with what is in them, and without.
        let mut i = 0;
        while i < lines.len() {
            if let Some(end) = end_of_block(&lines, i) {
                let mut fewer = lines.clone();
                fewer.drain(i..=end);
                if wanted(&fewer) {
                    lines = fewer;
                    continue;
                }
                let mut fewer = lines.clone();
                fewer.remove(end);
                fewer.remove(i);
                if wanted(&fewer) {
                    lines = fewer;
                    continue;
                }
            }
            i += 1;
        }
        // What is in parentheses: nothing but a number, or the part itself without what is around it.
        for i in 0..lines.len() {
            let mut at = 0;
            while let Some(open) = lines[i][at.min(lines[i].len())..].find('(').map(|o| o + at) {
                at = open + 1;
                let Some(close) = matching(&lines[i], open) else { continue };
                let inner = &lines[i][open + 1..close];
                let candidates =
                    [inner.split(',').next().unwrap_or("").to_string(), "1".into(), "3".into(), "true".into()];
                for candidate in candidates {
                    if candidate.len() < inner.len() {
                        let mut fewer = lines.clone();
                        fewer[i].replace_range(open + 1..close, &candidate);
                        if wanted(&fewer) {
                            lines = fewer;
                            break;
                        }
                    }
                }
            }
        }
        if lines.len() == before {
            break;
        }
    }
    std::panic::set_hook(hook);
    lines.join("\n")
}

/// The line that ends the block that a line begins.
fn end_of_block(lines: &[String], begin: usize) -> Option<usize> {
    if !lines[begin].trim_end().ends_with('{') {
        return None;
    }
    let mut depth = 0;
    for (i, line) in lines.iter().enumerate().skip(begin) {
        depth += line.matches('{').count() as i32 - line.matches('}').count() as i32;
        if depth <= 0 && i > begin {
            return Some(i);
        }
    }
    None
}

fn matching(line: &str, open: usize) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in line.char_indices().skip_while(|&(at, _)| at < open) {
        match c {
            '(' => depth += 1,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
