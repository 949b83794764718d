//! Handwritten journals for the tests of the code that reads journals.

use super::merged::Merged;
use super::read::parse;
use std::path::Path;

/// A run with two workers: the first one sets up a fixture and runs the slowest test.
pub(crate) const TWO_WORKERS: &str = r#"
{"e":"collected","at":0,"ids":["a.py::slow","a.py::test","b.py::test"],"usual":[1000000,null,9]}
{"e":"start","at":0,"start":"template","workers":2,"dist":"load"}
{"e":"fixture","t":0,"w":0,"key":"a::db","us":400000}
{"e":"setup","t":0,"w":0,"at":0,"us":500000,"o":"passed"}
{"e":"call","t":0,"w":0,"at":500000,"us":2900000,"o":"passed"}
{"e":"teardown","t":0,"w":0,"at":3400000,"us":100000,"o":"passed"}
{"e":"setup","t":2,"w":1,"at":0,"us":0,"o":"passed"}
{"e":"call","t":2,"w":1,"at":0,"us":9,"o":"passed"}
{"e":"call","t":1,"w":1,"at":1000000,"us":1000000,"o":"passed"}
"#;

/// A run in the main process only: one test passes, one fails.
pub(crate) const ONE_PROCESS: &str = r#"
{"e":"collected","at":0,"ids":["a.py::test_passes","a.py::test_fails"]}
{"e":"call","t":0,"w":null,"at":0,"us":10000,"o":"passed"}
{"e":"call","t":1,"w":null,"at":10000,"us":20000,"o":"failed"}
{"e":"detail","t":1,"w":null,"when":"call","message":"assert 0","path":"a.py","line":7,"text":"    def test_fails():\n>       assert 0"}
{"e":"end","at":40000,"exit":1,"warnings":0}
"#;

/// Returns a journal with this run id, start time (microseconds since the epoch), options and events.
pub(crate) fn journal(id: &str, began: u64, options: &[(&str, &str)], events: &str) -> String {
    let options = options
        .iter()
        .map(|(name, value)| format!("\"{name}\":\"{value}\""));
    let options = options.collect::<Vec<_>>().join(",");
    let versions = r#""versions":{"python":"3.12.1","pytest":"8.3.0"},"machine":{"platform":"linux"}"#;
    format!(
        "{{\"e\":\"run\",\"format\":\"rustpar-journal\",\"version\":1,\"id\":\"{id}\",\"began\":{began},\
         \"command\":[\"pytest\",\"-k\",\"one or two\"],\"options\":{{{options}}},{versions}}}\n{}",
        events.trim_start()
    )
}

/// Parses a journal and merges its runs.
pub(crate) fn merged(journal: &str) -> Merged {
    Merged::new(parse(journal.as_bytes(), Path::new("journal.jsonl")).expect("a journal"))
}
