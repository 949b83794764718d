//! Prints the table: one block per family.

use std::io::{Result, Write};

use super::contest::{COMPARED, Contest, RUSTPAR, XDIST};

/// Width of the titles of lines, and of a column.
const TITLE: usize = 28;
const COLUMN: usize = 10;

/// Prints the titles of the columns.
pub(crate) fn head(out: &mut impl Write) -> Result<()> {
    writeln!(
        out,
        "time / lower bound; steps back in 1000 tests; then suites of 100 that end earlier:later, by more than 0.1 %"
    )?;
    let (rustpar, xdist) = (COLUMN * RUSTPAR.len(), COLUMN * XDIST.len());
    writeln!(out, "{:TITLE$}{:>rustpar$} |{:>xdist$}", "", "rustpar", "xdist")?;
    write!(out, "{:TITLE$}", "")?;
    for (name, _) in RUSTPAR {
        write!(out, "{name:>COLUMN$}")?;
    }
    write!(out, " |")?;
    for (name, _) in XDIST {
        write!(out, "{name:>COLUMN$}")?;
    }
    writeln!(out)
}

/// Prints the results of one family.
pub(crate) fn block(out: &mut impl Write, name: &str, contest: &Contest) -> Result<()> {
    let [tests, files] = contest.sizes().map(|(least, most)| {
        if least == most {
            least.to_string()
        } else {
            format!("{least}-{most}")
        }
    });
    writeln!(
        out,
        "{name}: {} suites, {tests} tests in {files} files",
        contest.suites()
    )?;
    for (title, percent) in [("median", 50), ("90 of 100", 90), ("worst", 100)] {
        write!(out, "  {title:width$}", width = TITLE - 2)?;
        for (column, ratio) in contest.percentiles(percent).into_iter().enumerate() {
            if column == RUSTPAR.len() {
                write!(out, " |")?;
            }
            write!(out, "{ratio:COLUMN$.3}")?;
        }
        writeln!(out)?;
    }
    write!(out, "  {:width$}", "steps back", width = TITLE - 2)?;
    for (column, steps) in contest.steps_back().into_iter().enumerate() {
        if column == RUSTPAR.len() {
            write!(out, " |")?;
        }
        write!(out, "{steps:COLUMN$.1}")?;
    }
    writeln!(out)?;
    for (rustpar, (title, _)) in RUSTPAR.iter().take(COMPARED).enumerate() {
        let gap = COLUMN * RUSTPAR.len();
        write!(
            out,
            "  {:width$}{:gap$} |",
            format!("{title} earlier:later"),
            "",
            width = TITLE - 2
        )?;
        for xdist in 0..XDIST.len() {
            let (earlier, later) = contest.earlier_and_later(rustpar, xdist);
            write!(out, "{:>COLUMN$}", format!("{earlier}:{later}"))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
