//! The texts about leftovers; the name of the test or the fixture precedes them.
//!
//! Values of environment variables are never shown, because they may be secrets.

use super::state::Change;
use crate::platform::process_state::Opened;
use crate::text::shell;

/// The length from which a command line is cut, in bytes.
const MOST: usize = 120;

/// A thread of Python.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its name; empty for one that was started without the module `threading`.
    pub name: String,
    /// What it runs, with its module.
    pub target: String,
    /// Whether it is a daemon thread.
    pub daemon: bool,
}

/// The text about a child process.
#[must_use]
pub fn process(command: &[String], pid: u32, has_ended: bool) -> String {
    let command = shell::joined(command);
    let command = match command.len() {
        0..=MOST => command,
        _ => format!("{}…", &command[..command.floor_char_boundary(MOST)]),
    };
    if has_ended {
        format!("left a child process that has ended without being waited for: {command} (pid {pid})")
    } else {
        format!("left a child process running: {command} (pid {pid})")
    }
}

/// The text about a thread.
#[must_use]
pub fn thread(thread: &Thread) -> String {
    let what = if thread.daemon {
        "a daemon thread"
    } else {
        "a thread"
    };
    match (thread.name.as_str(), thread.target.as_str()) {
        ("", _) => format!("left {what} running that the module threading does not know"),
        (name, "") => format!("left {what} running: {name}"),
        (name, target) => format!("left {what} running: {name} ({target})"),
    }
}

/// The text about a descriptor.
#[must_use]
pub fn descriptor(opened: &Opened, number: i32) -> String {
    let what = match opened {
        Opened::File(path) => format!("a file open: {path}"),
        Opened::Socket(Some(own), Some(peer)) => format!("a socket open: {own}, connected to {peer}"),
        Opened::Socket(None, Some(peer)) => format!("a socket open: connected to {peer}"),
        Opened::Socket(Some(own), None) => format!("a socket open: {own}"),
        Opened::Socket(None, None) => "a socket open".to_owned(),
        Opened::Pipe => "a pipe open".to_owned(),
        Opened::Other(target) if target.is_empty() => "a descriptor open".to_owned(),
        Opened::Other(target) => format!("a descriptor open: {target}"),
    };
    format!("left {what} (descriptor {number})")
}

/// The text about a temporary file or directory.
#[must_use]
pub fn temporary(path: &str, is_directory: bool) -> String {
    let what = if is_directory { "directory" } else { "file" };
    format!("left a temporary {what}: {path}")
}

/// The text about changed environment variables: their names.
#[must_use]
pub fn environment(changes: &[Change]) -> String {
    let of = |wanted: fn(&Change) -> bool| -> Vec<&str> {
        let found = changes.iter().filter(|change| wanted(change));
        found.map(|change| change.name.as_str()).collect()
    };
    let groups = [
        ("added", of(|change| change.before.is_none())),
        (
            "changed",
            of(|change| change.before.is_some() && change.after.is_some()),
        ),
        ("removed", of(|change| change.after.is_none())),
    ];
    let groups = groups.iter().filter(|(_, names)| !names.is_empty());
    let groups: Vec<String> = groups
        .map(|(how, names)| format!("{how} {}", names.join(", ")))
        .collect();
    format!("left the environment changed: {}", groups.join("; "))
}

/// The text about a changed working directory; `None` stands for one that was deleted.
#[must_use]
pub fn directory(before: Option<&str>, after: Option<&str>) -> String {
    let after = after.unwrap_or("a deleted directory");
    match before {
        Some(before) => format!("left the working directory changed to {after} (before: {before})"),
        None => format!("left the working directory changed to {after}"),
    }
}

/// The line about a leftover of a test, or of a fixture, found after the teardown of a test.
#[must_use]
pub fn line(test: &str, fixture: Option<&str>, what: &str) -> String {
    let separator = if fixture.is_some() { ": " } else { " " };
    format!("{test}{separator}{}", short(fixture, what))
}

/// The same without the test.
#[must_use]
pub fn short(fixture: Option<&str>, what: &str) -> String {
    match fixture {
        Some(fixture) => format!("fixture {fixture} {what}"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_about_leftovers() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let of = |name: &str, target: &str, daemon| {
            thread(&Thread {
                name: name.to_owned(),
                target: target.to_owned(),
                daemon,
            })
        };
        let address = |text: &str| Some(text.to_owned());
        let change = |name: &str, before: Option<u8>, after: Option<u8>| Change {
            name: name.to_owned(),
            before: before.map(|value| vec![value]),
            after: after.map(|value| vec![value]),
        };
        let texts = [
            process(&words("sleep 60"), 12, false),
            process(&words("sleep"), 12, true),
            process(&["python".to_owned(), "é".repeat(90)], 12, false),
            of("worker-1", "test_a.work", false),
            of("Poller", "", true),
            of("", "", false),
            descriptor(&Opened::File("/tmp/x".to_owned()), 9),
            descriptor(&Opened::Socket(address("[::1]:80"), None), 9),
            descriptor(&Opened::Socket(address("[::1]:9"), address("[::1]:80")), 9),
            descriptor(&Opened::Socket(None, address("/run/x")), 9),
            descriptor(&Opened::Socket(None, None), 9),
            descriptor(&Opened::Pipe, 9),
            descriptor(&Opened::Other("anon_inode:[eventpoll]".to_owned()), 9),
            descriptor(&Opened::Other(String::new()), 9),
            temporary("/tmp/x", false),
            temporary("/tmp/x", true),
            environment(&[
                change("A", None, Some(1)),
                change("B", Some(1), Some(2)),
                change("C", Some(1), None),
                change("D", None, Some(3)),
            ]),
            environment(&[change("C", Some(1), None)]),
            directory(Some("/home"), Some("/tmp")),
            directory(Some("/home"), None),
            directory(None, Some("/tmp")),
            line("test_a.py::test_x", None, &temporary("/tmp/x", false)),
            line(
                "test_a.py::test_x",
                Some("db (session scope)"),
                &temporary("/tmp/x", false),
            ),
        ];
        insta::assert_snapshot!(texts.join("\n"));
    }
}
