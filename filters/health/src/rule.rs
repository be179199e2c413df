//! When a breaker opens and how it comes back: the `breaker` of a route's facts.
//!
//! A field that is missing, or not as it should be, has its default and costs only itself. Defaults and ranges are
//! those of `BreakerRule` in `xds/wire/filter_schema.py`.

use alloc::vec::Vec;

use crate::hash::xxh64;
use crate::proto::{struct_fields, Malformed, Value};

const DAY_MS: u64 = 86_400_000;

/// The rule of one breaker. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Failures in a row that open; 0 is never.
    pub consecutive: u32,
    /// Percent of failures in the window that open; 0 is never.
    pub errors: u32,
    /// Percent of slow answers that open; 0 is never.
    pub slow: u32,
    /// An answer is slow from here on; 0 is never.
    pub slow_ms: u64,
    /// Answers in the window before a percentage counts.
    pub minimum: u32,
    /// How long it is open the first time.
    pub open_ms: u64,
    /// How long it is open at most.
    pub open_max_ms: u64,
    /// Good probes that end the probing.
    pub probes: u32,
    /// Length of each step of the ramp.
    pub ramp_ms: u64,
    /// Whether requests are answered 503 when nothing is left that would take them.
    pub service: bool,
}

impl Default for Rule {
    fn default() -> Self {
        Rule {
            consecutive: 5,
            errors: 50,
            slow: 80,
            slow_ms: 0,
            minimum: 20,
            open_ms: 5_000,
            open_max_ms: 300_000,
            probes: 3,
            ramp_ms: 2_000,
            service: false,
        }
    }
}

/// What an operator wants of a breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forced {
    /// Nothing: it decides itself.
    #[default]
    No,
    /// No request goes there.
    Open,
    /// Requests go there whatever happens.
    Closed,
}

/// A rule as a route states it, and by cluster what an operator forces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// The rule.
    pub rule: Rule,
    /// Clusters and what is wanted of them.
    pub force: Vec<(Vec<u8>, Forced)>,
    /// The first field that was not as it should be.
    pub wrong: Option<&'static str>,
}

impl Stated {
    /// Reads the bytes of a `Struct`.
    pub fn read(fields: &[u8]) -> Result<Self, Malformed> {
        let mut stated = Stated::default();
        for field in struct_fields(fields) {
            let (name, value) = field?;
            stated.take(name, value)?;
        }
        let rule = &mut stated.rule;
        rule.open_max_ms = rule.open_max_ms.max(rule.open_ms);
        Ok(stated)
    }

    fn take(&mut self, name: &[u8], value: Value<'_>) -> Result<(), Malformed> {
        let rule = &mut self.rule;
        let wrong = match name {
            b"consecutive" => number(value, 0, 1_000_000, &mut rule.consecutive, "breaker.consecutive"),
            b"errors" => number(value, 0, 100, &mut rule.errors, "breaker.errors"),
            b"slow" => number(value, 0, 100, &mut rule.slow, "breaker.slow"),
            b"slow_ms" => number(value, 0, DAY_MS, &mut rule.slow_ms, "breaker.slow_ms"),
            b"minimum" => number(value, 1, 1_000_000, &mut rule.minimum, "breaker.minimum"),
            b"open_ms" => number(value, 1, DAY_MS, &mut rule.open_ms, "breaker.open_ms"),
            b"open_max_ms" => number(value, 1, DAY_MS, &mut rule.open_max_ms, "breaker.open_max_ms"),
            b"probes" => number(value, 1, 100, &mut rule.probes, "breaker.probes"),
            b"ramp_ms" => number(value, 0, DAY_MS, &mut rule.ramp_ms, "breaker.ramp_ms"),
            b"service" => flag(value, &mut rule.service),
            b"force" => self.take_force(value)?,
            _ => None,
        };
        self.wrong = self.wrong.or(wrong);
        Ok(())
    }

    fn take_force(&mut self, value: Value<'_>) -> Result<Option<&'static str>, Malformed> {
        let Value::Struct(fields) = value else {
            return Ok((value != Value::Null).then_some("breaker.force"));
        };
        let mut wrong = None;
        for field in struct_fields(fields) {
            match field? {
                (cluster, Value::Text(b"open")) => self.force.push((cluster.to_vec(), Forced::Open)),
                (cluster, Value::Text(b"closed")) => self.force.push((cluster.to_vec(), Forced::Closed)),
                _ => wrong = Some("breaker.force"),
            }
        }
        Ok(wrong)
    }

    /// What is wanted of `cluster`.
    pub fn forced(&self, cluster: &[u8]) -> Forced {
        self.force.iter().rev().find(|(name, _)| name == cluster).map_or(Forced::No, |(_, forced)| *forced)
    }
}

impl Rule {
    /// The identity of a breaker: who it is for and by which rule. A changed rule is another breaker.
    pub fn identity(&self, service: &[u8], env: &[u8], cluster: &[u8]) -> u64 {
        let mut bytes = Vec::new();
        for name in [service, env, cluster] {
            bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
            bytes.extend_from_slice(name);
        }
        for number in [self.consecutive, self.errors, self.slow, self.minimum, self.probes, u32::from(self.service)] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.slow_ms, self.open_ms, self.open_max_ms, self.ramp_ms] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        xxh64(&bytes)
    }
}

/// Takes a whole number within its range; otherwise the name of the field, and what it was before stays.
fn number<T: TryFrom<u64>>(
    value: Value<'_>,
    least: u64,
    most: u64,
    into: &mut T,
    name: &'static str,
) -> Option<&'static str> {
    let given = match value {
        Value::Null => return None,
        Value::Number(given) => given,
        _ => return Some(name),
    };
    // `as` saturates and turns NaN into 0, so the way back tells a whole number in range from anything else.
    let whole = given as u64;
    match T::try_from(whole) {
        Ok(taken) if whole as f64 == given && (least..=most).contains(&whole) => *into = taken,
        _ => return Some(name),
    }
    None
}

fn flag(value: Value<'_>, into: &mut bool) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(given) => {
            *into = given;
            None
        }
        _ => Some("breaker.service"),
    }
}

#[cfg(test)]
#[path = "rule_test.rs"]
mod tests;
