//! Reads the durations of a real suite from the output of `rustpar history export --format csv`: a line of titles, then
//! a line for each test, with the node id first.
//!
//! The hazard it handles: parameters are free text, so a node id may contain commas and quotes. No other field does, so
//! fields are counted from the end.

use rustpar::schedule::policies::scope::{by_key, file_key, scope_key};

use super::suite::Suite;

/// Reads a file. A recorded suite has no fixtures, since they are not in the file.
pub(crate) fn read(path: &str) -> Result<Suite, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read {path}: {error}"))?;
    parse(&text).map_err(|error| format!("failed to read {path}: {error}"))
}

/// Reads the text of such a file.
pub(crate) fn parse(text: &str) -> Result<Suite, String> {
    let mut lines = text.lines();
    let titles: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let phases = ["setup", "call", "teardown"].map(|phase| titles.iter().position(|title| *title == phase));
    if titles.first() != Some(&"test") || phases.contains(&None) {
        return Err("its first line does not name the columns test, setup, call and teardown".to_owned());
    }
    let mut node_ids = Vec::new();
    let mut seconds = Vec::new();
    for (number, line) in (2..).zip(lines) {
        let mut fields: Vec<&str> = line.rsplitn(titles.len(), ',').collect();
        fields.reverse();
        if fields.len() < titles.len() {
            return Err(format!("line {number} has {} fields", fields.len()));
        }
        let mut sum = 0.0;
        for place in phases.into_iter().flatten() {
            // A phase that did not occur has no duration.
            let duration = fields[place].parse().or(if fields[place].is_empty() {
                Ok(0.0)
            } else {
                Err(())
            });
            match duration {
                Ok(duration) if f64::is_finite(duration) && duration >= 0.0 => sum += duration,
                _ => return Err(format!("line {number}: {} is not a duration", fields[place])),
            }
        }
        node_ids.push(unquoted(fields[0]));
        seconds.push(sum);
    }
    if seconds.is_empty() {
        return Err("it contains no tests".to_owned());
    }
    Ok(Suite {
        files: by_key(&node_ids, file_key),
        scopes: by_key(&node_ids, scope_key),
        fixtures: vec![Vec::new(); seconds.len()],
        kinds: Vec::new(),
        setups: Vec::new(),
        seconds,
    })
}

/// Removes the quoting of a CSV field.
fn unquoted(field: &str) -> String {
    match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}
