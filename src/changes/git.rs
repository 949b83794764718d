//! Parsing of git's lists of files, which are separated by NUL bytes.
//!
//! Paths that are not UTF-8 are converted with replacement characters. Two of them may become equal, and then count as
//! one file: a change to one is a change to both.

/// The mode of a symbolic link.
const LINK: &str = "120000";
/// The mode of a submodule.
const SUBMODULE: &str = "160000";

/// What has happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It did not exist.
    Added,
    /// It does not exist any more.
    Deleted,
    /// Its content, mode or type is another one.
    Modified,
}

/// A file that differs from the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path, relative to the top of the repository.
    pub path: String,
    /// What has happened to it.
    pub event: Event,
    /// Whether it is, or was, a symbolic link.
    pub is_link: bool,
    /// Whether it is, or was, a submodule.
    pub is_submodule: bool,
}

/// A file in git's index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path, relative to the top of the repository.
    pub path: String,
    /// Whether it is a symbolic link.
    pub is_link: bool,
}

/// The output is not what this version of git is documented to print.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("git has printed an unexpected line: {0:?}; report it as a bug of pytest-rustpar")]
pub struct UnexpectedOutput(String);

/// Parses the output of `git diff --raw -z --no-renames`.
///
/// # Errors
/// The output has another format.
pub fn changes(output: &[u8]) -> Result<Vec<Change>, UnexpectedOutput> {
    let mut fields = split(output);
    let mut found = Vec::new();
    while let Some(about) = fields.next() {
        let unexpected = || UnexpectedOutput(about.clone());
        let words: Vec<&str> = about
            .strip_prefix(':')
            .ok_or_else(unexpected)?
            .split(' ')
            .collect();
        let (&[before, after, _, _, status], Some(path)) = (words.as_slice(), fields.next()) else {
            return Err(unexpected());
        };
        found.push(Change {
            path,
            event: match status.as_bytes() {
                [b'A', ..] => Event::Added,
                [b'D', ..] => Event::Deleted,
                _ => Event::Modified,
            },
            is_link: [before, after].contains(&LINK),
            is_submodule: [before, after].contains(&SUBMODULE),
        });
    }
    Ok(found)
}

/// Parses the output of `git ls-files --others -z`: files that are new.
#[must_use]
pub fn untracked(output: &[u8]) -> Vec<Change> {
    let paths = split(output);
    let found = paths.map(|path| Change {
        // A repository within this one, which git does not look into, has a slash at its end.
        is_submodule: path.ends_with('/'),
        path,
        event: Event::Added,
        is_link: false,
    });
    found.collect()
}

/// Parses the output of `git ls-files --stage -z`.
///
/// # Errors
/// The output has another format.
pub fn entries(output: &[u8]) -> Result<Vec<Entry>, UnexpectedOutput> {
    let found = split(output).map(|line| {
        let (about, path) = line
            .split_once('\t')
            .ok_or_else(|| UnexpectedOutput(line.clone()))?;
        Ok(Entry {
            path: path.to_owned(),
            is_link: about.starts_with(LINK),
        })
    });
    found.collect()
}

fn split(output: &[u8]) -> impl Iterator<Item = String> {
    let fields = output.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    fields.map(|field| String::from_utf8_lossy(field).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_their_events_and_types() {
        let output =
            b":100644 100644 1 2 M\0a b.py\0:000000 100644 0 2 A\0n\xff.py\0:100644 000000 1 0 D\0d.py\0\
            :160000 160000 1 2 M\0sub\0:120000 100644 1 2 T\0link\0:100644 100644 1 0 U\0conflict.py\0";
        let found = changes(output).expect("changes");
        let about: Vec<_> = found
            .iter()
            .map(|change| {
                (
                    change.path.as_str(),
                    change.event,
                    change.is_link,
                    change.is_submodule,
                )
            })
            .collect();
        let expected = [
            ("a b.py", Event::Modified, false, false),
            ("n\u{fffd}.py", Event::Added, false, false),
            ("d.py", Event::Deleted, false, false),
            ("sub", Event::Modified, false, true),
            ("link", Event::Modified, true, false),
            ("conflict.py", Event::Modified, false, false),
        ];
        assert_eq!(about, expected);
    }

    #[test]
    fn other_output_is_an_error() {
        for output in [&b"a.py\0"[..], b":100644 M\0a.py\0", b":100644 100644 1 2 M\0"] {
            let error = changes(output).expect_err("no list of changes").to_string();
            assert!(error.starts_with("git has printed an unexpected line: "));
        }
        assert!(entries(b"a.py\0").is_err());
    }

    #[test]
    fn entries_and_untracked_files_may_have_any_name() {
        let found = entries(b"100644 1 0\ta\tb\n.py\x00120000 1 0\tlink\0").expect("entries");
        assert_eq!(found[0].path, "a\tb\n.py");
        assert!(found[1].is_link && !found[0].is_link);
        let new = untracked(b"x y.py\0nested/\0");
        assert_eq!(new[0].path, "x y.py");
        assert!(new[1].is_submodule && !new[0].is_submodule);
        assert_eq!(untracked(b""), []);
    }
}
