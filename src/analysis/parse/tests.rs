//! Tests of parsing and printing thresholds, and of the positions in errors.

use crate::analysis::threshold::{Comparison, Figure, Kind, Limit, Threshold, Thresholds};
use proptest::prelude::*;

#[test]
fn an_error_points_at_the_character() {
    let cases = [
        ("p95<1s", 0, "unknown figure p95"),
        ("max<1s, p(95 <1s", 13, "expected ) after"),
        ("p(0)<1s", 2, "a percentile is more than 0"),
        ("max 1s", 4, "expected a comparison"),
        ("max<", 4, "expected a number"),
        ("max<500", 7, "the unit is missing"),
        ("max<5 parsecs", 6, "unknown unit parsecs"),
        ("failed_rate<1", 13, "failed_rate is compared to a percentage"),
        ("slow_count<1.5", 11, "slow_count is compared to a whole number"),
        ("max<1s min>1s", 7, "expected a comma"),
        (": max<1s", 0, "expected a marker"),
        ("count>1\n unit: <1s", 7, "expected a figure"),
        ("é: max<x", 7, "expected a number"),
    ];
    for (text, column, reason) in cases {
        let error = text.parse::<Thresholds>().expect_err(text);
        assert_eq!(error.column, column, "{error}");
        assert!(error.reason.starts_with(reason), "{error}");
    }
    let error = "max<1s, p(95)<x".parse::<Thresholds>().expect_err("no number");
    assert_eq!(
        error.to_string(),
        "expected a number\n  max<1s, p(95)<x\n                ^"
    );
}

#[test]
fn thresholds_are_printed_in_one_way() {
    let text = "p( 99.9 ) <  1.5s,\n\tunit :max<=60s,, count==3,\nfailed_rate<0.50 %";
    let thresholds: Thresholds = text.parse().expect("thresholds");
    assert_eq!(
        thresholds.to_string(),
        "p(99.9)<1500ms, unit: max<=1m, count==3, failed_rate<0.5%"
    );
    assert_eq!(thresholds.markers(), ["unit"]);
}

fn percentages() -> impl Strategy<Value = f64> {
    (1_u32..=100_000).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn thresholds() -> impl Strategy<Value = Thresholds> {
    let named = proptest::sample::select(Figure::NAMED.to_vec()).prop_map(|(_, figure)| figure);
    let figure = prop_oneof![named, percentages().prop_map(Figure::Percentile)];
    let comparison = proptest::sample::select(Comparison::ALL.to_vec());
    let marker = proptest::option::of("[a-zé][a-z0-9_]{0,5}");
    let numbers = (0..1_u64 << 40, percentages());
    let one =
        (marker, figure, comparison, numbers).prop_map(|(marker, figure, comparison, (number, percent))| {
            Threshold {
                marker,
                figure,
                comparison: comparison.1,
                limit: match figure.kind() {
                    Kind::Time => Limit::Time(number),
                    Kind::Count => Limit::Count(number),
                    Kind::Rate => Limit::Rate(percent),
                },
            }
        });
    proptest::collection::vec(one, 0..5).prop_map(Thresholds)
}

proptest! {
    #[test]
    fn printed_thresholds_parse_to_the_same(thresholds in thresholds()) {
        prop_assert_eq!(thresholds.to_string().parse(), Ok(thresholds));
    }

    #[test]
    fn any_text_is_parsed_or_an_error_points_into_it(text in "[a-z(),<>=%:. 0-9\n\té_]{0,30}") {
        if let Err(error) = text.parse::<Thresholds>() {
            prop_assert!(error.column <= error.line.chars().count());
        }
    }
}

#[test]
fn the_tests_with_a_marker_are_returned_in_order() {
    let thresholds: Thresholds = "slow: max<1s, db: max<1s, slow: p(95)<1s, max<9s"
        .parse()
        .unwrap();
    let marked = [
        (2, vec!["slow".to_owned(), "slow".to_owned()]),
        (5, vec!["other".to_owned()]),
        (7, vec!["db".to_owned(), "slow".to_owned()]),
    ];
    assert_eq!(
        thresholds.tests_by_marker(&marked),
        [("slow", vec![2, 7]), ("db", vec![7])]
    );
    assert_eq!(
        thresholds.tests_by_marker(&[]),
        [("slow", vec![]), ("db", vec![])]
    );
}
