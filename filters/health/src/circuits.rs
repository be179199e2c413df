//! The breakers of one machine: by identity, each with what this machine counted and the record that all share.
//!
//! What a request reads lies here, in the machine's own memory. Shared data is touched when a breaker is first met,
//! when one changes, and by the tick (`sharing`). A record is changed by compare-and-swap, and only who wins tells of
//! it; where the host refuses shared data, each machine decides by itself.

use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::breaker::{Record, State, Why};
use crate::facts::Facts;
use crate::host::{Host, Refused};
use crate::report::{log, Counter, Metrics, Names, Reason};
use crate::rule::{Forced, Rule};
use crate::shared::{read_record, record_key, write_record};
use crate::sharing::Publisher;
use crate::window::{Counts, Window};

/// Attempts to change a record that others change as well.
const ATTEMPTS: u32 = 4;

/// One breaker, as one machine sees it.
pub struct Circuit {
    /// Whose it is.
    pub names: Names,
    /// Its rule.
    pub rule: Rule,
    /// The shared record, as last seen.
    pub record: Record,
    /// Failures in a row.
    pub run: u32,
    /// What this machine counted.
    pub window: Window,
    /// What the others counted, as last published.
    pub peers: Counts,
    /// What the routes say an operator forces.
    pub wanted: Forced,
    /// Requests sent elsewhere and not yet told.
    pub remapped: u64,
    /// Requests answered 503 and not yet told.
    pub rejected: u64,
    /// When a route last asked for it.
    pub used_ms: u64,
    /// Its metrics.
    pub metrics: Metrics,
}

impl Circuit {
    /// The window of all machines.
    pub fn counts(&mut self, now_ms: u64) -> Counts {
        self.window.sum(now_ms / 1000).plus(self.peers)
    }

    /// Percent of its users that it takes, with what a route says an operator forces.
    pub fn share(&self, forced: Forced, now_ms: u64) -> u32 {
        match forced {
            Forced::Open => 0,
            Forced::Closed => 100,
            Forced::No => self.record.share(&self.rule, now_ms),
        }
    }

    /// Takes a record that is newer. What was counted belongs to the state that is over.
    pub fn adopt(&mut self, record: Record) {
        if record.epoch != self.record.epoch {
            self.run = 0;
            self.window = Window::default();
            self.peers = Counts::default();
        }
        self.record = record;
    }

    /// Whether `other` was written before what this machine knows.
    pub fn is_newer_than(&self, other: &Record) -> bool {
        self.record.epoch != other.epoch && self.record.epoch.wrapping_sub(other.epoch) < u32::MAX / 2
    }
}

/// All of them.
#[derive(Default)]
pub struct Circuits {
    pub(crate) by_identity: BTreeMap<u64, Circuit>,
    pub(crate) now_ms: u64,
    pub(crate) publisher: Publisher,
    is_ticking: bool,
}

impl Circuits {
    /// Most breakers that one machine holds; when they are more, it begins anew from shared data.
    pub const MOST: usize = 4_096;
    /// How often the clock is read and counts are exchanged.
    pub const TICK_MS: u32 = 250;

    /// Number of breakers held, for tests.
    pub fn len(&self) -> usize {
        self.by_identity.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.by_identity.is_empty()
    }

    /// Percent of its users that a cluster takes, for tests; all, where nobody has met it.
    pub fn share_of(&self, cluster: &str) -> u32 {
        let found = self.by_identity.values().find(|circuit| circuit.names.cluster == cluster);
        found.map_or(100, |circuit| circuit.share(circuit.wanted, self.now_ms))
    }

    /// Asks the host for ticks. A host without them has its clock read by every request instead.
    pub fn begin<H: Host>(&mut self, host: &mut H) {
        self.is_ticking = host.tick_every(Self::TICK_MS).is_ok();
    }

    /// Reads the clock; a host that has none leaves time standing.
    pub fn read_clock<H: Host>(&mut self, host: &mut H) {
        self.now_ms = host.now_ns().map_or(self.now_ms, |now| now / 1_000_000);
    }

    /// Reads the clock where no tick does.
    pub fn read_clock_without_ticks<H: Host>(&mut self, host: &mut H) {
        if !self.is_ticking {
            self.read_clock(host);
        }
    }

    /// A number by chance, or one made from the time where the host has none.
    pub(crate) fn chance<H: Host>(&self, host: &mut H) -> u64 {
        host.random().unwrap_or_else(|_| crate::remap::second(self.now_ms))
    }

    /// The breaker of the segment `at`, met for the first time or known. None only without breakers.
    pub(crate) fn meet<H: Host>(&mut self, host: &mut H, facts: &Facts, at: usize) -> Option<&mut Circuit> {
        let breakers = facts.breakers.as_ref()?;
        let identity = *breakers.identities.get(at)?;
        if !self.by_identity.contains_key(&identity) {
            if self.by_identity.len() >= Self::MOST {
                self.by_identity.clear();
            }
            self.read_clock(host);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let cluster = text(&facts.split.get(at)?.cluster);
            let names = Names { service: text(&facts.service), env: text(&facts.env), cluster };
            let circuit = first_met(host, identity, names, breakers.rule);
            self.by_identity.insert(identity, circuit);
        }
        let forced = breakers.forced.get(at).copied().unwrap_or_default();
        let circuit = self.by_identity.get_mut(&identity)?;
        circuit.used_ms = self.now_ms;
        circuit.wanted = forced;
        Some(circuit)
    }

    /// Changes a record by `step`, which gives the next one or None to leave it. True for who made the change.
    pub(crate) fn change<H: Host>(
        &mut self,
        host: &mut H,
        identity: u64,
        why: Why,
        step: impl Fn(Record) -> Option<Record>,
    ) -> bool {
        let now = self.now_ms;
        let Some(circuit) = self.by_identity.get_mut(&identity) else {
            return false;
        };
        let key = record_key(identity);
        for _ in 0..ATTEMPTS {
            let (shared, cas, can_share) = match host.shared(&key) {
                Ok((bytes, cas)) => (read_record(&bytes), cas, true),
                Err(refused) => (None, 0, refused == Refused::NOT_FOUND),
            };
            if let Some(record) = shared.filter(|record| !circuit.is_newer_than(record)) {
                circuit.adopt(record);
            }
            let before = circuit.record;
            let Some(next) = step(before) else {
                return false;
            };
            if can_share && host.set_shared(&key, &write_record(&next), cas) == Err(Refused::CAS_MISMATCH) {
                continue;
            }
            let reason = Reason { run: circuit.run, counts: circuit.counts(now) };
            circuit.adopt(next);
            tell(host, circuit, &before, why, reason);
            return true;
        }
        false
    }
}

/// Takes what is shared of a breaker; where nothing is yet, writes its beginning.
fn first_met<H: Host>(host: &mut H, identity: u64, names: Names, rule: Rule) -> Circuit {
    let metrics = Metrics::define(host, &names);
    let key = record_key(identity);
    let found = host.shared(&key).ok().and_then(|(bytes, _)| read_record(&bytes));
    let record = found.unwrap_or_else(|| {
        let _ = host.set_shared(&key, &write_record(&Record::default()), 0);
        metrics.show(host, &Record::default());
        Record::default()
    });
    Circuit {
        names,
        rule,
        record,
        run: 0,
        window: Window::default(),
        peers: Counts::default(),
        wanted: Forced::No,
        remapped: 0,
        rejected: 0,
        used_ms: 0,
        metrics,
    }
}

fn tell<H: Host>(host: &mut H, circuit: &Circuit, before: &Record, why: Why, reason: Reason) {
    let Circuit { record, metrics, names, .. } = circuit;
    if record.lease_ms != before.lease_ms && record.lease_ms != 0 {
        metrics.count(host, Counter::Probes, 1);
    }
    if record.epoch == before.epoch {
        return;
    }
    if record.state == State::Open && before.state != State::Open {
        metrics.count(host, Counter::Opens, 1);
    }
    metrics.show(host, record);
    log(host, names, before, record, why, reason);
}
