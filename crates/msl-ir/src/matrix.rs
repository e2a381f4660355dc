//! How the 8 × 8 matrices of a simdgroup lie in its threads: Metal's layout, two elements of a row each.

/// The bits of a thread's index in its simdgroup that say which row it holds, and which pair of columns.
pub const ROW: u32 = 0b10110;
pub const COLUMN: u32 = 0b01001;

/// The bits for row `r`.
pub fn row_bits(r: u32) -> u32 {
    (r & 4) << 2 | (r & 3) << 1
}
/// The bits for the pair with column `c`.
pub fn column_bits(c: u32) -> u32 {
    (c & 4) << 1 | (c >> 1 & 1)
}

/// The row of a thread, and the first of its columns.
pub fn place(thread: u32) -> (u32, u32) {
    ((thread >> 2 & 4) | (thread >> 1 & 3), (thread >> 1 & 4) | (thread << 1 & 2))
}

/// The thread that holds an element, and which of its two elements it is.
pub fn holder(row: u32, column: u32) -> (u32, u32) {
    (row_bits(row) | column_bits(column), column & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_holders_agree() {
        for thread in 0..32 {
            let (row, column) = place(thread);
            assert_eq!(holder(row, column), (thread, 0));
            assert_eq!(holder(row, column + 1), (thread, 1));
            assert_eq!(row_bits(row) & !ROW, 0);
            assert_eq!(column_bits(column) & !COLUMN, 0);
        }
    }
}
