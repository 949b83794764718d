//! Commands as a whole: what they print where, and how they end.

use super::*;
use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal};
use insta::assert_snapshot;
use std::fs;
use std::io;
use std::path::Path;

/// A process whose streams lack what is not ASCII.
struct InAscii;

impl Host for InAscii {
    fn encode(&self, text: &str, _stream: Stream) -> Vec<u8> {
        text.escape_default()
            .to_string()
            .replace("\\n", "\n")
            .into_bytes()
    }

    fn is_interrupted(&self) -> bool {
        true
    }
}

/// A process whose streams are of UTF-8.
struct InUtf8;

impl Host for InUtf8 {
    fn encode(&self, text: &str, _stream: Stream) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    fn is_interrupted(&self) -> bool {
        true
    }
}

/// An output that takes one byte at a time, as a pipe does whose reader is slow.
struct Slow(usize);

impl Write for Slow {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        self.0 += 1;
        Ok(1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An output that takes nothing.
struct Refusing(io::ErrorKind);

impl Write for Refusing {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn arguments(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// How a command ends, with what it has printed.
fn ended(host: &dyn Host, words: &[&str]) -> (Outcome, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let outcome = run_with(arguments(words), host, &mut output, &mut errors);
    let [output, errors] = [output, errors].map(|bytes| String::from_utf8(bytes).unwrap());
    (outcome, output, errors)
}

/// What a command prints that does what it was asked for.
fn told(words: &[&str]) -> String {
    let (outcome, output, errors) = ended(&InUtf8, words);
    assert_eq!((outcome, &*errors), (Outcome::Done, ""));
    output
}

/// Why a command cannot do what it was asked for.
fn refused(words: &[&str]) -> String {
    let (outcome, output, errors) = ended(&InUtf8, words);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    errors
}

/// How a command ends whose output fails so.
fn with_output(kind: io::ErrorKind, words: &[&str]) -> (Outcome, String) {
    let mut errors = Vec::new();
    let outcome = run_with(arguments(words), &InUtf8, &mut Refusing(kind), &mut errors);
    (outcome, String::from_utf8(errors).unwrap())
}

/// A directory with the journal of a run in `one.jsonl`, and of another in `two.jsonl`.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content| fs::write(directory.path().join(name), content).unwrap();
    write("one.jsonl", journal("one", 0, &[], TWO_WORKERS));
    write("two.jsonl", journal("two", 60_000_000, &[], ONE_PROCESS));
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn each_command_has_its_line_in_the_help_of_all() {
    let lines: Vec<String> = commands()
        .into_iter()
        .map(|(name, about)| format!("{name}: {about}"))
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
    history: show, merge, prune or export what earlier runs have shown
    merge: write the journals of several runs into one
    report: tell what came of a run, from its journal
    runs: list the runs whose journals are kept, the latest last
    ");
}

#[test]
fn help_tells_the_options() {
    assert_snapshot!("history", told(&["history", "--help"]));
    assert_snapshot!("history_show", told(&["history", "show", "--help"]));
    assert_snapshot!("history_merge", told(&["history", "merge", "--help"]));
    assert_snapshot!("history_prune", told(&["history", "prune", "--help"]));
    assert_snapshot!("history_export", told(&["history", "export", "--help"]));
    assert_snapshot!("merge", told(&["merge", "--help"]));
    assert_snapshot!("report", told(&["report", "--help"]));
    assert_snapshot!("runs", told(&["runs", "-h"]));
}

#[test]
fn wrong_arguments_are_one_line() {
    let wrong: [&[&str]; 8] = [
        &["history"],
        &["history", "forget"],
        &["history", "merge", "out.json"],
        &["history", "prune", "--days", "-1"],
        &["history", "export", "--format=xml"],
        &["merge", "a.jsonl"],
        &["report", "a.jsonl", "b.jsonl"],
        &["runs", "--yaml"],
    ];
    assert_snapshot!(wrong.map(refused).concat(), @r"
    rustpar history: 'rustpar history' requires a subcommand but one was not provided [subcommands: show, merge, prune, export]; see rustpar history --help
    rustpar history: unrecognized subcommand 'forget'; see rustpar history --help
    rustpar history: the following required arguments were not provided: <IN>...; see rustpar history --help
    rustpar history: invalid value '-1' for '--days <N>': expected a number from 0 to 999999; see rustpar history --help
    rustpar history: invalid value 'xml' for '--format <FORMAT>' [possible values: json, csv]; see rustpar history --help
    rustpar merge: the following required arguments were not provided: --output <OUT>; see rustpar merge --help
    rustpar report: unexpected argument 'b.jsonl' found; see rustpar report --help
    rustpar runs: unexpected argument '--yaml' found; see rustpar runs --help
    ");
}

#[test]
fn options_can_be_shortened_and_the_last_one_counts() {
    let directory = directory();
    let path = text(directory.path());
    assert_eq!(
        told(&["runs", "--pa", path]),
        told(&["runs", "--path=/none", "--path", path])
    );
}

#[test]
fn a_journal_is_named_by_the_begin_of_an_id() {
    let directory = directory();
    let path = text(directory.path());
    assert!(told(&["report", "tw", "--path", path]).contains("1 passed, 1 failed in "));
    assert!(told(&["report", "--path", path]).contains("1 passed, 1 failed in "));
    assert_eq!(
        refused(&["report", "th", "--path", path]),
        "rustpar report: 0 of the kept runs have an id that begins with 'th'; `rustpar runs` lists them\n"
    );
    assert_eq!(
        refused(&["report", "no/file"]),
        "rustpar report: there is no file no/file\n"
    );
}

#[test]
fn a_journal_that_cannot_be_read_hides_no_other() {
    let directory = directory();
    fs::write(directory.path().join("bad.jsonl"), "{}\n").unwrap();
    let (outcome, output, errors) = ended(&InUtf8, &["runs", "--path", text(directory.path())]);
    assert_eq!((outcome, output.lines().count()), (Outcome::Done, 4));
    assert!(
        errors.ends_with("bad.jsonl is not the journal of a run; `rustpar runs` lists those that are kept\n")
    );
    for name in ["one.jsonl", "two.jsonl"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let (outcome, output, errors) = ended(&InUtf8, &["runs", "--path", text(directory.path())]);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert!(errors.ends_with("rustpar runs: there is no journal that can be read\n"));
}

#[test]
fn runs_are_joined_in_a_file_or_in_the_output() {
    let directory = directory();
    let [one, two, out] = ["one.jsonl", "two.jsonl", "all.jsonl"].map(|name| directory.path().join(name));
    let line = told(&["merge", text(&two), text(&one), "-o", text(&out)]);
    assert_eq!(
        line,
        format!("{}: 2 runs, 4 passed, 1 failed in 3.54 s\n", out.display())
    );
    let joined = fs::read_to_string(&out).unwrap();
    assert_eq!(told(&["merge", text(&one), text(&two), "-o", "-"]), joined);
}

#[test]
fn a_document_ends_with_a_line_and_comes_alone() {
    let directory = directory();
    let one = directory.path().join("one.jsonl");
    let document = told(&["report", text(&one), "--ctrf=-"]);
    assert!(document.ends_with("}\n"));
    assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
    let out = directory.path().join("none/out.xml");
    assert!(refused(&["report", text(&one), "--junit", text(&out)]).contains("out.xml: No such file"));
}

#[test]
fn thresholds_of_a_journal_that_cannot_be_understood_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.jsonl");
    fs::write(
        &path,
        journal("one", 0, &[("rustpar_thresholds", "max<")], TWO_WORKERS),
    )
    .unwrap();
    let (outcome, output, errors) = ended(&InUtf8, &["report", text(&path)]);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert!(
        errors.starts_with("rustpar report: expected a number"),
        "{errors}"
    );
}

#[test]
fn what_an_encoding_lacks_is_escaped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("é.jsonl");
    let (outcome, _, errors) = ended(&InAscii, &["report", text(&path)]);
    assert_eq!(outcome, Outcome::Failed);
    assert!(errors.ends_with("\\u{e9}.jsonl\n"), "{errors}");
}

#[test]
fn who_stops_reading_has_seen_enough() {
    let (outcome, errors) = with_output(io::ErrorKind::BrokenPipe, &["runs", "--help"]);
    assert_eq!((outcome, &*errors), (Outcome::Done, ""));
}

#[test]
fn an_output_that_takes_nothing_is_one_line() {
    let (outcome, errors) = with_output(io::ErrorKind::StorageFull, &["runs", "--help"]);
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(
        errors,
        "rustpar runs: could not write to standard output: no storage space\n"
    );
}

#[test]
fn a_signal_ends_a_command_that_waits_for_its_reader() {
    let (outcome, errors) = with_output(io::ErrorKind::Interrupted, &["runs", "--help"]);
    assert_eq!(
        (outcome, outcome.status(), &*errors),
        (Outcome::Interrupted, 130, "")
    );
}

#[test]
fn a_signal_ends_a_command_of_which_a_part_was_read() {
    let mut output = Slow(0);
    let outcome = run_with(
        arguments(&["runs", "--help"]),
        &InUtf8,
        &mut output,
        &mut Vec::new(),
    );
    assert_eq!((outcome, output.0), (Outcome::Interrupted, 1));
}
