//! The tick: machines publish what they counted, read what the others did, and catch up with changes.
//!
//! Each machine writes one slot, whole, and reads those of the others; the slots lie close together, so that the first
//! key without a value is the end. A slot that is not renewed for ten ticks belongs to nobody: shared data cannot be
//! deleted, and a machine that trapped does not come back under its number.

use alloc::vec::Vec;

use crate::breaker::Why;
use crate::circuits::{Circuit, Circuits};
use crate::host::{Host, Refused};
use crate::report::Counter;
use crate::rule::Forced;
use crate::shared::{read_record, read_slot, record_key, slot_key, write_record, write_slot};
use crate::shared::{Entry, Slot, MOST_SLOTS};
use crate::window::Counts;

/// Counts older than this are not added up.
const FRESH_MS: u64 = 1_000;
/// A slot older than this may be taken.
const ABANDONED_MS: u64 = 10 * Circuits::TICK_MS as u64;
/// A breaker that no route asked for is forgotten; shared data still has it.
const IDLE_MS: u64 = 600_000;

/// Where this machine publishes.
#[derive(Default)]
pub struct Publisher {
    owner: u64,
    last_ms: u64,
}

impl Circuits {
    /// A tick of any root context. Several roots tick in one machine; one is enough.
    pub fn tick<H: Host>(&mut self, host: &mut H) {
        self.read_clock(host);
        let now = self.now_ms;
        let is_early = now.checked_sub(self.publisher.last_ms).is_some_and(|ms| ms < u64::from(Self::TICK_MS) / 2);
        if self.by_identity.is_empty() || is_early {
            return;
        }
        self.publisher.last_ms = now;
        let identities: Vec<u64> = self.by_identity.keys().copied().collect();
        for identity in identities {
            self.catch_up(host, identity);
        }
        self.exchange(host);
        self.by_identity.retain(|_, circuit| now.saturating_sub(circuit.used_ms) < IDLE_MS);
    }

    /// Takes what others changed, ends what time ends, and tells what was counted since.
    fn catch_up<H: Host>(&mut self, host: &mut H, identity: u64) {
        let now = self.now_ms;
        let shared = host.shared(&record_key(identity));
        let Some(circuit) = self.by_identity.get_mut(&identity) else {
            return;
        };
        circuit.metrics.count(host, Counter::Remapped, core::mem::take(&mut circuit.remapped));
        circuit.metrics.count(host, Counter::Rejected, core::mem::take(&mut circuit.rejected));
        let found = shared.ok().and_then(|(bytes, cas)| read_record(&bytes).map(|record| (record, cas)));
        if let Some((record, cas)) = found {
            if circuit.is_newer_than(&record) {
                // Somebody began the record anew at the same time as this machine changed it.
                let mine = write_record(&circuit.record);
                let _ = host.set_shared(&record_key(identity), &mine, cas);
            } else {
                circuit.adopt(record);
            }
        }
        let (rule, record, wanted) = (circuit.rule, circuit.record, circuit.wanted);
        if record.forced != wanted {
            self.change(host, identity, Why::Operator, |record| record.force(wanted));
        } else if wanted == Forced::No && record.ramped(&rule, now).is_some() {
            self.change(host, identity, Why::Ramped, |record| record.ramped(&rule, now));
        }
    }

    /// Reads the slots of the others and writes this machine's own.
    fn exchange<H: Host>(&mut self, host: &mut H) {
        if self.publisher.owner == 0 {
            self.publisher.owner = self.chance(host) | 1;
        }
        for circuit in self.by_identity.values_mut() {
            circuit.peers = Counts::default();
        }
        let (owner, now) = (self.publisher.owner, self.now_ms);
        let (mut mine, mut free) = (None, None);
        for number in 0..MOST_SLOTS {
            let slot = match host.shared(&slot_key(number)) {
                Ok((bytes, _)) => read_slot(&bytes),
                Err(Refused::NOT_FOUND) => {
                    free = free.or(Some(number));
                    break;
                }
                // A host that refuses shared data: this machine decides by itself.
                Err(_) => return,
            };
            match slot {
                Some(slot) if slot.owner == owner => mine = Some(number),
                Some(slot) if now.abs_diff(slot.at_ms) <= ABANDONED_MS => self.add(&slot),
                _ => free = free.or(Some(number)),
            }
        }
        // Two machines may take the same number at once: the later write stays, and the other one finds at its next
        // tick that the slot is not its own.
        let Some(number) = mine.or(free) else {
            return;
        };
        let slot = Slot { owner, at_ms: now, entries: self.entries() };
        let _ = host.set_shared(&slot_key(number), &write_slot(&slot), 0);
    }

    fn add(&mut self, slot: &Slot) {
        if self.now_ms.abs_diff(slot.at_ms) > FRESH_MS {
            return;
        }
        for entry in &slot.entries {
            if let Some(circuit) = self.by_identity.get_mut(&entry.identity) {
                if circuit.record.epoch == entry.epoch {
                    circuit.peers = circuit.peers.plus(entry.counts);
                }
            }
        }
    }

    fn entries(&mut self) -> Vec<Entry> {
        let second = self.now_ms / 1000;
        let entry = |(identity, circuit): (&u64, &mut Circuit)| {
            let counts = circuit.window.sum(second);
            let epoch = circuit.record.epoch;
            (counts.total > 0).then_some(Entry { identity: *identity, epoch, counts })
        };
        self.by_identity.iter_mut().filter_map(entry).collect()
    }
}
