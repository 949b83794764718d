//! The profiles of `--rustpar-load`: how a run changes the load that marks ask for.
//!
//! ```text
//! profile  = name ":" stage { "," stage }
//! stage    = time ( ">" | "@" ) target
//! time     = number unit | number "x"
//! target   = number [ "%" ]
//! ```
//!
//! `2m>100` ramps to 100 users (or iterations per second) in 2 minutes, `4h@50` stays at 50 for 4 hours. `%` is of the
//! highest number that the mark asks for, `x` a multiple of its duration.

use super::curve::{Curve, Segment};
use super::plan::{Iterations, Model, Plan};
use crate::text::duration;

/// The profiles that need not be defined. `load` is what the mark says.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("smoke", "5s@1"),
    (
        "stress",
        "0.5x>100%, 1x@100%, 0.5x>200%, 1x@200%, 0.5x>300%, 1x@300%, 0.5x>0",
    ),
    ("spike", "0.5x@100%, 0.1x>1000%, 0.3x@1000%, 0.1x>100%, 0.5x@100%"),
    ("soak", "1x>100%, 60x@100%, 1x>0"),
];

/// The profile that changes nothing.
pub const AS_MARKED: &str = "load";

/// What is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidProfile(String);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Time {
    Seconds(f64),
    Times(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Number(f64),
    Percent(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    time: Time,
    is_ramp: bool,
    target: Target,
}

/// A profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    name: String,
    stages: Vec<Stage>,
}

impl Profile {
    /// The profile of this name, among those that are `defined`, one in each line, and those that are built in.
    ///
    /// # Errors
    /// [`InvalidProfile`].
    pub fn named(name: &str, defined: &[String]) -> Result<Self, InvalidProfile> {
        let mut known: Vec<(String, Vec<Stage>)> = Vec::new();
        for line in defined {
            let wrong = || {
                InvalidProfile(format!(
                    "invalid profile '{line}': expected for example stress: 2m>100, 2m>200 or soak: 4h@50"
                ))
            };
            let (name, stages) = line.split_once(':').ok_or_else(wrong)?;
            let name = name.trim();
            if name.is_empty() || known.iter().any(|(other, _)| other == name) {
                return Err(wrong());
            }
            known.push((name.to_owned(), parse(stages).ok_or_else(wrong)?));
        }
        let own = known.iter().find(|(other, _)| other == name);
        let stages = own.map(|(_, stages)| stages.clone()).or_else(|| {
            let found = BUILT_IN.iter().find(|(known, _)| *known == name);
            found.and_then(|(_, stages)| parse(stages))
        });
        if let Some(stages) = stages {
            return Ok(Self {
                name: name.to_owned(),
                stages,
            });
        }
        if name == AS_MARKED {
            return Ok(Self {
                name: name.to_owned(),
                stages: Vec::new(),
            });
        }
        let mut names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        names.push(AS_MARKED);
        names.extend(
            BUILT_IN
                .iter()
                .map(|(name, _)| *name)
                .filter(|one| !known.iter().any(|(own, _)| own == one)),
        );
        Err(InvalidProfile(format!(
            "unknown load profile '{name}': use {}",
            names.join(", ")
        )))
    }

    /// Changes what a mark asks for.
    ///
    /// # Errors
    /// [`InvalidProfile`] if it has multiples of a duration that the mark does not have.
    pub fn apply(&self, plan: &mut Plan) -> Result<(), InvalidProfile> {
        if self.stages.is_empty() {
            return Ok(());
        }
        let has_times = self
            .stages
            .iter()
            .any(|stage| matches!(stage.time, Time::Times(_)));
        if plan.iterations.is_some() && has_times {
            return Err(InvalidProfile(format!(
                "the load profile {} has multiples of a duration, but the mark only has iterations: write duration=...",
                self.name
            )));
        }
        let (whole, peak) = (plan.seconds(), plan.curve.peak());
        let mut from = 0.0;
        let mut segments = Vec::new();
        for stage in &self.stages {
            let seconds = match stage.time {
                Time::Seconds(seconds) => seconds,
                Time::Times(times) => times * whole,
            };
            let to = match stage.target {
                Target::Number(number) => number,
                Target::Percent(percent) => peak * percent / 100.0,
            };
            if seconds > 0.0 {
                let from = if stage.is_ramp { from } else { to };
                segments.push(Segment { seconds, from, to });
            }
            from = to;
        }
        let before = peak.max(1.0);
        plan.curve = Curve { segments };
        let peak = plan.curve.peak();
        plan.users = match plan.model {
            Model::Closed => at_least_one(peak),
            // As many in proportion, for as many iterations at the same time.
            Model::Open => at_least_one(f64::from(plan.users) * (peak / before).max(1.0)),
        };
        if matches!(
            plan.iterations,
            Some(Iterations::Shared(_) | Iterations::PerUser(_))
        ) {
            plan.iterations = None;
        }
        Ok(())
    }
}

/// A number of users for a value of a curve.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates"
)]
pub(super) fn at_least_one(value: f64) -> u32 {
    (value.round() as u32).max(1)
}

fn parse(text: &str) -> Option<Vec<Stage>> {
    let stages: Vec<Stage> = text.split(',').map(stage).collect::<Option<_>>()?;
    (!stages.is_empty()).then_some(stages)
}

fn stage(text: &str) -> Option<Stage> {
    let text = text.trim();
    let at = text.find(['>', '@'])?;
    let (time, target) = (text[..at].trim(), text[at + 1..].trim());
    let number = |text: &str| {
        text.trim()
            .parse::<f64>()
            .ok()
            .filter(|number| (0.0..1e9).contains(number))
    };
    let time = match time.strip_suffix('x') {
        Some(times) => Time::Times(number(times)?),
        None => Time::Seconds(duration::parse(time).ok()?),
    };
    let target = match target.strip_suffix('%') {
        Some(percent) => Target::Percent(number(percent)?),
        None => Target::Number(number(target)?),
    };
    Some(Stage {
        time,
        is_ramp: text[at..].starts_with('>'),
        target,
    })
}

#[cfg(test)]
mod tests {
    use super::super::mark::Mark;
    use super::*;

    fn plan(mark: Mark) -> Plan {
        mark.plan().expect("a plan")
    }

    fn ten_users() -> Plan {
        plan(Mark {
            users: Some(10.0),
            duration: Some(60.0),
            ..Mark::default()
        })
    }

    #[test]
    fn a_profile_replaces_the_stages_of_a_mark() {
        let own = ["stress: 2m>100, 2m>200".to_owned(), "soak: 4h@50".to_owned()];
        let mut changed = ten_users();
        Profile::named("stress", &own)
            .expect("known")
            .apply(&mut changed)
            .expect("possible");
        assert_eq!(changed.curve, Curve::ramps(&[(120.0, 100.0), (120.0, 200.0)]));
        assert_eq!(changed.users, 200);
        Profile::named("soak", &own)
            .expect("known")
            .apply(&mut changed)
            .expect("possible");
        assert_eq!(changed.curve, Curve::constant(50.0, 14_400.0));
    }

    #[test]
    fn the_built_in_profiles_are_multiples_of_the_mark() {
        for (name, seconds, users) in [
            ("load", 60.0, 10),
            ("smoke", 5.0, 1),
            ("stress", 300.0, 30),
            ("spike", 90.0, 100),
            ("soak", 3720.0, 10),
        ] {
            let mut changed = ten_users();
            Profile::named(name, &[])
                .expect(name)
                .apply(&mut changed)
                .expect(name);
            assert!(
                (changed.seconds() - seconds).abs() < 1e-6,
                "{name} {}",
                changed.seconds()
            );
            assert_eq!(changed.users, users, "{name}");
        }
    }

    #[test]
    fn an_unknown_profile_is_refused_with_the_known_ones() {
        let said = Profile::named("peak", &["mine: 1m@1".to_owned()])
            .expect_err("unknown")
            .to_string();
        assert_eq!(
            said,
            "unknown load profile 'peak': use mine, load, smoke, stress, spike, soak"
        );
        for wrong in ["mine", "mine:", "mine: 1m", "mine: >5", "mine: 1m@x", ": 1m@1"] {
            assert!(Profile::named("mine", &[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn multiples_of_a_duration_need_one() {
        let mut by_iterations = plan(Mark {
            users: Some(3.0),
            iterations: Some(10),
            ..Mark::default()
        });
        let error = Profile::named("stress", &[])
            .expect("known")
            .apply(&mut by_iterations);
        assert!(error.is_err());
        Profile::named("smoke", &[])
            .expect("known")
            .apply(&mut by_iterations)
            .expect("possible");
        assert_eq!(by_iterations.iterations, None);
    }
}
