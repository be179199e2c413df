//! Where a request goes: to its own bucket, as a probe, to another subset, or nowhere.

use alloc::vec::Vec;

use crate::breaker::Why;
use crate::circuits::Circuits;
use crate::facts::{Breakers, Facts};
use crate::hash::bucket_of;
use crate::host::Host;
use crate::remap::{is_admitted, second, substitute};
use crate::rule::Forced;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It goes to the subset at this place of the split, with this bucket.
    Go {
        /// The bucket to write.
        bucket: u16,
        /// The segment, whose breaker the outcome counts for; None without a breaker.
        assigned: Option<Assigned>,
    },
    /// It is answered 503, to be asked again after so many milliseconds.
    Reject {
        /// Until the breaker may let one through.
        after_ms: u64,
    },
}

/// What an outcome will count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// Place in the split.
    pub segment: usize,
    /// The breaker's epoch when the request was sent.
    pub epoch: u32,
    /// The lease of a probe; 0 for any other request.
    pub lease_ms: u64,
}

impl Circuits {
    /// Decides for a request whose key has the hash `first`. Without a host call as long as its own subset is closed.
    pub fn place<H: Host>(&mut self, host: &mut H, facts: &Facts, first: u64) -> Choice {
        let bucket = bucket_of(first);
        let unguarded = Choice::Go { bucket, assigned: None };
        let (Some(breakers), Some(own)) = (&facts.breakers, facts.segment(bucket)) else {
            return unguarded;
        };
        self.read_clock_without_ticks(host);
        let forced = breakers.forced.get(own).copied().unwrap_or_default();
        let Some(circuit) = self.meet(host, facts, own) else {
            return unguarded;
        };
        let epoch = circuit.record.epoch;
        let stay = Choice::Go { bucket, assigned: Some(Assigned { segment: own, epoch, lease_ms: 0 }) };
        let (used_ms, hash) = (circuit.used_ms, second(first));
        let share = circuit.share(forced, used_ms);
        if share >= 100 || (share > 0 && is_admitted(share, hash)) {
            return stay;
        }
        if forced == Forced::No && circuit.record.wants_probe(&circuit.rule, used_ms) {
            if let Some(probe) = self.probe(host, breakers, own) {
                return Choice::Go { bucket, assigned: Some(probe) };
            }
        }
        self.elsewhere(host, facts, breakers, own, hash).unwrap_or(stay)
    }

    /// Takes the lease for the request at hand. None when somebody else has it.
    fn probe<H: Host>(&mut self, host: &mut H, breakers: &Breakers, own: usize) -> Option<Assigned> {
        let identity = *breakers.identities.get(own)?;
        self.read_clock(host);
        let now = self.now_ms;
        if !self.change(host, identity, Why::Due, |record| record.lease(&breakers.rule, now)) {
            return None;
        }
        let record = self.by_identity.get(&identity)?.record;
        Some(Assigned { segment: own, epoch: record.epoch, lease_ms: record.lease_ms })
    }

    /// A healthy subset instead, or a 503 where the rule says so. None when the request had better stay.
    fn elsewhere<H: Host>(
        &mut self,
        host: &mut H,
        facts: &Facts,
        breakers: &Breakers,
        own: usize,
        hash: u64,
    ) -> Option<Choice> {
        let now = self.now_ms;
        let is_target: Vec<bool> = (0..facts.split.len())
            .map(|at| {
                let is_other = breakers.identities.get(at) != breakers.identities.get(own);
                let forced = breakers.forced.get(at).copied().unwrap_or_default();
                is_other && self.meet(host, facts, at).is_some_and(|circuit| circuit.share(forced, now) >= 100)
            })
            .collect();
        let found = substitute(&facts.split, |at| is_target.get(at).copied().unwrap_or(false), hash);
        let circuit = self.by_identity.get_mut(breakers.identities.get(own)?)?;
        if let Some(found) = found {
            circuit.remapped = circuit.remapped.saturating_add(1);
            let other = self.by_identity.get(breakers.identities.get(found.segment)?)?;
            let assigned = Assigned { segment: found.segment, epoch: other.record.epoch, lease_ms: 0 };
            return Some(Choice::Go { bucket: found.bucket, assigned: Some(assigned) });
        }
        if !breakers.rule.service {
            return None;
        }
        circuit.rejected = circuit.rejected.saturating_add(1);
        Some(Choice::Reject { after_ms: circuit.record.wait_ms(&breakers.rule, now) })
    }
}
