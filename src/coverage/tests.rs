//! Round trips of joined data, and handling of damaged files.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "arbitrary numbers"
)]

use super::data::{Arc, Data, Lines, Unreadable};
use super::join::{Conflict, Joined};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// The contents of data, independent of its order.
#[derive(Debug, PartialEq, Eq)]
struct Contents {
    has_arcs: Option<bool>,
    files: BTreeSet<String>,
    contexts: BTreeSet<String>,
    lines: BTreeMap<(String, String), Vec<u8>>,
    arcs: BTreeSet<(String, String, i32, i32)>,
    tracers: BTreeSet<(String, String)>,
}

fn contents(data: &Data) -> Contents {
    let named = |file: u32, context: u32| {
        (
            data.files[file as usize].clone(),
            data.contexts[context as usize].clone(),
        )
    };
    Contents {
        has_arcs: data.has_arcs,
        files: data.files.iter().cloned().collect(),
        contexts: data.contexts.iter().cloned().collect(),
        lines: data
            .lines
            .iter()
            .map(|lines| (named(lines.file, lines.context), lines.bits.clone()))
            .collect(),
        arcs: (data.arcs.iter())
            .map(|arc| {
                let (file, context) = named(arc.file, arc.context);
                (file, context, arc.from, arc.to)
            })
            .collect(),
        tracers: (data.tracers.iter())
            .map(|(file, tracer)| (data.files[*file as usize].clone(), tracer.clone()))
            .collect(),
    }
}

/// Names of very different lengths: some fit on a page, some need overflow pages.
fn names(prefix: &'static str, most: usize) -> impl Strategy<Value = Vec<String>> {
    let length = prop_oneof![8 => 0..40usize, 2 => 900..1100usize, 1 => 4000..9000usize];
    prop::collection::vec(length, 1..most).prop_map(move |lengths| {
        let number = |(place, length)| format!("{prefix}{place:04}{}", "ä".repeat(length));
        lengths.into_iter().enumerate().map(number).collect()
    })
}

prop_compose! {
    fn measured()(
        files in names("/app/", 300),
        contexts in names("", 60),
        has_arcs in any::<bool>(),
        rows in prop::collection::vec((any::<u32>(), any::<u32>(), any::<i32>(), any::<i32>(), 0..300usize), 0..3000),
        tracer in any::<bool>(),
    ) -> Data {
        let mut data = Data { has_arcs: (!rows.is_empty()).then_some(has_arcs), files, contexts, ..Data::default() };
        let mut taken = BTreeSet::new();
        for (file, context, from, to, length) in rows {
            let (file, context) = (file % data.files.len() as u32, context % data.contexts.len() as u32);
            if has_arcs {
                data.arcs.push(Arc { file, context, from, to });
            } else if taken.insert((file, context)) {
                // Occasionally longer than a page.
                let length = if length == 0 { 5000 } else { length };
                data.lines.push(Lines { file, context, bits: vec![from as u8 | 1; length] });
            }
        }
        if tracer {
            data.tracers.push((0, "django.Plugin".to_owned()));
        }
        data
    }
}

fn copy_of(data: &Data) -> Data {
    Data {
        has_arcs: data.has_arcs,
        meta: data.meta.clone(),
        files: data.files.clone(),
        contexts: data.contexts.clone(),
        lines: data.lines.clone(),
        arcs: data.arcs.clone(),
        tracers: data.tracers.clone(),
    }
}

fn written(joined: Joined) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(".coverage");
    joined.write(&path).expect("it is written");
    assert_eq!(
        std::fs::read_dir(directory.path()).expect("it is there").count(),
        1,
        "nothing is left beside it"
    );
    std::fs::read(path).expect("it is there")
}

fn add(joined: &mut Joined, data: &Data) -> Result<(), Conflict> {
    joined.add(copy_of(data), data.files.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn joined_data_reads_back_unchanged(data in measured(), times in 1..4usize) {
        let mut joined = Joined::default();
        for _ in 0..times {
            add(&mut joined, &data).expect("it agrees with itself");
        }
        let bytes = written(joined);
        let read = Data::from_bytes(&bytes).expect("it is whole");
        prop_assert_eq!(contents(&read), contents(&data));
    }

    #[test]
    fn reading_a_damaged_file_never_panics(
        data in measured(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        end in any::<prop::sample::Index>(),
    ) {
        let mut joined = Joined::default();
        add(&mut joined, &data).expect("it agrees with itself");
        let mut bytes = written(joined);
        prop_assert!(matches!(Data::from_bytes(&bytes[..end.index(bytes.len())]), Err(Unreadable::Damaged(_))));
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Data::from_bytes(&bytes);
    }
}

fn lines(bits: &[u8]) -> Data {
    Data {
        has_arcs: Some(false),
        files: vec!["a.py".to_owned()],
        contexts: vec![String::new()],
        lines: vec![Lines {
            file: 0,
            context: 0,
            bits: bits.to_vec(),
        }],
        ..Data::default()
    }
}

fn arcs() -> Data {
    Data {
        has_arcs: Some(true),
        lines: Vec::new(),
        arcs: vec![Arc {
            file: 0,
            context: 0,
            from: -1,
            to: 1,
        }],
        ..lines(&[])
    }
}

#[test]
fn lines_of_the_same_file_and_context_are_joined() {
    let mut joined = Joined::default();
    for bits in [&[0b10][..], &[0b100, 1], &[0]] {
        add(&mut joined, &lines(bits)).expect("they agree");
    }
    let read = Data::from_bytes(&written(joined)).expect("it is whole");
    assert_eq!(
        read.lines,
        [Lines {
            file: 0,
            context: 0,
            bits: vec![0b110, 1]
        }]
    );
}

#[test]
fn branches_and_lines_are_a_conflict() {
    let mut joined = Joined::default();
    add(&mut joined, &lines(&[1])).expect("the first agrees with nothing");
    assert_eq!(add(&mut joined, &arcs()), Err(Conflict));
    let mut joined = Joined::onto(arcs()).expect("it agrees with itself");
    assert_eq!(add(&mut joined, &lines(&[1])), Err(Conflict));
}

#[test]
fn a_file_measured_by_two_plugins_is_a_conflict() {
    let mut joined = Joined::default();
    add(&mut joined, &lines(&[1])).expect("the first agrees with nothing");
    let other = Data {
        tracers: vec![(0, "jinja".to_owned())],
        ..lines(&[1])
    };
    assert_eq!(add(&mut joined, &other), Err(Conflict));
}

#[test]
fn files_with_the_same_new_path_become_one_file() {
    let mut joined = Joined::default();
    let data = Data {
        files: vec!["/a/x.py".to_owned(), "/b/x.py".to_owned()],
        ..lines(&[1])
    };
    joined.add(data, vec!["x.py".to_owned(); 2]).expect("they agree");
    let read = Data::from_bytes(&written(joined)).expect("it is whole");
    assert_eq!(read.files, ["x.py"]);
}

#[test]
fn meta_rows_of_the_first_file_are_kept() {
    let meta = vec![("version".to_owned(), "7.0".to_owned())];
    let mut joined = Joined::onto(Data {
        meta: meta.clone(),
        ..lines(&[1])
    })
    .expect("it agrees with itself");
    joined.set_default_meta("version", "8.0");
    let read = Data::from_bytes(&written(joined)).expect("it is whole");
    assert_eq!((read.meta, read.has_arcs), (meta, Some(false)));
}

#[test]
fn trees_of_many_parts_are_read_back_in_order() {
    let some: Vec<Arc> = (0..300_000)
        .map(|n| Arc {
            file: n % 7,
            context: n % 11,
            from: -n.cast_signed(),
            to: 70_000,
        })
        .collect();
    let data = Data {
        has_arcs: Some(true),
        files: (0..7).map(|n| format!("{n}.py")).collect(),
        contexts: (0..11).map(|n| format!("test_{n}")).collect(),
        arcs: some,
        ..Data::default()
    };
    let mut joined = Joined::default();
    add(&mut joined, &data).expect("it agrees with itself");
    let read = Data::from_bytes(&written(joined)).expect("it is whole");
    assert!(read.arcs.is_sorted());
    assert_eq!(contents(&read), contents(&data));
}
