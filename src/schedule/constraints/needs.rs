//! What a test must have for itself, or with few others, while it runs.
//!
//! The hazard it handles: a test that waits for a second resource while it holds a first one can wait for ever. So all
//! that a test needs is taken together or not at all, and nobody waits while holding.

/// Number of a named resource.
pub type Resource = u32;

/// What a test needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// Nothing else runs meanwhile.
    pub serial: bool,
    /// Resources, each at most once and in ascending order, and whether the place may be shared with others that share.
    pub holds: Vec<(Resource, bool)>,
}

impl Needs {
    /// Whether it needs nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.serial && self.holds.is_empty()
    }

    /// What two tests need that are to run as one. What only one of them shares, both need alone.
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

/// Who holds what.
///
/// A resource has a number of places. Who holds it alone takes one; all who share it take one together.
#[derive(Debug)]
pub(super) struct Resources {
    places: Vec<u32>,
    alone: Vec<u32>,
    sharing: Vec<u32>,
}

impl Resources {
    /// Resources with so many places each, at least one.
    pub(super) fn new(places: Vec<u32>) -> Self {
        Self {
            alone: vec![0; places.len()],
            sharing: vec![0; places.len()],
            places: places.into_iter().map(|count| count.max(1)).collect(),
        }
    }

    /// Whether all that is needed could be taken.
    pub(super) fn are_free(&self, needs: &Needs) -> bool {
        let is_free = |&(resource, shared): &(Resource, bool)| {
            let resource = resource as usize;
            let sharing = self.sharing[resource] > 0;
            (shared && sharing) || self.alone[resource] + u32::from(sharing) < self.places[resource]
        };
        needs.holds.iter().all(is_free)
    }

    /// Takes all that is needed, or nothing. Whether it could be taken.
    pub(super) fn take(&mut self, needs: &Needs) -> bool {
        let free = self.are_free(needs);
        if free {
            for &(resource, shared) in &needs.holds {
                self.holders(shared)[resource as usize] += 1;
            }
        }
        free
    }

    /// Gives back what was taken.
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
    fn a_resource_has_so_many_places() {
        let mut resources = Resources::new(vec![2]);
        let one = needs(&[(0, false)]);
        assert!(resources.take(&one) && resources.take(&one));
        assert!(!resources.take(&one));
        resources.give_back(&one);
        assert!(resources.take(&one));
    }

    #[test]
    fn those_who_share_take_one_place_together() {
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
    fn all_is_taken_or_nothing() {
        let mut resources = Resources::new(vec![1, 1]);
        assert!(resources.take(&needs(&[(1, false)])));
        assert!(!resources.take(&needs(&[(0, false), (1, false)])));
        assert!(resources.take(&needs(&[(0, false)])));
    }

    #[test]
    fn a_union_needs_what_either_needs_and_shares_what_both_share() {
        let union = needs(&[(0, true), (2, true)]).union(&needs(&[(1, false), (2, false)]));
        assert_eq!(union, needs(&[(0, true), (1, false), (2, false)]));
    }
}
