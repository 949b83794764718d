//! What a director passes to the policies of its classes, and what it makes of their answers.

use super::members::Queue;
use super::{Action, Demand, Director};

impl Director {
    /// Passes a demand to a class's policy, and executes or adapts its answer. Returns whether the demand is settled.
    pub(super) fn ask_policy(&mut self, class: usize, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return true;
        };
        if member.closed_by.contains(&class) {
            return false;
        }
        if demand.queued > 0 && member.queue != Queue::Class(class) {
            return true;
        }
        let policy = &mut self.classes[class].policy;
        if member.joined.insert(class) {
            member.join(demand.worker, policy.as_mut());
        }
        loop {
            let mut answer = Vec::new();
            policy.demand(demand, &mut answer);
            // A policy answers a demand with at most one action.
            match answer.pop() {
                None | Some(Action::Rest { .. }) => return true,
                Some(Action::Assign { tests, .. }) => {
                    let numbers = &self.classes[class].tests;
                    let tests = tests.into_iter().map(|test| numbers[test as usize]).collect();
                    self.assign(demand, tests, Queue::Class(class), actions);
                    return true;
                }
                Some(Action::TakeBack { worker, count, whole }) => {
                    if self
                        .members
                        .get(&worker)
                        .is_some_and(|victim| victim.queue == Queue::Class(class))
                    {
                        actions.push(Action::TakeBack { worker, count, whole });
                        return true;
                    }
                    policy.returned(worker, &[]);
                }
                Some(Action::Close { .. }) => {
                    if let Some(member) = self.members.get_mut(&demand.worker) {
                        member.closed_by.insert(class);
                    }
                    return false;
                }
            }
        }
    }

    /// Adds a worker again to the policies of classes in which tests have become pending since they closed it. Returns
    /// false if the worker must finish its last test first, which those policies would count as lost.
    pub(super) fn rejoin(&mut self, demand: Demand, actions: &mut Vec<Action>) -> bool {
        let Some(member) = self.members.get_mut(&demand.worker) else {
            return false;
        };
        if !member.rejoining.is_empty() && !member.held.is_empty() {
            self.rest(demand, actions);
            return false;
        }
        for class in std::mem::take(&mut member.rejoining) {
            member.closed_by.remove(&class);
            let policy = &mut self.classes[class].policy;
            policy.lost(demand.worker, None);
            policy.add_worker(demand.worker);
        }
        true
    }

    /// Called when tests become pending again in this class: workers that it has closed may be needed.
    pub(super) fn reopen(&mut self, class: usize) {
        if self.each.is_none() {
            for member in self
                .members
                .values_mut()
                .filter(|member| member.closed_by.contains(&class))
            {
                member.rejoining.insert(class);
            }
        }
    }
}
