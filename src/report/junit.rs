//! `JUnit` XML, in the shape of pytest's own `--junitxml` with `junit_family = xunit2`: a `testsuite` for each
//! environment, a `testcase` for each time that pytest would write one. The schema is Jenkins' `junit-10.xsd`, but for
//! the properties of tests, which pytest writes beyond it.
//!
//! The hazard it handles: test output contains characters that XML cannot represent. They are escaped as in pytest:
//! `#x1B`.

use super::address::Address;
use super::failures::captured;
use super::moment::rfc3339;
use crate::journal::event::Detail;
use crate::journal::merged::Merged;
use crate::journal::{Micros, seconds};
use cases::{Case, Problem, cases};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use std::fmt::Write as _;
use std::io;

mod cases;

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
