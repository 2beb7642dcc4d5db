//! Tables for people.

use super::text::clean;

/// Lay out rows below a heading, columns two spaces apart; the last column is as long as it is.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|name| name.to_uppercase()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let all = || std::iter::once(&heading).chain(&rows);
    let width =
        |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    all().map(|row| line(row, &widths)).collect()
}

/// Lay out names and values, one a line.
pub(super) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(name, _)| name.len() + 1).max().unwrap_or(0);
    fields.iter().map(|(name, value)| line(&[format!("{name}:"), clean(value)], &[width, 0])).collect()
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
    format!("{}\n", padded.join("  ").trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_headings() {
        let rows = [vec!["hello".into(), "1".into()], vec!["é".into(), "22\u{7}".into()]];
        assert_eq!(table(&["name", "version"], &rows), "NAME   VERSION\nhello  1\né      22\\u{7}\n");
    }

    #[test]
    fn fields_stand_below_each_other() {
        assert_eq!(fields(&[("id", "1".into()), ("name", "x".into())]), "id:    1\nname:  x\n");
    }
}
