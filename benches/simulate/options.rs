//! The command line.

use super::dice::Dice;
use super::families::{FAMILIES, Family};

/// The output of `--help`.
pub(crate) const USAGE: &str = "\
Runs random test suites through scheduling policies, in virtual time.

cargo bench --bench simulate -- [--quick] [--family NAME]... [--workers N]... [--suites N]
                               [--seed N] [FILE]...

  --quick        a few suites of each family
  --family NAME  only this family
  --workers N    only with so many workers, not with 2, 4, 8 and 16
  --suites N     so many suites of each family
  --seed N       other suites
  FILE           a recorded suite instead of random ones: what `rustpar history export --format csv` has
                 written; what comes before `::` is the file
";

/// The default numbers of workers.
const WORKERS: [u32; 4] = [2, 4, 8, 16];

/// Number of suites of a family. The medians of two seeds differ by 0.04 at most for `load` and `worksteal`, by 0.15
/// for `loadscope`; all families take 15 s of CPU time.
const SUITES: u64 = 600;

/// Two suites for each number of workers.
const QUICK_SUITES: u64 = 8;

/// What to simulate.
pub(crate) struct Options {
    suites: u64,
    seed: u64,
    only: Vec<String>,
    /// The numbers of workers: random suites use them in turn, a recorded suite runs with each.
    pub(crate) workers: Vec<u32>,
    /// Files of recorded suites.
    pub(crate) files: Vec<String>,
}

impl Options {
    /// Parses the arguments; returns `None` if they ask for help.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self {
            suites: SUITES,
            seed: 0,
            only: Vec::new(),
            workers: Vec::new(),
            files: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--quick" => options.suites = QUICK_SUITES,
                "--suites" => options.suites = number(arguments.next())?,
                "--workers" => options.workers.push(number(arguments.next())?),
                "--seed" => options.seed = number(arguments.next())?,
                "--family" => options
                    .only
                    .push(arguments.next().ok_or("--family needs a name")?),
                option if option.starts_with('-') => return Err(format!("unknown option {option}")),
                _ => options.files.push(argument),
            }
        }
        if options.workers.contains(&0) {
            return Err("at least one worker is needed".to_owned());
        }
        if options.workers.is_empty() {
            options.workers.extend(WORKERS);
        }
        Ok(Some(options))
    }

    /// The families to simulate.
    pub(crate) fn families(&self) -> Result<Vec<(&'static str, Family)>, String> {
        if self.only.is_empty() {
            let all = if self.files.is_empty() { &FAMILIES[..] } else { &[] };
            return Ok(all.to_vec());
        }
        let find = |only: &String| {
            let family = FAMILIES.iter().find(|(name, _)| name == only);
            family.copied().ok_or_else(|| {
                let names = FAMILIES.map(|(name, _)| name).join(", ");
                format!("no family {only}; there are {names}")
            })
        };
        self.only.iter().map(find).collect()
    }

    /// The number of workers and the random generator for each suite of a family.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = (u32, Dice)> {
        let first = self.seed.wrapping_mul(1 << 32);
        (first..first + self.suites)
            .map(Dice::new)
            .zip(self.workers.iter().copied().cycle())
            .map(|(dice, workers)| (workers, dice))
    }
}

fn number<N: std::str::FromStr>(argument: Option<String>) -> Result<N, String> {
    let argument = argument.ok_or("missing number")?;
    argument
        .parse()
        .map_err(|_| format!("{argument} is not a number"))
}
