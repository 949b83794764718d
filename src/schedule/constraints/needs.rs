//! Resources that a test needs while it runs.
//!
//! The hazard it handles: deadlock, if a test waited for a second resource while it occupies a first one. So all
//! resources of a test are taken together or not at all.

/// Number of a named resource.
pub type Resource = u32;

/// The constraints of a test.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// No other test may run at the same time.
    pub serial: bool,
    /// The resources in ascending order without duplicates, and whether each place may be shared with other readers.
    pub holds: Vec<(Resource, bool)>,
}

impl Needs {
    /// Whether there are no constraints.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.serial && self.holds.is_empty()
    }

    /// The constraints of two tests that run as one job. A resource is shared only if both share it.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut holds = self.holds.clone();
        for &(resource, shared) in &other.holds {
            match holds.binary_search_by_key(&resource, |held| held.0) {
                Ok(place) => holds[place].1 &= shared,
                Err(place) => holds.insert(place, (resource, shared)),
            }
        }
        Self {
            serial: self.serial || other.serial,
            holds,
        }
    }
}

/// The state of all resources.
///
/// A resource has a number of places. Each exclusive holder takes one; all holders that share it take one together.
#[derive(Debug)]
pub(super) struct Resources {
    places: Vec<u32>,
    alone: Vec<u32>,
    sharing: Vec<u32>,
}

impl Resources {
    /// Resources with these numbers of places, at least one each.
    pub(super) fn new(places: Vec<u32>) -> Self {
        Self {
            alone: vec![0; places.len()],
            sharing: vec![0; places.len()],
            places: places.into_iter().map(|count| count.max(1)).collect(),
        }
    }

    /// Whether all needed resources could be taken.
    pub(super) fn are_free(&self, needs: &Needs) -> bool {
        let is_free = |&(resource, shared): &(Resource, bool)| {
            let resource = resource as usize;
            let sharing = self.sharing[resource] > 0;
            (shared && sharing) || self.alone[resource] + u32::from(sharing) < self.places[resource]
        };
        needs.holds.iter().all(is_free)
    }

    /// Takes all needed resources, or none. Returns whether they were taken.
    pub(super) fn take(&mut self, needs: &Needs) -> bool {
        let free = self.are_free(needs);
        if free {
            for &(resource, shared) in &needs.holds {
                self.holders(shared)[resource as usize] += 1;
            }
        }
        free
    }

    /// Releases the resources.
    pub(super) fn give_back(&mut self, needs: &Needs) {
        for &(resource, shared) in &needs.holds {
            let holders = &mut self.holders(shared)[resource as usize];
            *holders = holders.saturating_sub(1);
        }
    }

    fn holders(&mut self, shared: bool) -> &mut Vec<u32> {
        if shared {
            &mut self.sharing
        } else {
            &mut self.alone
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(holds: &[(Resource, bool)]) -> Needs {
        Needs {
            serial: false,
            holds: holds.to_vec(),
        }
    }

    #[test]
    fn a_resource_has_a_number_of_places() {
        let mut resources = Resources::new(vec![2]);
        let one = needs(&[(0, false)]);
        assert!(resources.take(&one) && resources.take(&one));
        assert!(!resources.take(&one));
        resources.give_back(&one);
        assert!(resources.take(&one));
    }

    #[test]
    fn readers_share_one_place() {
        let mut resources = Resources::new(vec![1]);
        let (reading, writing) = (needs(&[(0, true)]), needs(&[(0, false)]));
        assert!(resources.take(&reading) && resources.take(&reading));
        assert!(!resources.take(&writing));
        resources.give_back(&reading);
        assert!(!resources.take(&writing));
        resources.give_back(&reading);
        assert!(resources.take(&writing));
        assert!(!resources.take(&reading));
    }

    #[test]
    fn all_resources_are_taken_or_none() {
        let mut resources = Resources::new(vec![1, 1]);
        assert!(resources.take(&needs(&[(1, false)])));
        assert!(!resources.take(&needs(&[(0, false), (1, false)])));
        assert!(resources.take(&needs(&[(0, false)])));
    }

    #[test]
    fn a_union_has_the_resources_of_both_and_shares_what_both_share() {
        let union = needs(&[(0, true), (2, true)]).union(&needs(&[(1, false), (2, false)]));
        assert_eq!(union, needs(&[(0, true), (1, false), (2, false)]));
    }
}
