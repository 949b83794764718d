//! Tests of the data of load tests, made from handwritten journals.

use super::super::data::data;
use super::super::load_earlier::{Earlier, keys};
use crate::journal::example::{ONE_PROCESS, journal, merged};
use serde_json::{Value, json};
use std::fs;

/// A load test that is marked as busy in its second of two seconds, with a step, a trend and a check.
const LOAD: &str = r#"
{"e":"collected","at":0,"ids":["a.py::test_shop"]}
{"e":"loadsecond","t":0,"at":3000000,"s":1,"n":98,"failed":2,"took":[20000,40000,90000,120000],"load":{"users":5,"target":10.0,"started":103,"lag":300,"cpu":41.26}}
{"e":"loadsecond","t":0,"at":3000000,"s":1,"step":"pay","n":98,"took":[10000,20000,30000,40000]}
{"e":"loadsecond","t":0,"at":3000000,"s":1,"step":"status is 200","n":98,"failed":1}
{"e":"loadsecond","t":0,"at":4000000,"s":2,"n":0,"load":{"users":10,"target":10.0,"started":5,"dropped":4,"lag":0,"cpu":97.0}}
{"e":"loadsecond","t":0,"at":4000000,"s":2,"step":"size","n":1,"took":[7,7,7,7]}
{"e":"loadresult","t":0,"at":4000000,"began":2000000,"seconds":2.0,"planned":2.0,"end":"complete","model":"closed","load":"10 users for 2.00 s","users":10,"generators":2,"started":108,"iterations":98,"failed":2,"dropped":4,"interrupted":10,"metrics":[{"name":"iteration","kind":"time","count":98,"part":2,"values":{"avg":24300.5,"min":9800.0,"med":20000.0,"p90":40000.0,"p95":48000.0,"p99":90000.0,"max":120000.0},"intended":{"avg":24300.5,"min":9800.0,"med":20000.0,"p90":40000.0,"p95":48000.0,"p99":99000.0,"max":120000.0}},{"name":"pay","kind":"time","count":98,"values":{"avg":10000.0,"min":9000.0,"med":10000.0,"p90":15000.0,"p95":20000.0,"p99":30000.0,"max":40000.0},"intended":{"avg":10000.0,"min":9000.0,"med":10000.0,"p90":15000.0,"p95":20000.0,"p99":30000.0,"max":40000.0}},{"name":"status is 200","kind":"check","count":98,"part":97},{"name":"size","kind":"trend","count":1,"values":{"avg":7.0,"min":7.0,"med":7.0,"p90":7.0,"p95":7.0,"p99":7.0,"max":7.0}}],"thresholds":[{"text":"p(95)<500ms","value":"48.0 ms","broken":false}]}
{"e":"end","at":5000000,"exit":0,"warnings":0}
"#;

/// The load tests in the data of the page for a journal.
fn load_of(journal: &str, earlier: &Earlier) -> Value {
    let data = data(&merged(journal), None, earlier).expect("data");
    let data: Value = serde_json::from_str(&data).expect("JSON");
    data["load"].clone()
}

fn alone(journal: &str) -> Value {
    load_of(journal, &Earlier::default())
}

/// The first events of a journal, up to those with this text.
fn until(events: &str, text: &str) -> String {
    let lines = events.lines().take_while(|line| !line.contains(text));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_data_of_a_load_test() {
    let found = alone(&journal("one", 0, &[], LOAD));
    let found = found[0].as_object().expect("an object");
    let lines = found.iter().map(|(key, value)| format!("{key}: {value}"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_data_of_a_run_without_load_tests_does_not_mention_them() {
    assert_eq!(alone(&journal("one", 0, &[], ONE_PROCESS)), Value::Null);
}

#[test]
fn a_load_test_whose_journal_ends_within_it_has_the_seconds_until_then() {
    let found = &alone(&journal("one", 0, &[], &until(LOAD, "loadresult")))[0];
    assert_eq!((&found["end"], &found["start"]), (&Value::Null, &json!(2.0)));
    assert_eq!((&found["iterations"], &found["failed"]), (&json!(98), &json!(2)));
    assert_eq!(found["dropped"], json!(4));
    assert_eq!(found["curves"]["at"], json!([1.0, 2.0]));
    assert_eq!(found["curves"]["series"][1]["is_time"], json!(true));
}

#[test]
fn the_last_second_counts_though_times_are_rounded() {
    let result = "\"loadresult\",\"t\":0,\"at\":";
    let rounded = LOAD.replace(&format!("{result}4000000"), &format!("{result}3999990"));
    let found = alone(&journal("one", 0, &[], &rounded));
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    assert_eq!(found[0]["curves"]["at"], json!([1.0, 2.0]));
}

#[test]
fn a_load_test_that_is_tried_again_is_there_twice() {
    let again = LOAD
        .replace("\"at\":3", "\"at\":13")
        .replace("\"at\":4", "\"at\":14");
    let again = again.replace("\"began\":2", "\"began\":12");
    let first = until(LOAD, "\"end\",");
    let found = alone(&journal(
        "one",
        0,
        &[],
        &format!("{first}\n{}", again.trim_start()),
    ));
    let starts: Vec<&Value> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["start"])
        .collect();
    assert_eq!(starts, [2.0, 12.0]);
    assert_eq!(found[0]["curves"], found[1]["curves"]);
}

#[test]
fn load_tests_of_merged_runs_have_the_names_of_their_runs() {
    let both = [
        journal("one", 0, &[], LOAD),
        journal("two", 60_000_000, &[], LOAD),
    ]
    .concat();
    let found = alone(&both);
    assert_eq!(
        (&found[0]["run"], &found[1]["run"]),
        (&json!("run 1"), &json!("run 2"))
    );
    assert_eq!(found[1]["start"], json!(62.0));
}

#[test]
fn a_long_load_test_has_a_limited_number_of_points_that_do_not_lose_its_worst_second() {
    let seconds = (1..=7200).map(|second: u64| {
        let (at, took) = (second * 1_000_000, if second == 4321 { 9_000_000 } else { 1000 });
        format!(
            "{{\"e\":\"loadsecond\",\"t\":0,\"at\":{at},\"s\":{second},\"n\":10,\"took\":[1000,1000,{took},{took}],\
             \"load\":{{\"users\":1,\"target\":1.0,\"started\":10}}}}\n"
        )
    });
    let events = format!("{}\n{}", until(LOAD, "loadsecond"), seconds.collect::<String>());
    let curves = &alone(&journal("one", 0, &[], &events))[0]["curves"];
    let column = |name: &str| curves["series"][0][name].as_array().expect("a column").clone();
    assert_eq!((&curves["every"], column("n").len()), (&json!(4), 1800));
    assert_eq!(
        (&curves["at"][0], &curves["at"][1799]),
        (&json!(4.0), &json!(7200.0))
    );
    assert_eq!((&column("n")[0], &column("p99")[0]), (&json!(40), &json!(0.001)));
    assert_eq!(column("p99")[1080], json!(9.0));
}

#[test]
fn the_earlier_load_test_has_the_same_node_id_and_plan_and_was_not_broken_off() {
    let now = journal("now", 1_000_000_000, &[], LOAD);
    let before = |events: &str| {
        let mut earlier = Earlier::default();
        earlier.add(
            &merged(&journal("before", 5_000_000, &[], events)),
            &mut keys(&merged(&now)),
        );
        load_of(&now, &earlier)[0]["before"].clone()
    };
    let found = before(LOAD);
    assert_eq!(
        (&found["run"], &found["started"]),
        (&json!("before"), &json!(5.0))
    );
    assert_eq!(found["curves"]["at"], json!([1.0, 2.0]));
    assert_eq!(before(&LOAD.replace("10 users", "20 users")), Value::Null);
    assert_eq!(before(&LOAD.replace("test_shop", "test_other")), Value::Null);
    assert_eq!(before(&LOAD.replace("\"complete\"", "\"aborted\"")), Value::Null);
}

#[test]
fn the_earlier_load_test_is_the_latest_in_the_journals_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let names = [
        "20260131T090500-1",
        "20260131T090600-1",
        "20260131T090700-1",
        "20260131T090800-1",
    ];
    let runs = [LOAD, LOAD, ONE_PROCESS, LOAD];
    for (name, (number, events)) in names.iter().zip((1..).zip(runs)) {
        let text = journal(&format!("run {number}"), number * 60_000_000, &[], events);
        fs::write(directory.path().join(format!("{name}.jsonl")), text).expect("a file");
    }
    let last = directory.path().join("20260131T090800-1.jsonl");
    let now = fs::read_to_string(&last).expect("a text");
    let earlier = Earlier::find(&last, &merged(&now));
    assert_eq!(load_of(&now, &earlier)[0]["before"]["run"], json!("run 2"));
}
