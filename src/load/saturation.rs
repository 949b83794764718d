//! Whether the processes that generate the load could keep up: if not, what they measured is partly their own slowness.

/// Part of a CPU above which a process is taken for busy. Python code of one process runs on one CPU at a time; Locust
/// warns at the same figure.
const CPU_LIMIT: f64 = 0.9;

/// Start lag, in seconds, that is never too much: the resolution of a timer and a busy moment of the machine.
const LAG_ALLOWED: f64 = 0.02;

/// Part of the median duration that the start lag may reach.
const LAG_PART: f64 = 0.1;

/// Part of the seconds that must be affected.
const SECONDS_PART: f64 = 0.2;

/// Least number of seconds that must be affected: in the first one, all users start at once.
const LEAST_SECONDS: usize = 2;

/// Whether a process that used this part of a CPU was busy.
#[must_use]
pub fn is_busy(cpu: f64) -> bool {
    cpu > CPU_LIMIT
}

/// Whether iterations started late: the 95th percentile of the start lag and the median duration in seconds.
#[must_use]
pub fn is_late(lag: f64, median: f64) -> bool {
    lag > LAG_ALLOWED.max(median * LAG_PART)
}

/// What is known of the processes, second by second.
#[derive(Debug, Default)]
pub struct Saturation {
    seconds: usize,
    busy: usize,
    late: usize,
    most_cpu: f64,
    most_lag: f64,
}

impl Saturation {
    /// Adds a second: the greatest part of a CPU that a process used, the 95th percentile of the start lag and the
    /// median duration in seconds.
    pub fn add(&mut self, cpu: f64, lag: f64, median: f64) {
        self.seconds += 1;
        if is_busy(cpu) {
            self.busy += 1;
            self.most_cpu = self.most_cpu.max(cpu);
        }
        if is_late(lag, median) {
            self.late += 1;
            self.most_lag = self.most_lag.max(lag);
        }
    }

    /// Why the processes could not keep up; empty if they could.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "numbers of seconds")]
    pub fn reason(&self) -> String {
        let is_much =
            |count: usize| count >= LEAST_SECONDS && count as f64 >= self.seconds as f64 * SECONDS_PART;
        let of = |count: usize| format!("in {count} of {} seconds", self.seconds);
        if is_much(self.busy) {
            let (cpu, of) = (self.most_cpu * 100.0, of(self.busy));
            return format!("a process used {cpu:.0} % of a CPU {of}");
        }
        if is_much(self.late) {
            let (lag, of) = (self.most_lag * 1000.0, of(self.late));
            return format!("iterations started up to {lag:.0} ms late {of}");
        }
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(seconds: &[(f64, f64, f64)]) -> String {
        let mut saturation = Saturation::default();
        for (cpu, lag, median) in seconds {
            saturation.add(*cpu, *lag, *median);
        }
        saturation.reason()
    }

    #[test]
    fn a_busy_process_is_seen() {
        let busy = (0.99, 0.0, 0.01);
        let idle = (0.3, 0.0, 0.01);
        assert_eq!(
            reason(&[busy; 5]),
            "a process used 99 % of a CPU in 5 of 5 seconds"
        );
        assert_eq!(reason(&[idle, idle, idle]), "");
        assert_eq!(reason(&[busy, idle, idle]), "", "the first second");
        assert_eq!(reason(&[&[busy, busy][..], &[idle; 20]].concat()), "", "seldom");
    }

    #[test]
    fn late_starts_are_seen_in_relation_to_the_durations() {
        assert_eq!(
            reason(&[(0.1, 0.05, 0.01); 5]),
            "iterations started up to 50 ms late in 5 of 5 seconds"
        );
        assert_eq!(reason(&[(0.1, 0.05, 1.0); 5]), "");
    }
}
