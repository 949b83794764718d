//! Reads the durations of a real suite: CSV with a node id and seconds on each line, and possibly a line of titles.
//!
//! The hazard it handles: parameters are free text, so that a node id may contain commas and quotes. The seconds are
//! what follows the last comma.

use rustpar::schedule::scope::{by_key, file_key, scope_key};

use super::suite::Suite;

/// Reads a file. Fixtures are not recorded: a recorded suite has none.
pub(crate) fn read(path: &str) -> Result<Suite, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("failed to read {path}: {error}"))?;
    parse(&text).map_err(|error| format!("failed to read {path}: {error}"))
}

/// Reads the text of such a file.
pub(crate) fn parse(text: &str) -> Result<Suite, String> {
    let mut node_ids = Vec::new();
    let mut seconds = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (node_id, duration) = line
            .rsplit_once(',')
            .ok_or_else(|| format!("line {number} has no comma"))?;
        match duration.trim().parse::<f64>() {
            Ok(duration) if duration.is_finite() && duration >= 0.0 => {
                node_ids.push(unquoted(node_id));
                seconds.push(duration);
            }
            Err(_) if number == 1 => {}
            _ => return Err(format!("line {number}: {duration} is no duration")),
        }
    }
    if seconds.is_empty() {
        return Err("it names no test".to_owned());
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

/// A field of CSV as it was before it was written.
fn unquoted(field: &str) -> String {
    match field.strip_prefix('"').and_then(|field| field.strip_suffix('"')) {
        Some(inside) => inside.replace("\"\"", "\""),
        None => field.to_owned(),
    }
}
