//! Tests of the graph and of the way back through it.

use super::facts::{Facts, Import};
use super::files::Number;
use super::git::Event;
use super::graph::{ForAll, Graph, Group};
use super::memory::Memory;
use super::selection::{Changed, Reason, select};
use super::text;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A graph of files and what they import, and of tests in some of them.
fn graph(files: &[(&str, &[&str])], tests: &[&str]) -> Graph {
    let mut graph = Graph::default();
    let mut facts = BTreeMap::new();
    for (path, imports) in files {
        let import = |name: &&str| Import {
            module: (*name).to_owned(),
            ..Import::default()
        };
        let number = graph.files.add(path);
        facts.insert(
            number,
            Facts {
                imports: imports.iter().map(import).collect(),
                ..Facts::default()
            },
        );
    }
    for path in tests {
        let file = Some(graph.files.add(path));
        graph.add_group(Group { file, others: vec![] });
    }
    scan(&mut graph, &facts);
    graph
}

fn scan(graph: &mut Graph, facts: &BTreeMap<Number, Facts>) {
    loop {
        let files = graph.take_unscanned();
        if files.is_empty() {
            return;
        }
        for file in files {
            graph.add_facts(file, Some(facts.get(&file).unwrap_or(&Facts::default())));
        }
    }
}

fn changed(graph: &mut Graph, path: &str, event: Event) -> Changed {
    Changed {
        file: graph.files.add(path),
        event,
        is_opaque: false,
        is_named_as_tests: false,
    }
}

fn small() -> Graph {
    graph(
        &[
            ("pkg/__init__.py", &[]),
            ("pkg/low.py", &[]),
            ("pkg/api.py", &["pkg.low"]),
            ("tests/conftest.py", &["pkg.conf"]),
            ("pkg/conf.py", &[]),
            ("tests/test_a.py", &["pkg.api"]),
            ("tests/test_b.py", &[]),
        ],
        &["tests/test_a.py", "tests/test_b.py"],
    )
}

#[test]
fn lines_about_the_selection() {
    let mut lines = Vec::new();
    let of_tests = [0, 0, 1];
    for (path, event) in [
        ("pkg/low.py", Event::Modified),
        ("pkg/__init__.py", Event::Modified),
        ("pkg/conf.py", Event::Deleted),
        ("tests/conftest.py", Event::Added),
        ("tests/test_b.py", Event::Modified),
        ("pkg/new.py", Event::Added),
        ("tests/data/x.json", Event::Modified),
        ("setup.cfg", Event::Modified),
        ("README.md", Event::Modified),
    ] {
        let mut graph = small();
        let change = changed(&mut graph, path, event);
        let found = select(&graph, &[change]);
        let selected = of_tests.iter().filter(|group| found[**group].is_some()).count();
        lines.push(text::summary("HEAD", 1, selected, of_tests.len()));
        lines.extend(
            text::reasons(&graph, &found, &of_tests, false)
                .into_iter()
                .map(|line| format!("    {line}")),
        );
    }
    lines.push(text::summary("main", 0, 0, 3));
    lines.push(text::summary("main", 2, 1, 3));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn lines_about_what_all_tests_depend_on() {
    let mut lines = Vec::new();
    let mut graph = small();
    let (plugin, loaded) = (graph.files.add("plug.py"), graph.files.add("pkg/found.py"));
    graph.add_for_all(plugin, ForAll::Plugin);
    graph.add_loaded([loaded]);
    graph.add_group(Group {
        file: None,
        others: vec![],
    });
    for path in ["plug.py", "pkg/found.py"] {
        let change = changed(&mut graph, path, Event::Modified);
        let found = select(&graph, &[change]);
        lines.extend(text::reasons(&graph, &found, &[0, 1, 2], false));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_earlier_runs_have_seen_counts() {
    let mut graph = Graph::default();
    graph.remember(Memory {
        imported: ["plugins/lazy.py".to_owned()].into(),
        opened: [("a.py".to_owned(), ["docs/a.txt".to_owned()].into())].into(),
    });
    for path in ["a.py", "b.py"] {
        let file = Some(graph.files.add(path));
        graph.add_group(Group { file, others: vec![] });
    }
    scan(&mut graph, &BTreeMap::new());
    let mut selected = |path| {
        let change = changed(&mut graph, path, Event::Modified);
        let found = select(&graph, &[change]);
        found.iter().map(Option::is_some).collect::<Vec<_>>()
    };
    assert_eq!(selected("plugins/lazy.py"), [true, true]);
    assert_eq!(selected("docs/a.txt"), [true, false]);
}

/// The number of files in a random graph.
const COUNT: usize = 12;

/// What each file of a random graph imports, and whether it has tests, imports dynamically or starts Python.
fn random() -> impl Strategy<Value = Vec<(Vec<usize>, bool, u8)>> {
    vec((vec(0..COUNT, 0..3), any::<bool>(), 0_u8..9), COUNT)
}

fn path(number: usize) -> String {
    format!("d{}/m{number}.py", number % 3)
}

fn random_graph(files: &[(Vec<usize>, bool, u8)]) -> Graph {
    let (mut graph, mut facts) = (Graph::default(), BTreeMap::new());
    for (number, (imports, _, special)) in files.iter().enumerate() {
        let import = |number: &usize| Import {
            module: format!("m{number}"),
            ..Import::default()
        };
        let file = graph.files.add(&path(number));
        facts.insert(
            file,
            Facts {
                imports: imports.iter().map(import).collect(),
                is_dynamic: *special == 0,
                starts_python: *special == 1,
                ..Facts::default()
            },
        );
    }
    for (number, (_, has_tests, _)) in files.iter().enumerate() {
        if *has_tests {
            let file = graph.files.find(&path(number));
            graph.add_group(Group { file, others: vec![] });
        }
    }
    scan(&mut graph, &facts);
    graph
}

/// Whether imports lead from one file to another.
fn leads(files: &[(Vec<usize>, bool, u8)], from: usize, to: usize, seen: &mut Vec<usize>) -> bool {
    if from == to {
        return true;
    }
    if seen.contains(&from) {
        return false;
    }
    seen.push(from);
    files[from].0.iter().any(|next| leads(files, *next, to, seen))
}

proptest! {
    #[test]
    fn every_test_that_reaches_a_changed_file_is_selected(files in random(), target in 0..COUNT) {
        let mut graph = random_graph(&files);
        let change = changed(&mut graph, &path(target), Event::Modified);
        let found = select(&graph, &[change]);
        let tests = (0..COUNT).filter(|number| files[*number].1);
        for (test, reason) in tests.zip(&found) {
            if leads(&files, test, target, &mut Vec::new()) {
                prop_assert!(reason.is_some());
            }
            if let Some(Reason::Chain(chain)) = reason {
                prop_assert_eq!(chain.changed, change.file);
                let last = chain.steps.last().map_or(chain.changed, |(_, file)| *file);
                prop_assert_eq!(graph.files.path(last), path(test));
            }
        }
    }

    #[test]
    fn more_changed_files_never_select_fewer_tests(
        files in random(), some in btree_set(0..COUNT + 3, 1..4), more in btree_set(0..COUNT + 3, 0..4)
    ) {
        let mut graph = random_graph(&files);
        let others = ["d0/x.json", "README.md", "d1/new.py"];
        let mut change = |number: &usize| {
            let path = others.get(number.wrapping_sub(COUNT)).map_or_else(|| path(*number), |path| (*path).to_owned());
            changed(&mut graph, &path, Event::Modified)
        };
        let few: Vec<Changed> = some.iter().map(&mut change).collect();
        let many: Vec<Changed> = some.union(&more).map(&mut change).collect();
        let (before, after) = (select(&graph, &few), select(&graph, &many));
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before.is_none() || after.is_some());
        }
    }
}
