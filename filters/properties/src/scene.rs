//! A service in several versions, some of which fail, behind one machine of the filter.

use std::collections::BTreeMap;

use health::ending::{ATTEMPTS, CODE, FLAGS};
use health::fake_host::{FakeHost, Shared};
use health::filter::{Action, Filter};
use health::routes::ROUTE_METADATA;
use health::structs::{entry, fields, list, metadata, number, pair, text};

/// When scenes begin, in milliseconds of wall time.
const START: u64 = 1_750_000_000_000;
const TICK_MS: u64 = 250;

/// A rule's numbers by their names.
pub type Numbers = Vec<(&'static str, u32)>;

/// One machine and what it stands before.
pub struct Scene {
    pub filter: Filter,
    pub host: FakeHost,
    split: Vec<(String, u32)>,
    next: u32,
}

/// Where a request went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Went {
    pub context: u32,
    pub bucket: u16,
    pub segment: usize,
}

/// A route to a split of `weights`; `forced` are operator's words by place.
pub fn route(weights: &[u32], rule: &Numbers, forced: &BTreeMap<usize, &str>) -> Vec<u8> {
    let split: Vec<_> = weights.iter().enumerate().map(|(at, weight)| pair(&cluster(at), (*weight).into())).collect();
    let forced: Vec<_> = forced.iter().map(|(at, word)| entry(&cluster(*at), &text(word))).collect();
    let mut breaker: Vec<_> = rule.iter().map(|(name, value)| entry(name, &number((*value).into()))).collect();
    breaker.push(entry("force", &fields(&forced)));
    metadata(&[
        entry("service", &text("web")),
        entry("salt", &text("s")),
        entry("key", &fields(&[entry("header", &text("x-user"))])),
        entry("split", &list(&split)),
        entry("breaker", &fields(&breaker)),
    ])
}

fn cluster(at: usize) -> String {
    format!("web/{at}")
}

impl Scene {
    pub fn new(weights: &[u32], rule: &Numbers, forced: &BTreeMap<usize, &str>, shared: &Shared) -> Self {
        let mut host = FakeHost { now_ms: START, random: 200, shared: shared.clone(), ..FakeHost::default() };
        host.properties.insert(ROUTE_METADATA.to_vec(), route(weights, rule, forced));
        let mut filter = Filter::default();
        filter.context_create(1, 0);
        assert!(filter.configure(&mut host, 1, 0));
        let split = weights.iter().enumerate().map(|(at, weight)| (cluster(at), *weight)).collect();
        Scene { filter, host, split, next: 10 }
    }

    /// Sends a request; None when the filter answers it. The weights add up to all buckets.
    pub fn ask(&mut self, user: &str) -> Option<Went> {
        self.next += 1;
        self.filter.context_create(self.next, 1);
        self.host.headers = [(b"x-user".to_vec(), user.as_bytes().to_vec())].to_vec();
        let action = self.filter.request_headers(&mut self.host, self.next);
        self.host.calls.clear();
        if action == Action::Stop {
            return None;
        }
        let written = self.host.header(b"x-fairlead-bucket").expect("a bucket");
        let bucket: u16 = std::str::from_utf8(written).expect("digits").parse().expect("a number");
        let mut end = 0;
        let owns = |(_, weight): &(String, u32)| {
            end += weight;
            u32::from(bucket) < end
        };
        let segment = self.split.iter().position(owns).expect("within the split");
        Some(Went { context: self.next, bucket, segment })
    }

    /// The answer to a request.
    pub fn answer(&mut self, context: u32, code: u64) {
        for (path, value) in [(CODE, code), (FLAGS, 0), (ATTEMPTS, 1)] {
            self.host.properties.insert(path.to_vec(), value.to_le_bytes().to_vec());
        }
        self.filter.log(&mut self.host, context);
        self.filter.context_delete(&mut self.host, context);
        self.host.calls.clear();
    }

    /// Time passes, with its ticks.
    pub fn wait(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.host.now_ms += TICK_MS;
            self.filter.tick(&mut self.host);
        }
        self.host.calls.clear();
    }

    fn metric(&self, name: &str, at: usize) -> i64 {
        let name = format!("fairlead_breaker_{name};service=web;cluster={};", cluster(at));
        self.host.metrics.get(&name).copied().unwrap_or(0)
    }

    /// Probes so far, of all versions.
    pub fn probes(&self) -> i64 {
        (0..self.split.len()).map(|at| self.metric("probes_total", at)).sum()
    }

    /// The state of each version, as the gauge has it; one that nobody met is closed.
    pub fn states(&self) -> Vec<i64> {
        (0..self.split.len()).map(|at| self.metric("state", at)).collect()
    }

    /// Percent of its users that each version takes.
    pub fn shares(&self) -> Vec<u32> {
        self.split.iter().map(|(cluster, _)| self.filter.circuits().share_of(cluster)).collect()
    }
}
