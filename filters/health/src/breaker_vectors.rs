//! `filters/vectors/breaker/*.json`, run natively: virtual time, a tick every 250 ms, chance that makes no jitter.
//!
//! Everything is read from outside, as any host can: the header that was written, the answer that was given, and the
//! metrics.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use crate::ending::{ATTEMPTS, CLUSTER, CODE, FLAGS, LATENCY};
use crate::fake_host::FakeHost;
use crate::filter::{Action, Filter};
use crate::hash::bucket;
use crate::json::Json;
use crate::routes::ROUTE_METADATA;
use crate::vectors::{hex, items, text};
use crate::worker::START;

const STATES: [&str; 6] = ["closed", "open", "probing", "ramp", "forced_open", "forced_closed"];
const TICK_MS: i64 = 250;

struct Run<'a> {
    vector: &'a Json,
    filter: Filter,
    host: FakeHost,
    now: i64,
    open: BTreeMap<&'a str, u32>,
    next: u32,
}

fn number(json: &Json, name: &str) -> Option<i64> {
    match json.get(name) {
        Some(Json::Number(number)) => Some(*number),
        _ => None,
    }
}

impl<'a> Run<'a> {
    fn new(vector: &'a Json, evaluates: bool) -> Self {
        let mut host = FakeHost { now_ms: START, random: 200, evaluates, ..FakeHost::default() };
        host.properties.insert(ROUTE_METADATA.to_vec(), hex(text(vector, "metadata_hex").expect("metadata")));
        let mut filter = Filter::default();
        filter.context_create(1, 0);
        assert!(filter.configure(&mut host, 1, 0));
        Run { vector, filter, host, now: 0, open: BTreeMap::new(), next: 1 }
    }

    fn metric(&self, name: &str, cluster: &str) -> i64 {
        let service = text(self.vector, "name").expect("a name");
        let name = format!("fairlead_breaker_{name};service={service};cluster={cluster};");
        self.host.metrics.get(&name).copied().unwrap_or(0)
    }

    fn advance(&mut self, to: i64) {
        while self.now < to {
            self.now = (self.now / TICK_MS * TICK_MS + TICK_MS).min(to);
            self.host.now_ms = START + self.now as u64;
            if self.now % TICK_MS == 0 {
                self.filter.tick(&mut self.host);
            }
        }
    }

    /// The bucket that was written, None for an answer of the filter's own; and whether the request is a probe.
    fn ask(&mut self, key: &str) -> (Option<i64>, bool) {
        let facts = self.vector.get("facts").expect("facts");
        let probes = |run: &Self| {
            let clusters = items(facts, "split").iter().map(|pair| match pair {
                Json::Array(pair) => match pair.first() {
                    Some(Json::Text(cluster)) => run.metric("probes_total", cluster),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            });
            clusters.sum::<i64>()
        };
        let before = probes(self);
        self.next += 1;
        self.filter.context_create(self.next, 1);
        self.host.headers = [(b"x-user".to_vec(), key.as_bytes().to_vec())].to_vec();
        let action = self.filter.request_headers(&mut self.host, self.next);
        let written = self.host.header(b"x-fairlead-bucket").map(<[u8]>::to_vec);
        let digits = written.map(|value| String::from_utf8(value).expect("digits").parse().expect("a number"));
        (digits.filter(|_| action == Action::Continue), probes(self) > before)
    }

    fn answer(&mut self, context: u32, answer: &Json, subset: &str) {
        let numbers: [(&[u8], i64); 4] = [
            (CODE, number(answer, "code").expect("a code")),
            (FLAGS, number(answer, "flags").unwrap_or(0)),
            (ATTEMPTS, number(answer, "attempts").unwrap_or(1)),
            (LATENCY, number(answer, "latency_ms").unwrap_or(0) * 1_000_000),
        ];
        for (name, value) in numbers {
            self.host.properties.insert(name.to_vec(), value.to_le_bytes().to_vec());
        }
        let cluster = text(answer, "cluster").unwrap_or(subset);
        self.host.properties.insert(CLUSTER.to_vec(), cluster.as_bytes().to_vec());
        let header = |name: &str, field: &str| number(answer, field).map(|n| (name.into(), format!("{n}").into()));
        self.host.trailers = header("grpc-status", "grpc").into_iter().collect();
        self.host.response = header("retry-after", "retry_after").into_iter().collect();
        if !self.host.trailers.is_empty() {
            self.filter.response_trailers(&mut self.host, context);
        }
        self.filter.log(&mut self.host, context);
        self.filter.context_delete(&mut self.host, context);
    }

    fn step(&mut self, step: &'a Json) {
        self.advance(number(step, "at").expect("a time"));
        let expected = step.get("expect").expect("an expectation");
        if let Some(name) = text(step, "ends") {
            let context = self.open.remove(name).expect("an open request");
            self.answer(context, step.get("answer").expect("an answer"), "");
        } else {
            let key = text(step, "key").expect("a key");
            let (written, is_probe) = self.ask(key);
            let own = i64::from(bucket(b"s", key.as_bytes()));
            let action = match written {
                None => "reject",
                Some(_) if is_probe => "probe",
                Some(bucket) if bucket == own => "go",
                Some(_) => "remap",
            };
            assert_eq!((Some(action), written), (text(expected, "action"), number(expected, "bucket")), "{step:?}");
            match (text(step, "id"), step.get("answer")) {
                (Some(name), _) => drop(self.open.insert(name, self.next)),
                (None, Some(answer)) => self.answer(self.next, answer, text(expected, "subset").unwrap_or("")),
                (None, None) => panic!("{step:?}"),
            }
        }
        let Some(Json::Object(states)) = expected.get("states") else {
            panic!("{step:?}");
        };
        for (cluster, state) in states {
            let shown = STATES.get(self.metric("state", cluster) as usize).copied();
            assert_eq!(Some(&Json::Text(shown.unwrap_or("?").into())), Some(state), "{cluster} after {step:?}");
        }
    }
}

fn run(file: &[u8]) {
    let vector = Json::read(file).expect("the vector is JSON");
    let steps = items(&vector, "steps");
    assert!(steps.len() >= 5);
    for evaluates in [false, true] {
        let mut run = Run::new(&vector, evaluates);
        steps.iter().for_each(|step| run.step(step));
    }
}

macro_rules! scenarios {
    ($($name:ident $file:literal)*) => {
        $(#[test]
        fn $name() {
            run(include_bytes!(concat!("../../vectors/breaker/", $file, ".json")));
        })*
    };
}

scenarios! {
    a_run_of_failures_opens "consecutive"
    a_ratio_opens "ratio"
    slow_answers_open "slow"
    a_shared_failure_opens_nothing "shared-failure"
    a_failure_that_becomes_shared_closes "shared-later"
    the_only_subset_stays "only-subset"
    the_way_back_is_by_probes_and_a_ramp "way-back"
    bad_probes_open_for_longer "bad-probes"
    a_lost_probe_blocks_nobody "lost-probe"
    evidence_is_weighed "evidence"
    earlier_tries_count "retried"
    a_whole_service_answers_503 "whole-service"
    three_versions_share_the_users "three-versions"
    an_operator_is_obeyed "forced"
}
