//! Whatever a proxy does: the filter returns, writes a bucket or nothing, and keeps no context that ended.

use health::ending::{ATTEMPTS, CLUSTER, CODE, FLAGS, LATENCY};
use health::fake_host::{FakeHost, CALLS};
use health::filter::{Filter, SOURCE_ADDRESS};
use health::hash::BUCKETS;
use health::routes::{ROUTE_METADATA, ROUTE_NAME};
use health::structs::{entry, fields, list, metadata, number, text};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;
use crate::live_bytes::held;

/// What a filter may hold after any of these runs; a leak of the longest headers would be more.
const MOST_BYTES: isize = 4 << 20;

/// One thing that a proxy does, or that happens to it.
#[derive(Clone, Debug)]
enum Event {
    Create(u32, u32),
    Delete(u32),
    Configure(u32, Vec<u8>, usize),
    Request(u32, Option<Vec<u8>>),
    Answer(u32, bool, Vec<u8>),
    Trailers(u32, Vec<u8>),
    End(u32, [Option<Vec<u8>>; 5]),
    Route(Vec<u8>, Option<Vec<u8>>),
    Tick,
    Clock(u64),
    Refuse(&'static str, u32),
    Obey,
    Scribble(Vec<u8>),
    Restart,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => vec(any::<u8>(), 0..80),
        2 => "[a-z0-9=; \"]{0,40}".prop_map(String::into_bytes),
        1 => (any::<u8>(), 60_000usize..65_000).prop_map(|(byte, many)| [byte].repeat(many)),
        1 => Just(b"uid=".repeat(15_000)),
    ]
}

fn eight() -> impl Strategy<Value = Option<Vec<u8>>> {
    let numbers = select(vec![0u64, 1, 2, 200, 503, 1 << 14, 5_000_000_000, u64::MAX]);
    option::of(prop_oneof![6 => numbers.prop_map(|n| n.to_le_bytes().to_vec()), 1 => bytes()])
}

/// A value of a `Struct`: whatever type, mostly not the one that the field should have.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        any::<f64>().prop_map(number),
        (0u32..20_000).prop_map(|whole| number(whole.into())),
        "[a-z/0-9]{0,12}".prop_map(|word| text(&word)),
        any::<bool>().prop_map(|on| vec![4 << 3, u8::from(on)]),
        vec(any::<u8>(), 0..12),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| list(&items)),
            vec((name(), inner), 0..4).prop_map(|members| struct_of(&members)),
        ]
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    let facts = ["service", "env", "salt", "key", "split", "breaker", "header", "cookie", "source", "force"];
    let rule = ["consecutive", "errors", "slow", "slow_ms", "minimum", "open_ms", "probes", "ramp_ms"];
    select([&facts[..], &rule[..]].concat())
}

fn struct_of(members: &[(&'static str, Vec<u8>)]) -> Vec<u8> {
    fields(&members.iter().map(|(name, value)| entry(name, value)).collect::<Vec<_>>())
}

/// Facts that are right but for what `odd` puts in their place; so that breakers get to work between the nonsense.
fn facts() -> impl Strategy<Value = Vec<u8>> {
    let split = vec((select(vec!["web/1", "web/2", "web/3"]), 0u32..6_000), 1..4).prop_map(|parts| {
        list(
            &parts.iter().map(|(cluster, weight)| health::structs::pair(cluster, (*weight).into())).collect::<Vec<_>>(),
        )
    });
    let rule = vec((name(), prop_oneof![4 => (0u32..40).prop_map(|n| number(n.into())), 1 => value()]), 0..6);
    let odd = vec((name(), value()), 0..2);
    (split, rule, odd).prop_map(|(split, rule, odd)| {
        let rule = struct_of(&rule);
        let right = [("salt", text("s")), ("service", text("web")), ("split", split), ("breaker", rule)];
        metadata(&right.iter().chain(&odd).map(|(name, value)| entry(name, value)).collect::<Vec<_>>())
    })
}

/// The same with some bytes changed, and cut.
fn broken_facts() -> impl Strategy<Value = Vec<u8>> {
    (facts(), vec((any::<usize>(), any::<u8>()), 0..4), any::<usize>()).prop_map(|(mut bytes, changes, cut)| {
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        bytes.truncate(cut % (2 * bytes.len()));
        bytes
    })
}

fn configuration() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "",
        r#"{"version":1}"#,
        r#"{"default_key":{"cookie":"uid"}}"#,
        r#"{"default_key":{"header":"x"},"default_salt":"s"}"#,
        r#"{"header":"x-other"}"#,
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ];
    prop_oneof![4 => select(known.to_vec()).prop_map(|text| text.into()), 1 => bytes()]
}

fn event() -> impl Strategy<Value = Event> {
    let id = || 0u32..7;
    let route_name = option::of(prop_oneof!["web#000000000000000[0-9a-f]".prop_map(String::into_bytes), bytes()]);
    let clock = prop_oneof![6 => 0u64..2_000_000, 1 => any::<u64>()];
    prop_oneof![
        3 => (id(), 0u32..3).prop_map(|(id, parent)| Event::Create(id, parent)),
        2 => id().prop_map(Event::Delete),
        1 => (id(), configuration(), prop_oneof![0usize..80, any::<usize>()]).prop_map(|(id, c, n)| Event::Configure(id, c, n)),
        9 => (id(), option::of(bytes())).prop_map(|(id, key)| Event::Request(id, key)),
        3 => (id(), any::<bool>(), bytes()).prop_map(|(id, end, value)| Event::Answer(id, end, value)),
        2 => (id(), bytes()).prop_map(|(id, value)| Event::Trailers(id, value)),
        8 => (id(), [eight(), eight(), eight(), eight(), eight()]).prop_map(|(id, read)| Event::End(id, read)),
        3 => (prop_oneof![3 => facts(), 1 => broken_facts(), 1 => bytes()], route_name).prop_map(|(f, n)| Event::Route(f, n)),
        4 => Just(Event::Tick),
        3 => clock.prop_map(Event::Clock),
        2 => (select(CALLS.to_vec()), prop_oneof![0u32..=12, any::<u32>()]).prop_map(|(call, s)| Event::Refuse(call, s)),
        2 => Just(Event::Obey),
        1 => bytes().prop_map(Event::Scribble),
        1 => Just(Event::Restart),
    ]
}

fn pairs(name: &str, value: Vec<u8>) -> Vec<(Vec<u8>, Vec<u8>)> {
    ["x", "cookie", "x-user", name].map(|name| (name.into(), value.clone())).to_vec()
}

fn happen(filter: &mut Filter, host: &mut FakeHost, event: Event) {
    match event {
        Event::Create(id, parent) => filter.context_create(id, parent),
        Event::Delete(id) => filter.context_delete(host, id),
        Event::Configure(id, configuration, size) => {
            host.configuration = configuration;
            let _ = filter.configure(host, id, size);
        }
        Event::Request(id, key) => {
            host.headers = key.map(|value| pairs("x", value)).unwrap_or_default();
            let _ = filter.request_headers(host, id);
        }
        Event::Answer(id, is_end, value) => {
            host.response = [pairs("grpc-status", value.clone()), pairs("retry-after", value)].concat();
            filter.response_headers(host, id, is_end);
        }
        Event::Trailers(id, value) => {
            host.trailers = pairs("grpc-status", value);
            filter.response_trailers(host, id);
        }
        Event::End(id, read) => {
            for (path, value) in [FLAGS, CODE, ATTEMPTS, LATENCY, CLUSTER].into_iter().zip(read) {
                host.properties.remove(path);
                host.properties.extend(value.map(|value| (path.to_vec(), value)));
            }
            filter.log(host, id);
        }
        Event::Route(metadata, name) => {
            host.properties.insert(ROUTE_METADATA.to_vec(), metadata);
            host.properties.remove(ROUTE_NAME);
            host.properties.extend(name.map(|name| (ROUTE_NAME.to_vec(), name)));
        }
        Event::Tick => filter.tick(host),
        Event::Clock(now) => host.now_ms = now,
        Event::Refuse(call, status) => drop(host.refusals.insert(call, status)),
        Event::Obey => host.refusals.clear(),
        Event::Scribble(bytes) => {
            host.shared.borrow_mut().values_mut().for_each(|(value, _)| *value = bytes.clone());
        }
        Event::Restart => *filter = Filter::default(),
    }
    if let Some(written) = host.header(b"x-fairlead-bucket") {
        let bucket: u64 = std::str::from_utf8(written).expect("digits").parse().expect("a number");
        assert!(bucket < BUCKETS);
    }
    host.calls.clear();
    host.logs.clear();
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn whatever_happens_the_filter_returns_and_keeps_nothing_of_what_ended(
        evaluates in any::<bool>(),
        random in any::<u64>(),
        events in vec(event(), 1..150),
    ) {
        let before = held();
        let mut filter = Filter::default();
        let mut host = FakeHost { evaluates, random, ..FakeHost::default() };
        host.properties.insert(SOURCE_ADDRESS.to_vec(), b"10.0.0.1:1".to_vec());
        for event in events.clone() {
            happen(&mut filter, &mut host, event);
        }
        for id in 0..7 {
            filter.context_delete(&mut host, id);
        }
        prop_assert_eq!(filter.contexts(), 0);
        drop(host);
        prop_assert!(held() - before < MOST_BYTES, "{} bytes", held() - before);
    }

    #[test]
    fn any_bytes_are_facts_or_none(metadata in prop_oneof![bytes(), facts(), broken_facts()]) {
        if let Ok(Some(facts)) = health::facts::Facts::read(&metadata) {
            prop_assert!(facts.split.iter().all(|segment| segment.weight <= 10_000));
            prop_assert!(facts.breakers.is_none_or(|breakers| breakers.identities.len() == facts.split.len()));
        }
    }

    #[test]
    fn any_bytes_are_a_configuration_or_refused_in_words(text in configuration()) {
        if let Err(reason) = health::config::Defaults::read(&text) {
            prop_assert!(!reason.is_empty() && reason.len() < 500);
        }
    }
}
