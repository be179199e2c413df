//! What a request's end means for the breaker of the subset it was assigned to.
//!
//! A subset is cut off only where that helps: not the last one that takes requests, and not for a failure that every
//! other subset has as well. A rule for the whole service (`service`) does not care: there, 503 is what is wanted.

use crate::breaker::{Probe, Record, State, Why};
use crate::circuits::{Circuit, Circuits};
use crate::classify::{classify, Class, Evidence};
use crate::facts::{Breakers, Facts};
use crate::host::Host;
use crate::place::Assigned;
use crate::rule::{Forced, Rule};
use crate::window::{Counts, SECONDS};

/// Percent of failures from which on a subset is no better place, where the rule has no percentage of its own.
const SICK: u32 = 50;
/// Earlier tries that one request counts for at most.
const MOST_TRIES: u64 = 100;

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The last try.
    pub evidence: Evidence,
    /// All tries; those before the last one failed.
    pub attempts: u64,
    /// Whether the last try went to another cluster than the assigned one.
    pub has_moved: bool,
    /// How long the answer asks to be left alone; 0 when it does not.
    pub retry_after_ms: u64,
}

/// Whether opening helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Another subset is well.
    Helps,
    /// The others fail as well.
    Shared,
    /// No other subset takes requests.
    Last,
}

impl Circuits {
    /// Counts an outcome, and opens or moves on the breaker where that is due. `retry_after` is asked only then.
    pub fn finish<H: Host>(
        &mut self,
        host: &mut H,
        facts: &Facts,
        assigned: Assigned,
        outcome: Outcome,
        retry_after: impl Fn(&mut H) -> u64,
    ) {
        let Some(breakers) = &facts.breakers else {
            return;
        };
        let Some(identity) = breakers.identities.get(assigned.segment).copied() else {
            return;
        };
        if assigned.lease_ms != 0 {
            return self.finish_probe(host, identity, assigned, outcome, retry_after);
        }
        let now = self.now_ms;
        let Some(circuit) = self.by_identity.get_mut(&identity) else {
            return;
        };
        let forced = breakers.forced.get(assigned.segment).copied().unwrap_or_default();
        let takes_outcomes = matches!(circuit.record.state, State::Closed | State::Ramp);
        if !takes_outcomes || forced != Forced::No || circuit.record.epoch != assigned.epoch {
            return;
        }
        if !count(circuit, outcome, now) {
            return;
        }
        let Some(why) = due(circuit, now) else {
            return;
        };
        // Others may have been cut off by machines that told only shared data.
        for at in 0..facts.split.len() {
            let _ = self.meet(host, facts, at);
        }
        match self.verdict(facts, breakers, assigned.segment, why) {
            Verdict::Helps => {
                self.read_clock(host);
                let (now, chance, rule) = (self.now_ms, self.chance(host), breakers.rule);
                let wait = retry_after(host);
                self.change(host, identity, why, |record| {
                    (record.epoch == assigned.epoch).then(|| record.open(&rule, now, chance, wait))
                });
            }
            Verdict::Shared => {}
            Verdict::Last => self.reinstate(host, breakers, identity),
        }
    }

    fn finish_probe<H: Host>(
        &mut self,
        host: &mut H,
        identity: u64,
        assigned: Assigned,
        outcome: Outcome,
        retry_after: impl Fn(&mut H) -> u64,
    ) {
        let Some(rule) = self.by_identity.get(&identity).map(|circuit| circuit.rule) else {
            return;
        };
        let good = answer(outcome, &rule);
        let retry_after_ms = if good == Some(false) { retry_after(host) } else { 0 };
        self.read_clock(host);
        let (now, chance) = (self.now_ms, self.chance(host));
        let probe = Probe { epoch: assigned.epoch, lease_ms: assigned.lease_ms, good, retry_after_ms };
        let why = if good == Some(true) { Why::GoodProbes } else { Why::BadProbes };
        self.change(host, identity, why, |record: Record| record.probed(&rule, probe, now, chance));
    }

    /// Whether another subset is known to be well, or, without any evidence, is the larger part of the split.
    fn verdict(&mut self, facts: &Facts, breakers: &Breakers, own: usize, why: Why) -> Verdict {
        let (now, mine) = (self.now_ms, breakers.identities.get(own).copied());
        let (mut own_weight, mut others_weight, mut is_last, mut is_unknown) = (0u64, 0u64, true, false);
        for (at, segment) in facts.split.iter().enumerate().filter(|(_, segment)| segment.weight > 0) {
            let identity = breakers.identities.get(at).copied();
            if identity == mine {
                own_weight = own_weight.saturating_add(segment.weight.into());
                continue;
            }
            others_weight = others_weight.saturating_add(segment.weight.into());
            let forced = breakers.forced.get(at).copied().unwrap_or_default();
            match identity.and_then(|identity| self.by_identity.get_mut(&identity)) {
                None if forced == Forced::Open => {}
                None => (is_last, is_unknown) = (false, true),
                Some(circuit) if circuit.share(forced, now) < 100 => {}
                Some(circuit) => {
                    is_last = false;
                    match is_well(circuit, why, now) {
                        Some(true) => return Verdict::Helps,
                        Some(false) => {}
                        None => is_unknown = true,
                    }
                }
            }
        }
        match () {
            () if breakers.rule.service => Verdict::Helps,
            () if is_last => Verdict::Last,
            () if is_unknown && own_weight <= others_weight => Verdict::Helps,
            () => Verdict::Shared,
        }
    }

    /// The last subset fails as well: whoever was cut off before it gets its users back.
    fn reinstate<H: Host>(&mut self, host: &mut H, breakers: &Breakers, own: u64) {
        self.read_clock(host);
        let now = self.now_ms;
        for (identity, forced) in breakers.identities.iter().zip(&breakers.forced) {
            if *identity != own && *forced == Forced::No {
                self.change(host, *identity, Why::Shared, |record| record.reinstated(now));
            }
        }
    }
}

/// Counts an outcome; whether anything about it was bad.
fn count(circuit: &mut Circuit, outcome: Outcome, now: u64) -> bool {
    let earlier = outcome.attempts.saturating_sub(1).min(MOST_TRIES) as u32;
    let mut counts = Counts { total: earlier, failed: earlier, slow: 0 };
    circuit.run = circuit.run.saturating_add(earlier);
    let class = if outcome.has_moved { Class::Neutral } else { classify(outcome.evidence) };
    let last = Counts { total: 1, ..Counts::default() };
    match class {
        Class::Neutral => {}
        Class::Good => counts = counts.plus(last),
        Class::Slow => counts = counts.plus(Counts { slow: 1, ..last }),
        Class::Limited => counts = counts.plus(Counts { failed: 1, ..last }),
        Class::Unreachable | Class::Failed => {
            counts = counts.plus(Counts { failed: 1, ..last });
            circuit.run = circuit.run.saturating_add(1);
        }
    }
    circuit.window.add(now / 1000, counts);
    if matches!(class, Class::Good | Class::Slow) {
        circuit.run = 0;
    }
    counts.failed > 0 || counts.slow > 0
}

/// Why the breaker should open, if it should.
fn due(circuit: &mut Circuit, now: u64) -> Option<Why> {
    let rule = circuit.rule;
    if rule.consecutive > 0 && circuit.run >= rule.consecutive {
        return Some(Why::Consecutive);
    }
    let counts = circuit.counts(now);
    match () {
        () if counts.total < rule.minimum => None,
        () if counts.failed_at_least(rule.errors) => Some(Why::Errors),
        () if rule.slow_ms > 0 && counts.slow_at_least(rule.slow) => Some(Why::Slow),
        () => None,
    }
}

/// Whether a subset is a better place than one that is about to open; None when nothing is known of it. One that has
/// only just changed its state and has answered nothing since is not known to be well.
fn is_well(circuit: &mut Circuit, why: Why, now: u64) -> Option<bool> {
    let (rule, counts) = (circuit.rule, circuit.counts(now));
    if counts.total == 0 {
        let is_settled = now.saturating_sub(circuit.record.since_ms) > SECONDS as u64 * 1000;
        return (!is_settled).then_some(false);
    }
    let is_failing = rule.consecutive > 0 && circuit.run >= rule.consecutive;
    let percent = |own: u32| if own > 0 { own } else { SICK };
    Some(!match why {
        Why::Slow => counts.slow_at_least(percent(rule.slow)),
        _ => is_failing || counts.failed_at_least(percent(rule.errors)),
    })
}

/// What an outcome says of a probe; None without a result.
fn answer(outcome: Outcome, rule: &Rule) -> Option<bool> {
    match classify(outcome.evidence) {
        Class::Neutral | Class::Unreachable => None,
        Class::Limited | Class::Failed => Some(false),
        Class::Slow => Some(rule.slow == 0),
        Class::Good => Some(outcome.attempts <= 1 && !outcome.has_moved),
    }
}
