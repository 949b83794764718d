//! Random numbers (splitmix64): a suite depends only on its seed.

/// A source of random numbers.
pub(crate) struct Dice(u64);

impl Dice {
    /// A generator with this seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number greater than 0 and less than 1.
    fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.bits() >> 32).unwrap_or(u32::MAX);
        (f64::from(bits) + 0.5) / (f64::from(u32::MAX) + 1.0)
    }

    /// An integer, both ends included.
    pub(crate) fn integer(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high - low) + 1;
        low + u32::try_from(self.bits() % span).unwrap_or(0)
    }

    /// Uniformly distributed.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.fraction() * (high - low)
    }

    /// Log-uniformly distributed: as often between 1 and 10 as between 10 and 100.
    pub(crate) fn magnitude(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.fraction())
    }

    /// Lognormal; `spread` is the standard deviation of the logarithm.
    pub(crate) fn lognormal(&mut self, median: f64, spread: f64) -> f64 {
        let (radius, angle) = (self.fraction(), self.fraction());
        let normal = (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        median * (spread * normal).exp()
    }

    /// Pareto: the smaller `shape`, the heavier the tail.
    pub(crate) fn pareto(&mut self, least: f64, shape: f64) -> f64 {
        least / self.fraction().powf(1.0 / shape)
    }

    /// Shuffles the items.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let span = u64::try_from(last).unwrap_or(u64::MAX) + 1;
            items.swap(last, usize::try_from(self.bits() % span).unwrap_or(last));
        }
    }
}
