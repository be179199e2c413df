//! The filter under every status from every host call, odd headers and callbacks in any order: it must only return.

use alloc::vec::Vec;

use crate::ending::{ATTEMPTS, CLUSTER, CODE, FLAGS, LATENCY};
use crate::facts::Facts;
use crate::fake_host::{FakeHost, CALLS};
use crate::filter::{Filter, SOURCE_ADDRESS};
use crate::hash::BUCKETS;
use crate::key::Key;
use crate::routes::ROUTE_METADATA;
use crate::structs::{entry, fields, list, metadata, number, pair, text};

const STATUSES: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 255, u32::MAX];

/// A xorshift generator: the same run every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.below(256) as u8).collect()
    }

    fn odd(&mut self) -> Vec<u8> {
        match self.below(6) {
            0 => Vec::new(),
            1 => b"\xff\xfe\xc3\x28".to_vec(),
            2 => "uid=".repeat(15_000).into_bytes(),
            3 => "é=ü;".repeat(10_000).into_bytes(),
            4 => b"uid=\"x".to_vec(),
            _ => self.bytes(200),
        }
    }
}

/// Facts with a header key named `x` and salt `s`, as the wire has them.
const FACTS: &[u8] =
    b"\x0a\x33\x0a\x08fairlead\x12\x27\x0a\x0b\x0a\x04salt\x12\x03\x1a\x01s\x0a\x18\x0a\x03key\x12\x11\x2a\
    \x0f\x0a\x0d\x0a\x06header\x12\x03\x1a\x01x";

/// The same with a split of two and a breaker that opens soon.
fn guarded() -> Vec<u8> {
    let rule = [("consecutive", 1.0), ("minimum", 3.0), ("open_ms", 500.0), ("slow_ms", 1.0), ("ramp_ms", 100.0)];
    metadata(&[
        entry("salt", &text("s")),
        entry("split", &list(&[pair("web/1", 6_000.0), pair("web/2", 4_000.0)])),
        entry("breaker", &fields(&rule.map(|(name, value)| entry(name, &number(value))))),
    ])
}

/// A request from its first to its last callback, so that breakers get to see some.
fn whole_request(chance: &mut Chance, filter: &mut Filter, host: &mut FakeHost, id: u32) {
    let code = [200u64, 200, 503][chance.below(3)];
    host.properties.insert(ROUTE_METADATA.to_vec(), guarded());
    host.properties.insert(SOURCE_ADDRESS.to_vec(), chance.bytes(9));
    for (path, value) in [(CODE, code), (FLAGS, 0), (ATTEMPTS, 1), (LATENCY, 0)] {
        host.properties.insert(path.to_vec(), value.to_le_bytes().to_vec());
    }
    filter.context_create(id, 1);
    let _ = filter.request_headers(host, id);
    filter.log(host, id);
    filter.context_delete(host, id);
}

fn step(chance: &mut Chance, filter: &mut Filter, host: &mut FakeHost) {
    let id = chance.below(6) as u32;
    match chance.below(20) {
        0 => filter.context_create(id, chance.below(3) as u32),
        1 => filter.context_delete(host, id),
        2 => {
            let size = chance.below(200);
            let _ = filter.configure(host, id, size);
        }
        3 => drop(host.refusals.insert(CALLS[chance.below(CALLS.len())], STATUSES[chance.below(16)])),
        17 => host.refusals.clear(),
        4 => host.headers = ["x", "cookie"].map(|n| (n.as_bytes().to_vec(), chance.odd())).to_vec(),
        5 => filter.log(host, id),
        6 => filter.response_headers(host, id, chance.below(2) == 0),
        7 => filter.response_trailers(host, id),
        8 => filter.tick(host),
        9 => {
            let back = chance.below(40) == 0;
            let step = chance.below(3_000) as u64;
            host.now_ms = if back { host.now_ms / 2 } else { host.now_ms + step };
        }
        10 => {
            let key = [FLAGS, CODE, ATTEMPTS, LATENCY, CLUSTER][chance.below(5)];
            let value = [chance.odd(), 503u64.to_le_bytes().to_vec(), 0u64.to_le_bytes().to_vec()];
            host.properties.insert(key.to_vec(), value[chance.below(3)].clone());
        }
        11 => {
            let odd = chance.odd();
            for (value, _) in host.shared.borrow_mut().values_mut().filter(|_| odd.len() % 5 == 0) {
                value.truncate(odd.len());
            }
            let pairs = [("grpc-status", odd.clone()), ("retry-after", odd)];
            host.response = pairs.map(|(name, value)| (name.as_bytes().to_vec(), value)).to_vec();
            host.trailers = host.response.clone();
        }
        12 if chance.below(5) == 0 => *filter = Filter::default(),
        13..=16 => whole_request(chance, filter, host, id),
        _ => drop(filter.request_headers(host, id)),
    }
    if let Some(written) = host.header(b"x-fairlead-bucket") {
        let number: u64 = core::str::from_utf8(written).expect("digits").parse().expect("a number");
        assert!(number < BUCKETS);
    }
}

#[test]
fn any_callback_in_any_order_under_any_status_returns() {
    let mut changes = 0;
    for seed in 1..300u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut filter, mut host) = (Filter::default(), FakeHost::default());
        host.evaluates = chance.below(2) == 0;
        host.configuration = [
            br#"{"default_key":{"cookie":"uid"}}"#.to_vec(),
            br#"{"default_key":{"header":"x"},"default_salt":"s"}"#.to_vec(),
            chance.bytes(300),
        ][chance.below(3)]
        .clone();
        for _ in 0..200 {
            let mut metadata = if chance.below(2) == 0 { FACTS.to_vec() } else { guarded() };
            let is_broken = chance.below(3) == 0;
            for _ in 0..if is_broken { chance.below(4) } else { 0 } {
                let at = chance.below(metadata.len());
                metadata[at] = chance.below(256) as u8;
            }
            if is_broken {
                metadata.truncate(chance.below(metadata.len() * 2));
            }
            host.properties.insert(ROUTE_METADATA.to_vec(), metadata);
            host.properties.insert(SOURCE_ADDRESS.to_vec(), chance.odd());
            step(&mut chance, &mut filter, &mut host);
        }
        changes += host.logs.iter().filter(|line| line.starts_with("fairlead.breaker ")).count();
    }
    assert!(changes > 100, "breakers are to change under all of this, not to sleep: {changes}");
}

#[test]
fn the_facts_that_are_broken_here_are_whole_to_begin_with() {
    let facts = Facts::read(FACTS).expect("well-formed").expect("facts");
    assert_eq!((facts.key, facts.salt), (Some(Key::Header(b"x".to_vec())), Some(b"s".to_vec())));
}

#[test]
fn each_status_from_each_call_still_lets_the_request_pass() {
    for call in CALLS {
        for status in STATUSES {
            let (mut filter, mut host) = (Filter::default(), FakeHost::default());
            host.refusals.insert(call, status);
            host.configuration = br#"{"default_key":{"header":"x"}}"#.to_vec();
            host.headers.push((b"x".to_vec(), b"u1".to_vec()));
            filter.context_create(1, 0);
            let size = host.configuration.len();
            let _ = filter.configure(&mut host, 1, size);
            filter.context_create(2, 1);
            let _ = filter.request_headers(&mut host, 2);
            host.properties.insert(ROUTE_METADATA.to_vec(), guarded());
            host.properties.insert(SOURCE_ADDRESS.to_vec(), b"10.0.0.1:1".to_vec());
            for id in 3..40 {
                host.now_ms += 300;
                host.properties.insert(CODE.to_vec(), (if id < 20 { 503u64 } else { 200 }).to_le_bytes().to_vec());
                filter.context_create(id, 1);
                let _ = filter.request_headers(&mut host, id);
                filter.response_headers(&mut host, id, true);
                filter.response_trailers(&mut host, id);
                filter.log(&mut host, id);
                filter.context_delete(&mut host, id);
                filter.tick(&mut host);
            }
            filter.context_delete(&mut host, 2);
            filter.context_delete(&mut host, 1);
        }
    }
}
