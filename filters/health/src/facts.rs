//! What a route tells the filter: `filter_metadata.fairlead` of `envoy.config.core.v3.Metadata`, read once per content.
//!
//! The facts ride in the route, so weights, key and salt change in one version with it. A field of the wrong type is
//! left out, with a word in the log, and costs only itself.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::hash::xxh64;
use crate::host::{Host, Level};
use crate::key::Key;
use crate::proto::{list_items, map_entry, struct_field, Malformed, Value};
use crate::rule::{Forced, Rule, Stated};

const NAMESPACE: &[u8] = b"fairlead";
/// More segments than any split has; what is longer is not read.
const MAX_SEGMENTS: usize = 1024;

/// One segment of a split: a cluster and its weight in 10,000ths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Name of the cluster.
    pub cluster: Vec<u8>,
    /// Buckets that belong to it.
    pub weight: u32,
}

/// The breakers of one route, one for each segment of its split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakers {
    /// The rule of all of them.
    pub rule: Rule,
    /// Who they are; segments of one cluster have the same.
    pub identities: Vec<u64>,
    /// What an operator forces.
    pub forced: Vec<Forced>,
}

/// The facts of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where the key comes from; None leaves it to the defaults.
    pub key: Option<Key>,
    /// The salt; None leaves it to the defaults.
    pub salt: Option<Vec<u8>>,
    /// The split's segments in their order; empty when the route is not split.
    pub split: Vec<Segment>,
    /// The service that it leads to.
    pub service: Vec<u8>,
    /// Where that service runs; empty is the default.
    pub env: Vec<u8>,
    /// The breakers; None when the route has none, or no split for them.
    pub breakers: Option<Breakers>,
    /// Names of fields that were there but not as they should be.
    pub wrong: Vec<&'static str>,
}

impl Facts {
    /// Reads a serialised `Metadata`; None when it holds nothing for this filter.
    pub fn read(metadata: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(fields) = map_entry(metadata, 1, NAMESPACE)? else {
            return Ok(None);
        };
        let mut facts = Facts::default();
        match struct_field(fields, "salt")? {
            Value::Null => {}
            Value::Text(salt) => facts.salt = Some(salt.to_vec()),
            _ => facts.wrong.push("salt"),
        }
        match struct_field(fields, "key")? {
            Value::Null => {}
            Value::Struct(key) => match read_key(key)? {
                Some(key) => facts.key = Some(key),
                None => facts.wrong.push("key"),
            },
            _ => facts.wrong.push("key"),
        }
        match struct_field(fields, "split")? {
            Value::Null => {}
            Value::List(items) => match read_split(items)? {
                Some(split) => facts.split = split,
                None => facts.wrong.push("split"),
            },
            _ => facts.wrong.push("split"),
        }
        for (name, place) in [("service", &mut facts.service), ("env", &mut facts.env)] {
            match struct_field(fields, name)? {
                Value::Null => {}
                Value::Text(text) => *place = text.to_vec(),
                _ => facts.wrong.push(name),
            }
        }
        match struct_field(fields, "breaker")? {
            Value::Null => {}
            Value::Struct(stated) => facts.guard(Stated::read(stated)?),
            _ => facts.wrong.push("breaker"),
        }
        Ok(Some(facts))
    }

    fn guard(&mut self, stated: Stated) {
        self.wrong.extend(stated.wrong);
        if self.split.is_empty() {
            self.wrong.push("breaker");
            return;
        }
        let identity = |segment: &Segment| stated.rule.identity(&self.service, &self.env, &segment.cluster);
        let identities = self.split.iter().map(identity).collect();
        let forced = self.split.iter().map(|segment| stated.forced(&segment.cluster)).collect();
        self.breakers = Some(Breakers { rule: stated.rule, identities, forced });
    }

    /// The place of the segment that `bucket` falls into: half-open intervals in the order of the split, as Envoy
    /// counts them.
    pub fn segment(&self, bucket: u16) -> Option<usize> {
        let mut end = 0u32;
        self.split.iter().position(|segment| {
            end = end.saturating_add(segment.weight);
            u32::from(bucket) < end
        })
    }
}

fn read_key(key: &[u8]) -> Result<Option<Key>, Malformed> {
    let header = struct_field(key, "header")?;
    let cookie = struct_field(key, "cookie")?;
    let source = struct_field(key, "source")?;
    Ok(match (header, cookie, source) {
        (Value::Text(name), Value::Null, Value::Null) if !name.is_empty() => Some(Key::header(name)),
        (Value::Null, Value::Text(name), Value::Null) if !name.is_empty() => Some(Key::Cookie(name.to_vec())),
        (Value::Null, Value::Null, Value::Bool(true)) => Some(Key::Source),
        _ => None,
    })
}

fn read_split(items: &[u8]) -> Result<Option<Vec<Segment>>, Malformed> {
    let mut split = Vec::new();
    for item in list_items(items) {
        let Value::List(pair) = item? else {
            return Ok(None);
        };
        let mut pair = list_items(pair);
        let (Some(cluster), Some(weight), None) = (pair.next(), pair.next(), pair.next()) else {
            return Ok(None);
        };
        let (Value::Text(cluster), Value::Number(weight)) = (cluster?, weight?) else {
            return Ok(None);
        };
        // `as` saturates and turns NaN into 0, so the way back tells a whole number in range from anything else.
        let whole = weight as u32;
        if f64::from(whole) != weight || whole > 10_000 || split.len() >= MAX_SEGMENTS {
            return Ok(None);
        }
        split.push(Segment { cluster: cluster.to_vec(), weight: whole });
    }
    Ok(Some(split))
}

/// Facts by the bytes they were read from. Bounded: when it is full it starts anew, and a few routes are read again.
#[derive(Default)]
pub struct FactsCache {
    entries: BTreeMap<u64, (Vec<u8>, Option<Rc<Facts>>)>,
    held: usize,
}

impl FactsCache {
    /// Most contents held at once.
    pub const MOST: usize = 512;
    /// Most bytes of metadata held at once.
    pub const MOST_BYTES: usize = 2 << 20;

    /// The facts in `metadata`. Content that cannot be read counts as a route without facts.
    pub fn facts<H: Host>(&mut self, host: &mut H, metadata: Vec<u8>) -> Option<Rc<Facts>> {
        let hash = xxh64(&metadata);
        if let Some((bytes, facts)) = self.entries.get(&hash) {
            if *bytes == metadata {
                return facts.clone();
            }
        }
        let facts = read_or_tell(host, &metadata).map(Rc::new);
        let full = self.entries.len() >= Self::MOST || self.held.saturating_add(metadata.len()) > Self::MOST_BYTES;
        if full {
            self.entries.clear();
            self.held = 0;
        }
        if metadata.len() <= Self::MOST_BYTES {
            self.held = self.held.saturating_add(metadata.len());
            if let Some((old, _)) = self.entries.insert(hash, (metadata, facts.clone())) {
                self.held = self.held.saturating_sub(old.len());
            }
        }
        facts
    }

    /// Number of contents held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn read_or_tell<H: Host>(host: &mut H, metadata: &[u8]) -> Option<Facts> {
    match Facts::read(metadata) {
        Ok(facts) => {
            if let Some(name) = facts.as_ref().and_then(|facts| facts.wrong.first()) {
                host.log(
                    Level::Warn,
                    &alloc::format!("fairlead.health: a route's `{name}` is not understood, ignored"),
                );
            }
            facts
        }
        Err(Malformed) => {
            host.log(Level::Warn, "fairlead.health: a route's metadata cannot be read, ignored");
            None
        }
    }
}

#[cfg(test)]
#[path = "facts_test.rs"]
mod tests;
