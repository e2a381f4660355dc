//! Which name was probably meant: edit distance and the nearest of several names.

/// The name most like `wanted`, if one is like it at all. Ties go to the first.
pub fn closest<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let limit = (wanted.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for name in names {
        if name == wanted || name.len().abs_diff(wanted.len()) > limit {
            continue;
        }
        let d = if name.eq_ignore_ascii_case(wanted) { 0 } else { distance(wanted, name) };
        if d <= limit && d < wanted.len() && best.is_none_or(|(b, _)| d < b) {
            best = Some((d, name));
        }
    }
    best.map(|(_, n)| n)
}

/// Edits (insert, delete, replace, swap neighbors) from one text to the other.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut d = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                d = d.min(rows[i - 2][j - 2] + 1);
            }
            row.push(d);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let names = ["threadgroup_barrier", "clamp", "float4"];
        assert_eq!(closest("threadgroup_barier", names), Some("threadgroup_barrier"));
        assert_eq!(closest("calmp", names), Some("clamp"));
        assert_eq!(closest("Float4", names), Some("float4"));
        assert_eq!(closest("normalize", names), None);
    }
}
