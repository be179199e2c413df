//! The state machine of one breaker: a record in, a record out. Time and chance are arguments.
//!
//! ```text
//! closed -> open -> probing -> ramp -> closed
//! ```
//! [`EDGES`] is the whole of it, and `docs/breaker.md` prints it. A record is all that machines share of a breaker;
//! what led to it (windows, runs) is each machine's own.

use crate::rule::{Forced, Rule};

/// How long a probe may take before another one may start: a lost one never blocks the way back.
pub const LEASE_MS: u64 = 5_000;
/// Failed probes that open again.
pub const BAD_PROBES: u8 = 2;
/// Percent of its users that a subset gets back, step by step.
pub const STEPS: [u32; 5] = [10, 25, 50, 75, 100];
/// Clocks of one machine's threads differ by less; a time further ahead was written before the clock was set back.
const SKEW_MS: u64 = 5_000;
/// A subset that was well for so long is forgiven one earlier opening.
const FORGIVEN_MS: u64 = 10_000;

/// The states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Everything goes there.
    #[default]
    Closed,
    /// Nothing goes there.
    Open,
    /// One request at a time goes there.
    Probing,
    /// A growing part of its users goes there.
    Ramp,
}

/// Why a breaker changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// So many failures in a row.
    Consecutive,
    /// Such a part of the window failed.
    Errors,
    /// Such a part of the window was slow.
    Slow,
    /// It has been open for its time.
    Due,
    /// Enough probes were good.
    GoodProbes,
    /// Too many probes were bad.
    BadProbes,
    /// Every step of the ramp went well.
    Ramped,
    /// Every other subset fails as well.
    Shared,
    /// An operator forces it, or no longer does.
    Operator,
}

/// Every way from one state to another.
pub const EDGES: [(State, State, Why); 12] = [
    (State::Closed, State::Open, Why::Consecutive),
    (State::Closed, State::Open, Why::Errors),
    (State::Closed, State::Open, Why::Slow),
    (State::Open, State::Probing, Why::Due),
    (State::Open, State::Closed, Why::Shared),
    (State::Probing, State::Ramp, Why::GoodProbes),
    (State::Probing, State::Open, Why::BadProbes),
    (State::Probing, State::Closed, Why::Shared),
    (State::Ramp, State::Open, Why::Consecutive),
    (State::Ramp, State::Open, Why::Errors),
    (State::Ramp, State::Open, Why::Slow),
    (State::Ramp, State::Closed, Why::Ramped),
];

/// What is shared of one breaker. Times are milliseconds of wall time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Grows with every change of state, so that what was begun before one is told from what was begun after.
    pub epoch: u32,
    /// The state.
    pub state: State,
    /// What an operator forces over the state.
    pub forced: Forced,
    /// How often it opened again without having been well in between: the exponent of the time it is open.
    pub reopened: u8,
    /// Good probes so far.
    pub good: u8,
    /// Bad probes so far.
    pub bad: u8,
    /// When the state began.
    pub since_ms: u64,
    /// Until when it is open.
    pub until_ms: u64,
    /// Until when a probe holds the lease; 0 when none does.
    pub lease_ms: u64,
}

impl Record {
    fn go(self, to: State, now: u64) -> Record {
        Record { epoch: self.epoch.wrapping_add(1), state: to, since_ms: now, good: 0, bad: 0, lease_ms: 0, ..self }
    }

    /// Opens, for `open_ms` doubled with every reopening, 20 percent more or less by `chance`, no shorter than the
    /// upstream asks for by `retry_after_ms` and no longer than `open_max_ms`.
    pub fn open(self, rule: &Rule, now: u64, chance: u64, retry_after_ms: u64) -> Record {
        let again = self.reopened.saturating_add(u8::from(self.until_ms > 0));
        let exponent = match self.state {
            State::Closed => again.saturating_sub(self.forgiven(rule, now)),
            _ => again,
        };
        let doubled = rule.open_ms.saturating_mul(1 << exponent.min(30)).min(rule.open_max_ms);
        let jittered = doubled.saturating_mul(800 + chance % 401) / 1000;
        let length = jittered.max(retry_after_ms).min(rule.open_max_ms);
        Record { until_ms: now.saturating_add(length), reopened: exponent, ..self.go(State::Open, now) }
    }

    /// Openings that the time since it closed makes forgotten.
    fn forgiven(self, rule: &Rule, now: u64) -> u8 {
        let well = now.saturating_sub(self.since_ms) / FORGIVEN_MS.max(rule.open_ms);
        u8::try_from(well).unwrap_or(u8::MAX)
    }

    /// Whether a request may be sent there as a probe.
    pub fn wants_probe(&self, rule: &Rule, now: u64) -> bool {
        match self.state {
            State::Open => is_past(self.until_ms, rule.open_max_ms, now),
            State::Probing => is_past(self.lease_ms, LEASE_MS, now),
            State::Closed | State::Ramp => false,
        }
    }

    /// Takes the lease for a probe; None when none is wanted.
    pub fn lease(self, rule: &Rule, now: u64) -> Option<Record> {
        if !self.wants_probe(rule, now) {
            return None;
        }
        let probing = if self.state == State::Open { self.go(State::Probing, now) } else { self };
        Some(Record { lease_ms: now.saturating_add(LEASE_MS), ..probing })
    }

    /// The probe with the lease `lease_ms` is over: good, bad, or without a result. None when it is of another epoch.
    /// A result that comes after its lease counts still, but does not end the lease of the next one.
    pub fn probed(self, rule: &Rule, probe: Probe, now: u64, chance: u64) -> Option<Record> {
        if self.state != State::Probing || self.epoch != probe.epoch {
            return None;
        }
        let lease_ms = if self.lease_ms == probe.lease_ms { 0 } else { self.lease_ms };
        let (good, bad) = match probe.good {
            None => (self.good, self.bad),
            Some(true) => (self.good.saturating_add(1), self.bad),
            Some(false) => (self.good, self.bad.saturating_add(1)),
        };
        if bad >= BAD_PROBES {
            return Some(self.open(rule, now, chance, probe.retry_after_ms));
        }
        if u32::from(good) >= rule.probes {
            return Some(self.go(State::Ramp, now));
        }
        Some(Record { good, bad, lease_ms, ..self })
    }

    /// The end of the ramp; None as long as it lasts, and where there is none.
    pub fn ramped(self, rule: &Rule, now: u64) -> Option<Record> {
        let is_over = self.state == State::Ramp && self.step(rule, now) >= STEPS.len() as u64;
        is_over.then(|| self.go(State::Closed, now))
    }

    /// Closes because every other subset fails as well.
    pub fn reinstated(self, now: u64) -> Option<Record> {
        matches!(self.state, State::Open | State::Probing).then(|| self.go(State::Closed, now))
    }

    /// Takes an operator's wish; None when it has it already.
    pub fn force(self, forced: Forced) -> Option<Record> {
        (self.forced != forced).then_some(Record { epoch: self.epoch.wrapping_add(1), forced, ..self })
    }

    fn step(&self, rule: &Rule, now: u64) -> u64 {
        if self.since_ms > now.saturating_add(SKEW_MS) {
            return u64::MAX;
        }
        now.saturating_sub(self.since_ms).checked_div(rule.ramp_ms).unwrap_or(u64::MAX)
    }

    /// Percent of its users that go there now, probes aside.
    pub fn share(&self, rule: &Rule, now: u64) -> u32 {
        match self.state {
            State::Closed => 100,
            State::Open | State::Probing => 0,
            State::Ramp => {
                let step = usize::try_from(self.step(rule, now)).unwrap_or(usize::MAX);
                STEPS.get(step).copied().unwrap_or(100)
            }
        }
    }

    /// Milliseconds until it may be asked again.
    pub fn wait_ms(&self, rule: &Rule, now: u64) -> u64 {
        match self.state {
            State::Open => self.until_ms.saturating_sub(now).min(rule.open_max_ms),
            _ => 0,
        }
    }
}

/// Whether `then` lies in the past, or so far ahead that the clock must have been set back since.
fn is_past(then: u64, longest: u64, now: u64) -> bool {
    then <= now || then - now > longest.saturating_add(SKEW_MS)
}

/// A probe that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The epoch it was sent in.
    pub epoch: u32,
    /// The lease it held.
    pub lease_ms: u64,
    /// Its result, None without one.
    pub good: Option<bool>,
    /// How long the answer asked to be left alone; 0 when it did not.
    pub retry_after_ms: u64,
}

#[cfg(test)]
#[path = "breaker_test.rs"]
mod tests;
