//! Tables of text.

/// Formats the rows of a table with two spaces between columns. The columns in `left` are left-aligned, all others
/// right-aligned. Rows may have different numbers of cells.
#[must_use]
pub fn aligned(rows: &[Vec<String>], left: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if left.contains(&column) {
                format!("{cell:<width$}")
            } else {
                format!("{cell:>width$}")
            }
        });
        let cells: Vec<String> = cells.collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            vec!["worker".to_owned(), "busy".to_owned(), "in".to_owned()],
            vec!["gw0".to_owned(), "1.20 s".to_owned(), "test_ä".to_owned()],
            vec!["gw10".to_owned(), String::new(), String::new()],
        ];
        assert_eq!(
            aligned(&rows, &[0, 2]),
            ["worker    busy  in", "gw0     1.20 s  test_ä", "gw10"]
        );
    }
}
