//! Runs the fuzz targets on a stable toolchain: on every file of their corpora, and on mutations for a second each.
//!
//! Mutations are the same in every run, so failures are reproducible; a faster machine runs more of them. The message
//! contains the failing input, which should be added to the corpus.

use rustpar::protocol::frame::{Entry, Frame, Topic};
use rustpar::protocol::report::{Location, Outcome, Phase, PlainReport};
use rustpar::protocol::value::Value;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[path = "../fuzz/targets.rs"]
mod targets;

/// Seconds for which each target runs on mutations, unless the environment variable sets another number.
const SECONDS: u64 = 1;
const SECONDS_VARIABLE: &str = "RUSTPAR_FUZZ_SECONDS";

/// Deterministic random numbers: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        // Boundary values of numbers and lengths.
        const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'9', b'\n'];
        match self.below(3) {
            0 => EDGES[self.below(EDGES.len())],
            _ => self.next().to_be_bytes()[0],
        }
    }

    /// Start and end of a random part of some bytes; short parts are more likely.
    fn part(&mut self, length: usize) -> (usize, usize) {
        let begin = self.below(length + 1);
        let most = 1 << self.below(11);
        (begin, length.min(begin + self.below(most) + 1))
    }

    /// A corpus file with one to four changes.
    fn mutation(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            let (begin, end) = self.part(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(begin),
                1 => drop(bytes.drain(begin..end)),
                2 => bytes.insert(begin, self.byte()),
                3 => {
                    // Replaced by a part of another file.
                    let other = &corpus[self.below(corpus.len())];
                    let (from, to) = self.part(other.len());
                    bytes.splice(begin..end, other[from..to].iter().copied());
                }
                4 if begin < bytes.len() => bytes[begin] ^= 1 << self.below(8),
                _ if begin < bytes.len() => bytes[begin] = self.byte(),
                _ => {}
            }
        }
        bytes
    }
}

/// Directory of the corpus of a target.
fn corpus(target: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fuzz/corpus").join(target)
}

/// The files of a corpus, sorted.
fn files_of(target: &str) -> Vec<PathBuf> {
    let directory = corpus(target);
    let entries = fs::read_dir(&directory).expect("there is a corpus for each target");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", directory.display());
    paths
}

/// The bytes as an argument of `printf`.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

/// Runs a target on its corpus, of which at least one file must be decodable, and on mutations of it.
fn check_target(target: &str, run: fn(&[u8]) -> bool) {
    let check = |bytes: &[u8], what: &str| {
        catch_unwind(AssertUnwindSafe(|| run(bytes)))
            .unwrap_or_else(|_| panic!("{target} failed on {what}: {}", escaped(bytes)))
    };
    let (mut corpus, mut decoded) = (Vec::new(), 0);
    for path in files_of(target) {
        let bytes = fs::read(&path).expect("a file of the corpus can be read");
        decoded += usize::from(check(&bytes, &path.display().to_string()));
        corpus.push(bytes);
    }
    assert!(decoded > 0, "nothing of the corpus of {target} is decoded");
    let seconds = env::var(SECONDS_VARIABLE).ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().expect("a whole number"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut number = 0;
    while Instant::now() < end {
        let _ = check(&random.mutation(&corpus), &format!("mutation {number}"));
        number += 1;
    }
    assert!(number > 0);
}

#[test]
fn frames_do_not_panic_on_any_input() {
    check_target("frames", targets::frames);
}

#[test]
fn values_do_not_panic_on_any_input() {
    check_target("values", targets::values);
}

#[test]
fn journals_do_not_panic_on_any_input() {
    check_target("journals", targets::journals);
}

#[test]
fn histories_do_not_panic_on_any_input() {
    check_target("histories", targets::histories);
}

#[test]
fn databases_do_not_panic_on_any_input() {
    check_target("sqlite", targets::sqlite);
}

/// Regenerates the corpus of frames, with one frame of each kind.
#[test]
#[ignore = "writes into the source tree"]
fn regenerate_the_corpus_of_frames() {
    let location = Location {
        path: 3,
        line: Some(40),
        domain: "test_ä[1]",
    };
    let mut body = Vec::new();
    Value::Tuple(vec![
        Value::Str("test_it.py::test_it".to_owned()),
        Value::Str("test_it.py::shop".to_owned()),
        Value::Float(0.25),
    ])
    .encode(&mut body);
    let entries = vec![
        Entry {
            node_id: b"test_it.py::test_it[1]",
            group: None,
        },
        Entry {
            node_id: b"test_\xed\xb3\xa4.py::test_it",
            group: Some("database"),
        },
    ];
    let report = PlainReport {
        test: 5000,
        phase: Phase::Setup,
        outcome: Outcome::Passed,
        duration: 1e-4,
        start: 1.7e9,
        stop: 1.7e9,
        keywords: Some((0..8).collect()),
        extras: &body,
    };
    let (test, body) = (report.test, &*body);
    let frames = [
        ("text", Frame::Text(b"test_it.py")),
        (
            "inventory",
            Frame::Inventory {
                entries,
                extras: body,
            },
        ),
        ("start", Frame::Start { test, location }),
        ("plain", Frame::Plain(report)),
        (
            "report",
            Frame::Report {
                test,
                failed: true,
                body,
            },
        ),
        ("finish", Frame::Finish { test, location: None }),
        (
            "finish_elsewhere",
            Frame::Finish {
                test,
                location: Some(location),
            },
        ),
        ("done", Frame::Done { test, duration: 3e-4 }),
        (
            "peak",
            Frame::Peak {
                test: Some(test),
                resident: 1 << 30,
            },
        ),
        (
            "over_memory_limit",
            Frame::OverMemoryLimit {
                test,
                resident: 1 << 40,
            },
        ),
        (
            "message",
            Frame::Message {
                topic: Topic::Fixture,
                body,
            },
        ),
    ];
    for (name, frame) in frames {
        let mut out = Vec::new();
        frame.encode(&mut out);
        fs::write(corpus("frames").join(name), out).unwrap();
    }
}
