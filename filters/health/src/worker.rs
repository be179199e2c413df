//! One worker for tests of the whole filter: requests in, outcomes back.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::breaker::State;
use crate::ending::{ATTEMPTS, CODE, FLAGS};
use crate::fake_host::{FakeHost, Shared};
use crate::filter::{Action, Filter};
use crate::routes::ROUTE_METADATA;
use crate::structs::{entry, fields, list, metadata, number, pair, text};

/// When tests begin, in milliseconds of wall time.
pub const START: u64 = 1_750_000_000_000;

/// One worker: a machine and its host.
pub struct Worker {
    pub filter: Filter,
    pub host: FakeHost,
    pub next: u32,
    /// Clusters and where their buckets end.
    pub split: Vec<(&'static str, u16)>,
    /// Codes by cluster; 200 where nothing is said.
    pub codes: BTreeMap<&'static str, u64>,
}

pub fn rule(members: &[(&str, f64)]) -> Vec<Vec<u8>> {
    members.iter().map(|(name, value)| entry(name, &number(*value))).collect()
}

pub fn route(split: &[(&str, f64)], rule: &[Vec<u8>]) -> Vec<u8> {
    let split: Vec<_> = split.iter().map(|(cluster, weight)| pair(cluster, *weight)).collect();
    metadata(&[
        entry("service", &text("web")),
        entry("salt", &text("s")),
        entry("key", &fields(&[entry("header", &text("x-user"))])),
        entry("split", &list(&split)),
        entry("breaker", &fields(rule)),
    ])
}

pub fn canary(weight: f64) -> Vec<u8> {
    route(&[("web/1", 10_000.0 - weight), ("web/2", weight)], &rule(&[("open_ms", 1_000.0), ("ramp_ms", 1_000.0)]))
}

impl Worker {
    pub fn new(route: Vec<u8>, shared: &Shared) -> Self {
        let mut host = FakeHost { now_ms: START, random: 200, shared: shared.clone(), ..FakeHost::default() };
        host.properties.insert(ROUTE_METADATA.to_vec(), route);
        let mut filter = Filter::default();
        filter.context_create(1, 0);
        assert!(filter.configure(&mut host, 1, 0));
        let split = [("web/1", 8_000), ("web/2", 10_000)].to_vec();
        Worker { filter, host, next: 10, split, codes: BTreeMap::new() }
    }

    /// A service in one version, which fails.
    pub fn alone(rule: &[Vec<u8>]) -> Self {
        let mut worker = Worker::new(route(&[("web/1", 10_000.0)], rule), &Shared::default());
        worker.split = [("web/1", 10_000)].to_vec();
        worker.failing("web/1", 503)
    }

    /// Begins a request; its context and the cluster that its bucket belongs to, "" for an answer of the filter's own.
    pub fn begin(&mut self, user: &str) -> (u32, &'static str) {
        self.next += 1;
        self.filter.context_create(self.next, 1);
        self.host.headers = [(b"x-user".to_vec(), user.as_bytes().to_vec())].to_vec();
        if self.filter.request_headers(&mut self.host, self.next) == Action::Stop {
            return (self.next, "");
        }
        let bucket = self.host.header(b"x-fairlead-bucket").expect("a bucket").to_vec();
        let bucket: u16 = String::from_utf8(bucket).expect("digits").parse().expect("a number");
        let owner = self.split.iter().find(|(_, end)| bucket < *end).expect("within the split");
        (self.next, owner.0)
    }

    pub fn end(&mut self, context: u32, properties: &[(&[u8], u64)]) {
        for (name, value) in properties {
            self.host.properties.insert(name.to_vec(), value.to_le_bytes().to_vec());
        }
        self.filter.log(&mut self.host, context);
        self.filter.context_delete(&mut self.host, context);
    }

    pub fn request(&mut self, user: &str) -> &'static str {
        let (context, cluster) = self.begin(user);
        let code = self.codes.get(cluster).copied().unwrap_or(200);
        self.end(context, &[(CODE, code), (FLAGS, 0), (ATTEMPTS, 1)]);
        cluster
    }

    /// Many users, once each; how many went where.
    pub fn users(&mut self, many: u32) -> BTreeMap<&'static str, u32> {
        let mut went = BTreeMap::new();
        for user in 0..many {
            *went.entry(self.request(&format!("user-{user}"))).or_default() += 1;
        }
        went
    }

    pub fn wait(&mut self, ms: u64) {
        for _ in 0..ms / 250 {
            self.host.now_ms += 250;
            self.filter.tick(&mut self.host);
        }
    }

    pub fn state(&self, cluster: &str) -> State {
        let mut found = self.filter.circuits().by_identity.values().filter(|c| c.names.cluster == cluster);
        found.next().map_or(State::Closed, |circuit| circuit.record.state)
    }

    pub fn failing(mut self, cluster: &'static str, code: u64) -> Self {
        self.codes.insert(cluster, code);
        self
    }

    pub fn metric(&self, name: &str, cluster: &str) -> i64 {
        let name = format!("fairlead_breaker_{name};service=web;cluster={cluster};");
        self.host.metrics.get(&name).copied().unwrap_or(-1)
    }
}
