//! `JUnit` XML, in the shape of pytest's own `--junitxml` with `junit_family = xunit2`: a `testsuite` for each
//! environment, a `testcase` for each time that pytest would write one. The schema is Jenkins' `junit-10.xsd`, but for
//! the properties of tests, which pytest writes beyond it.
//!
//! The hazard it handles: test output contains characters that XML cannot represent. They are escaped as in pytest:
//! `#x1B`.

use super::address::Address;
use super::failures::captured;
use super::moment::rfc3339;
use crate::journal::event::{Detail, Outcome};
use crate::journal::merged::{Merged, TestResult};
use crate::journal::run::{Attempt, Run};
use crate::journal::{Micros, seconds};
use crate::protocol::report::Phase;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::fmt::Write as _;
use std::io;

/// Maximum number of characters of a message, as in pytest; the element contains the full text.
const MAX_MESSAGE_LENGTH: usize = 500;

/// The type of the element for a failure of a test in the quarantine.
const QUARANTINE: &str = "rustpar.quarantine";

/// A failure, error or skip in a `testcase`.
struct Problem<'a> {
    tag: &'static str,
    kind: Option<&'static str>,
    message: String,
    text: String,
    detail: Option<&'a Detail>,
}

/// A `testcase` element.
struct Case<'a> {
    id: &'a str,
    took: Micros,
    properties: &'a [(String, String)],
    problems: Vec<Problem<'a>>,
    /// The failures of earlier attempts.
    retried: Vec<Problem<'a>>,
}

/// Serializes the report.
///
/// # Errors
/// None are possible when writing to memory.
pub fn write(merged: &Merged) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new());
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let suites = writer.create_element("testsuites");
    suites
        .with_attribute(("name", "pytest tests"))
        .write_inner_content(|writer| {
            (0..merged.environments.len()).try_for_each(|environment| suite(writer, merged, environment))
        })?;
    Ok(writer.into_inner())
}

fn suite(writer: &mut Writer<Vec<u8>>, merged: &Merged, environment: usize) -> io::Result<()> {
    let cases = cases(merged, environment);
    let count = |tag: &str| {
        let problems = cases.iter().flat_map(|case| &case.problems);
        problems.filter(|problem| problem.tag == tag).count().to_string()
    };
    let parts = || {
        let parts = merged.parts.iter();
        parts.filter(|part| part.environment == environment)
    };
    let head = parts().next().map(|part| &part.run.head);
    let name = merged
        .environment_name(environment)
        .map_or_else(|| "pytest".to_owned(), |name| format!("pytest ({name})"));
    let hostname = head.and_then(|head| head.machine.get("name"));
    let attributes = [
        ("name", name),
        ("errors", count("error")),
        ("failures", count("failure")),
        ("skipped", count("skipped")),
        ("tests", cases.len().to_string()),
        ("time", time(merged.elapsed(Some(environment)))),
        ("timestamp", rfc3339(head.map_or(0, |head| head.began))),
        ("hostname", escaped(hostname.map_or("", String::as_str))),
    ];
    let mut known: Vec<(String, String)> = Vec::new();
    for part in parts() {
        // The shards of a suite may record the same properties.
        let ours = part.run.suite_properties.iter();
        let new: Vec<_> = ours
            .filter(|property| !known.contains(property))
            .cloned()
            .collect();
        known.extend(new);
    }
    writer
        .create_element("testsuite")
        .with_attributes(attributes.iter().map(|(key, value)| (*key, value.as_str())))
        .write_inner_content(|writer| {
            properties(writer, &known)?;
            cases.iter().try_for_each(|case| testcase(writer, case))
        })?;
    Ok(())
}

fn testcase(writer: &mut Writer<Vec<u8>>, case: &Case<'_>) -> io::Result<()> {
    let (classname, name) = names(case.id);
    let (classname, name, took) = (escaped(&classname), escaped(&name), time(case.took));
    let element = writer.create_element("testcase").with_attributes([
        ("classname", classname.as_str()),
        ("name", name.as_str()),
        ("time", took.as_str()),
    ]);
    if case.problems.is_empty() && case.properties.is_empty() && case.retried.is_empty() {
        element.write_empty()?;
        return Ok(());
    }
    element.write_inner_content(|writer| {
        properties(writer, case.properties)?;
        for problem in &case.problems {
            let message = escaped(&problem.message);
            let mut element = writer.create_element(problem.tag);
            if let Some(kind) = problem.kind {
                element = element.with_attribute(("type", kind));
            }
            element
                .with_attribute(("message", message.as_str()))
                .write_text_content(BytesText::new(&escaped(&problem.text)))?;
        }
        retried(writer, case)?;
        output(writer, &case.problems)
    })?;
    Ok(())
}

/// Writes the failures of earlier attempts, as Maven Surefire does.
fn retried(writer: &mut Writer<Vec<u8>>, case: &Case<'_>) -> io::Result<()> {
    let has_failed = case.problems.iter().any(|problem| problem.tag != "skipped");
    let tag = if has_failed {
        "rerunFailure"
    } else {
        "flakyFailure"
    };
    for problem in &case.retried {
        let message = escaped(problem.message.lines().next().unwrap_or_default());
        let attributes = [("message", message.as_str()), ("type", class_of(&message))];
        let element = writer.create_element(tag).with_attributes(attributes);
        element.write_inner_content(|writer| {
            let trace = writer.create_element("stackTrace");
            trace.write_text_content(BytesText::new(&escaped(&problem.text)))?;
            Ok(())
        })?;
    }
    Ok(())
}

/// The class of the exception with which a message starts; `failure` if there is none.
fn class_of(message: &str) -> &str {
    let (class, _) = message.split_once(':').unwrap_or((message, ""));
    let is_name = |part: &str| part.chars().all(|char| char.is_alphanumeric() || char == '_');
    if class.is_empty() || !class.split('.').all(is_name) {
        return "failure";
    }
    class
}

/// Writes the captured output of a failed test.
fn output(writer: &mut Writer<Vec<u8>>, problems: &[Problem<'_>]) -> io::Result<()> {
    let details: Vec<&Detail> = problems.iter().filter_map(|problem| problem.detail).collect();
    let (mut out, mut err) = (String::new(), String::new());
    for (title, text) in captured(&details) {
        let stream = if title.contains("stderr") {
            &mut err
        } else {
            &mut out
        };
        let title = format!(" {title} ");
        let _ = writeln!(stream, "{title:-^80}\n{text}");
    }
    for (tag, text) in [("system-out", out), ("system-err", err)] {
        if !text.is_empty() {
            let element = writer.create_element(tag);
            element.write_text_content(BytesText::new(&escaped(&text)))?;
        }
    }
    Ok(())
}

fn properties(writer: &mut Writer<Vec<u8>>, properties: &[(String, String)]) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    let element = writer.create_element("properties");
    element.write_inner_content(|writer| {
        for (name, value) in properties {
            let (name, value) = (escaped(name), escaped(value));
            writer
                .create_element("property")
                .with_attributes([("name", name.as_str()), ("value", value.as_str())])
                .write_empty()?;
        }
        Ok(())
    })?;
    Ok(())
}

fn cases(merged: &Merged, environment: usize) -> Vec<Case<'_>> {
    let reports = merged.collect_reports().into_iter();
    let reports = reports.filter(|&(part, _)| merged.parts[part].environment == environment);
    let mut cases: Vec<Case<'_>> = reports.map(|(_, detail)| collected(detail)).collect();
    let results = merged.results.iter();
    for result in results.filter(|result| result.environment == environment) {
        add_cases(&mut cases, merged, result);
    }
    cases
}

fn collected(detail: &Detail) -> Case<'_> {
    let (tag, message) = match detail.o {
        Some(Outcome::Failed) => ("error", "collection failure"),
        _ => ("skipped", "collection skipped"),
    };
    Case {
        id: detail.id.as_deref().unwrap_or_default(),
        took: 0,
        properties: &[],
        retried: Vec::new(),
        problems: vec![Problem {
            tag,
            kind: None,
            message: message.to_owned(),
            text: if detail.text.is_empty() {
                reason_with_place(detail)
            } else {
                detail.text.clone()
            },
            detail: None,
        }],
    }
}

/// Adds the `testcase` elements that pytest writes for a test: one for each attempt, two if call and teardown failed.
/// An attempt that was rerun is merged into the next one.
fn add_cases<'a>(cases: &mut Vec<Case<'a>>, merged: &'a Merged, result: &'a TestResult) {
    let run = &merged.parts[result.part].run;
    let id = merged.id(result);
    let mut took = 0;
    let mut retried = Vec::new();
    for &index in &result.attempts.all {
        let attempt = &run.attempts[index];
        took += attempt.took();
        if attempt.will_rerun {
            let mut details = attempt.details.iter().map(|&index| &run.details[index]);
            let error = details.find(|detail| detail.o == Some(Outcome::Rerun));
            let error = error.map(|detail| failed(detail, "failure", None));
            retried.extend(or_placeholder(error.into_iter().collect(), "failure"));
            continue;
        }
        let mut case = Case {
            id,
            took: std::mem::take(&mut took),
            properties: &attempt.properties,
            retried: std::mem::take(&mut retried),
            problems: Vec::new(),
        };
        for phase in Phase::ALL {
            let Some(ran) = attempt.phases[phase as usize] else {
                continue;
            };
            let problems = problems(run, attempt, phase, ran.outcome);
            let is_second = case.problems.iter().any(|problem| problem.tag == "failure");
            if phase == Phase::Teardown && is_second && ran.outcome == Outcome::Failed {
                let problems_before = std::mem::replace(&mut case.problems, problems);
                cases.push(Case {
                    took: case.took - ran.took,
                    problems: problems_before,
                    retried: std::mem::take(&mut case.retried),
                    ..case
                });
                case.took = ran.took;
            } else {
                case.problems.extend(problems);
            }
        }
        if attempt.crashed {
            let died = details(run, attempt, "crash").map(|detail| match detail.o {
                Some(Outcome::Quarantined) => quarantined(detail),
                _ => failed(detail, "error", None),
            });
            case.problems.extend(or_placeholder(died.collect(), "error"));
        }
        keep_one_quarantined(&mut case.problems);
        cases.push(case);
    }
}

/// The failures and skips reported for a phase; subtests have reports of their own.
fn problems<'a>(run: &'a Run, attempt: &Attempt, phase: Phase, outcome: Outcome) -> Vec<Problem<'a>> {
    let (tag, failed_on) = match phase {
        Phase::Call => ("failure", None),
        Phase::Setup | Phase::Teardown => ("error", Some(phase.name())),
    };
    let details = details(run, attempt, phase.name());
    let found = details.filter_map(|detail| match detail.o? {
        Outcome::Passed | Outcome::Xpassed => None,
        Outcome::Skipped => Some(skipped(detail, "pytest.skip", reason_with_place(detail))),
        Outcome::Xfailed => Some(skipped(detail, "pytest.xfail", String::new())),
        Outcome::Quarantined => Some(quarantined(detail)),
        Outcome::Failed | Outcome::Rerun => Some(failed(detail, tag, failed_on)),
    });
    let found: Vec<_> = found.collect();
    match outcome {
        Outcome::Failed | Outcome::Rerun => or_placeholder(found, tag),
        _ => found,
    }
}

/// Returns `found`, or a placeholder if it is empty.
fn or_placeholder<'a>(mut found: Vec<Problem<'a>>, tag: &'static str) -> Vec<Problem<'a>> {
    if found.is_empty() {
        found.push(Problem {
            tag,
            kind: None,
            message: "no details available".to_owned(),
            text: String::new(),
            detail: None,
        });
    }
    found
}

fn failed<'a>(detail: &'a Detail, tag: &'static str, failed_on: Option<&str>) -> Problem<'a> {
    Problem {
        tag,
        kind: None,
        message: shortened(&match failed_on {
            None => detail.message.clone(),
            Some(phase) => format!("failed on {phase} with \"{}\"", detail.message),
        }),
        text: detail.text.clone(),
        detail: Some(detail),
    }
}

fn skipped<'a>(detail: &Detail, kind: &'static str, text: String) -> Problem<'a> {
    Problem {
        tag: "skipped",
        kind: Some(kind),
        message: detail.message.clone(),
        text,
        detail: None,
    }
}

/// A failure of a test in the quarantine: for other tools, it is skipped.
fn quarantined<'a>(detail: &Detail) -> Problem<'a> {
    let message = detail.message.lines().next().unwrap_or_default();
    Problem {
        message: format!("quarantined: {message}"),
        ..skipped(detail, QUARANTINE, detail.text.clone())
    }
}

/// Keeps the first one: a case is skipped once.
fn keep_one_quarantined(problems: &mut Vec<Problem<'_>>) {
    let mut count = 0;
    problems.retain(|problem| {
        count += usize::from(problem.kind == Some(QUARANTINE));
        problem.kind != Some(QUARANTINE) || count == 1
    });
}

/// A message as in pytest: the lines that fit, or the beginning of the first, and a note about the rest.
fn shortened(message: &str) -> String {
    let mut lines = message.lines();
    let mut kept = lines.next().unwrap_or_default().to_owned();
    let mut size = kept.chars().count();
    let is_cut = size > MAX_MESSAGE_LENGTH;
    if is_cut {
        kept = kept
            .chars()
            .take(MAX_MESSAGE_LENGTH)
            .chain("...".chars())
            .collect();
    }
    let mut more = 0;
    for line in lines {
        size += 1 + line.chars().count();
        if more == 0 && size < MAX_MESSAGE_LENGTH {
            kept.extend(["\n", line]);
        } else {
            more += 1;
        }
    }
    let note = match more {
        0 if !is_cut => return message.to_owned(),
        0 => "truncated".to_owned(),
        1 => "+1 more line".to_owned(),
        more => format!("+{more} more lines"),
    };
    format!("{kept}\n[{note}; full report in element text]")
}

fn details<'a>(run: &'a Run, attempt: &Attempt, when: &str) -> impl Iterator<Item = &'a Detail> {
    let details = attempt.details.iter().map(|&index| &run.details[index]);
    details.filter(move |detail| detail.when == when)
}

fn reason_with_place(detail: &Detail) -> String {
    match (&detail.path, detail.line) {
        (Some(path), Some(line)) => format!("{path}:{line}: {}", detail.message),
        _ => detail.message.clone(),
    }
}

/// The `classname`, with the module path, and the name of the function with its parameters, as in pytest.
fn names(id: &str) -> (String, String) {
    let Address { path, classes, name } = Address::new(id);
    let module = path.replace('/', ".");
    let module = module.strip_suffix(".py").unwrap_or(&module);
    if name.is_empty() {
        return (String::new(), module.to_owned());
    }
    let names: Vec<&str> = std::iter::once(module).chain(classes).collect();
    (names.join("."), name.to_owned())
}

fn time(took: Micros) -> String {
    format!("{:.3}", seconds(took))
}

/// Escapes characters that XML cannot represent, as pytest's `bin_xml_escape` does.
fn escaped(text: &str) -> String {
    let mut found = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' | '\n' | '\r' | ' '..='~' | '\u{80}'..='\u{fffd}' | '\u{10000}'.. => found.push(char),
            other => {
                let _ = match u32::from(other) {
                    code @ ..=0xff => write!(found, "#x{code:02X}"),
                    code => write!(found, "#x{code:04X}"),
                };
            }
        }
    }
    found
}
