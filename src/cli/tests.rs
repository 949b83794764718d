//! Tests of whole commands: their output and how they end.

use super::*;
use crate::journal::example::{ONE_PROCESS, TWO_WORKERS, journal};
use insta::assert_snapshot;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// A process whose streams support only ASCII.
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

    fn python(&self) -> &OsStr {
        OsStr::new("python")
    }
}

/// A process whose streams use UTF-8.
struct InUtf8;

impl Host for InUtf8 {
    fn encode(&self, text: &str, _stream: Stream) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    fn is_interrupted(&self) -> bool {
        true
    }

    fn python(&self) -> &OsStr {
        OsStr::new("python")
    }
}

/// An output that accepts one byte at a time, like a pipe with a slow reader.
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

/// An output that always fails.
struct Failing(io::ErrorKind);

impl Write for Failing {
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

/// Runs a command; returns its outcome and its output.
fn run_command(host: &dyn Host, words: &[&str]) -> (Outcome, String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let (outcome, _) = run_with(arguments(words), host, &mut output, &mut errors);
    let [output, errors] = [output, errors].map(|bytes| String::from_utf8(bytes).unwrap());
    (outcome, output, errors)
}

/// Output of a command that succeeds.
fn output_of(words: &[&str]) -> String {
    let (outcome, output, errors) = run_command(&InUtf8, words);
    assert_eq!((outcome, &*errors), (Outcome::Done, ""));
    output
}

/// Error message of a command that fails.
fn error_of(words: &[&str]) -> String {
    let (outcome, output, errors) = run_command(&InUtf8, words);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert_eq!(errors.matches('\n').count(), 1, "{errors}");
    errors
}

/// Runs a command whose output fails with this error.
fn with_output(kind: io::ErrorKind, words: &[&str]) -> (Outcome, String) {
    let mut errors = Vec::new();
    let (outcome, _) = run_with(arguments(words), &InUtf8, &mut Failing(kind), &mut errors);
    (outcome, String::from_utf8(errors).unwrap())
}

/// Makes a directory with two journals of one run each, `one.jsonl` and `two.jsonl`.
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
fn the_help_lists_all_commands() {
    let lines: Vec<String> = commands()
        .into_iter()
        .map(|(name, about)| format!("{name}: {about}"))
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
    bisect: find the fewest tests that make one fail, and say why: order, company, timing, or the test alone
    doctor: run a suite in plain pytest, pytest-xdist and rustpar, and compare outcomes and times
    flaky: list tests that passed in some runs and failed in others although the code was the same
    history: show, merge, prune or export the history of earlier runs
    merge: join the journals of several runs into one file
    replay: run in one process what a worker of a run has run, in its order
    report: report the results of a run from its journal
    runs: list the runs whose journals are kept, latest last
    schedule: show how a suite would be divided among workers, and what limits its speed
    ");
}

#[test]
fn the_help_of_each_command_lists_its_options() {
    assert_snapshot!("bisect", output_of(&["bisect", "--help"]));
    assert_snapshot!("flaky", output_of(&["flaky", "--help"]));
    assert_snapshot!("replay", output_of(&["replay", "--help"]));
    assert_snapshot!("history", output_of(&["history", "--help"]));
    assert_snapshot!("history_show", output_of(&["history", "show", "--help"]));
    assert_snapshot!("history_merge", output_of(&["history", "merge", "--help"]));
    assert_snapshot!("history_prune", output_of(&["history", "prune", "--help"]));
    assert_snapshot!("history_export", output_of(&["history", "export", "--help"]));
    assert_snapshot!("merge", output_of(&["merge", "--help"]));
    assert_snapshot!("report", output_of(&["report", "--help"]));
    assert_snapshot!("runs", output_of(&["runs", "-h"]));
    assert_snapshot!("schedule", output_of(&["schedule", "-h"]));
    assert_snapshot!("doctor", output_of(&["doctor", "-n", "2", "--help"]));
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
    assert_snapshot!(wrong.map(error_of).concat(), @r"
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
        output_of(&["runs", "--pa", path]),
        output_of(&["runs", "--path=/none", "--path", path])
    );
}

#[test]
fn a_journal_is_selected_by_the_beginning_of_its_id() {
    let directory = directory();
    let path = text(directory.path());
    assert!(output_of(&["report", "tw", "--path", path]).contains("1 passed, 1 failed in "));
    assert!(output_of(&["report", "--path", path]).contains("1 passed, 1 failed in "));
    assert_eq!(
        error_of(&["report", "th", "--path", path]),
        "rustpar report: 0 of the kept runs have an id that begins with 'th'; `rustpar runs` lists them\n"
    );
    assert_eq!(
        error_of(&["report", "no/file"]),
        "rustpar report: there is no file no/file\n"
    );
}

#[test]
fn an_unreadable_journal_does_not_hide_others() {
    let directory = directory();
    fs::write(directory.path().join("bad.jsonl"), "{}\n").unwrap();
    let (outcome, output, errors) = run_command(&InUtf8, &["runs", "--path", text(directory.path())]);
    assert_eq!((outcome, output.lines().count()), (Outcome::Done, 4));
    assert!(
        errors.ends_with("bad.jsonl is not the journal of a run; `rustpar runs` lists those that are kept\n")
    );
    for name in ["one.jsonl", "two.jsonl"] {
        fs::remove_file(directory.path().join(name)).unwrap();
    }
    let (outcome, output, errors) = run_command(&InUtf8, &["runs", "--path", text(directory.path())]);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert!(errors.ends_with("rustpar runs: there is no journal that can be read\n"));
}

#[test]
fn runs_are_joined_in_a_file_or_in_the_output() {
    let directory = directory();
    let [one, two, out] = ["one.jsonl", "two.jsonl", "all.jsonl"].map(|name| directory.path().join(name));
    let line = output_of(&["merge", text(&two), text(&one), "-o", text(&out)]);
    assert_eq!(
        line,
        format!("{}: 2 runs, 4 passed, 1 failed in 3.54 s\n", out.display())
    );
    let joined = fs::read_to_string(&out).unwrap();
    assert_eq!(output_of(&["merge", text(&one), text(&two), "-o", "-"]), joined);
}

#[test]
fn a_document_ends_with_a_newline_and_nothing_else_is_printed() {
    let directory = directory();
    let one = directory.path().join("one.jsonl");
    let document = output_of(&["report", text(&one), "--ctrf=-"]);
    assert!(document.ends_with("}\n"));
    assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
    let out = directory.path().join("none/out.xml");
    assert!(error_of(&["report", text(&one), "--junit", text(&out)]).contains("out.xml: No such file"));
}

#[test]
fn invalid_thresholds_in_a_journal_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.jsonl");
    fs::write(
        &path,
        journal("one", 0, &[("rustpar_thresholds", "max<")], TWO_WORKERS),
    )
    .unwrap();
    let (outcome, output, errors) = run_command(&InUtf8, &["report", text(&path)]);
    assert_eq!((outcome, &*output), (Outcome::Failed, ""));
    assert!(
        errors.starts_with("rustpar report: expected a number"),
        "{errors}"
    );
}

#[test]
fn characters_missing_in_an_encoding_are_escaped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("é.jsonl");
    let (outcome, _, errors) = run_command(&InAscii, &["report", text(&path)]);
    assert_eq!(outcome, Outcome::Failed);
    assert!(errors.ends_with("\\u{e9}.jsonl\n"), "{errors}");
}

#[test]
fn a_closed_pipe_is_not_a_failure() {
    let (outcome, errors) = with_output(io::ErrorKind::BrokenPipe, &["runs", "--help"]);
    assert_eq!((outcome, &*errors), (Outcome::Done, ""));
}

#[test]
fn a_failed_write_is_reported_in_one_line() {
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
fn a_signal_ends_a_command_whose_output_was_partly_read() {
    let mut output = Slow(0);
    let (outcome, _) = run_with(
        arguments(&["runs", "--help"]),
        &InUtf8,
        &mut output,
        &mut Vec::new(),
    );
    assert_eq!((outcome, output.0), (Outcome::Interrupted, 1));
}
