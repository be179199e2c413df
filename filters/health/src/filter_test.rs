use super::*;
use crate::fake_host::FakeHost;
use crate::hash::bucket;
use crate::routes::{ROUTE_METADATA, ROUTE_NAME};

const BUCKET: &[u8] = b"x-fairlead-bucket";

fn configured(text: &str) -> (Filter, FakeHost) {
    let mut host = FakeHost { configuration: text.as_bytes().to_vec(), ..FakeHost::default() };
    let mut filter = Filter::default();
    filter.context_create(1, 0);
    assert!(filter.configure(&mut host, 1, text.len()), "{:?}", host.logs);
    filter.context_create(2, 1);
    host.calls.clear();
    (filter, host)
}

fn with_header(host: &mut FakeHost, name: &str, value: &[u8]) {
    host.headers.push((name.as_bytes().to_vec(), value.to_vec()));
}

#[test]
fn a_header_key_costs_three_host_calls() {
    let (mut filter, mut host) = configured(r#"{"default_key":{"header":"X-User"},"default_salt":"s"}"#);
    with_header(&mut host, "x-user", b"u1");
    host.properties.insert(ROUTE_NAME.to_vec(), b"web#0123456789abcdef".to_vec());
    host.properties.insert(ROUTE_METADATA.to_vec(), Vec::new());
    let _ = filter.request_headers(&mut host, 2);
    host.calls.clear();
    let _ = filter.request_headers(&mut host, 2);
    assert_eq!(host.calls, ["get_property", "get_header_map_value", "replace_header_map_value"]);
    let expected = format!("{}", bucket(b"s", b"u1"));
    assert_eq!(host.header(BUCKET), Some(expected.as_bytes()));
}

#[test]
fn without_its_key_a_request_is_placed_by_its_address() {
    let (mut filter, mut host) = configured(r#"{"default_key":{"header":"x-user"}}"#);
    host.properties.insert(SOURCE_ADDRESS.to_vec(), b"10.0.0.1:4711".to_vec());
    let _ = filter.request_headers(&mut host, 2);
    let expected = format!("{}", bucket(b"", b"10.0.0.1"));
    assert_eq!(host.header(BUCKET), Some(expected.as_bytes()));
    let address = ["get_header_map_value", "get_property", "replace_header_map_value"];
    assert_eq!(host.calls, [&["get_property"; 2][..], &address].concat());
}

#[test]
fn an_empty_header_is_no_key() {
    let (mut filter, mut host) = configured(r#"{"default_key":{"header":"x-user"}}"#);
    with_header(&mut host, "x-user", b"");
    let _ = filter.request_headers(&mut host, 2);
    assert_eq!(host.header(BUCKET), None);
}

#[test]
fn with_neither_facts_nor_a_default_key_name_and_metadata_are_all() {
    let (mut filter, mut host) = configured("");
    with_header(&mut host, "x-user", b"u1");
    let _ = filter.request_headers(&mut host, 2);
    assert_eq!(host.calls, ["get_property", "get_property"]);
}

#[test]
fn a_refused_configuration_leaves_the_one_that_ran() {
    let (mut filter, mut host) = configured(r#"{"default_key":{"source":true},"default_salt":"s"}"#);
    for (text, size) in [("{", 1), ("{}", LARGEST + 1), (r#"{"oops":1}"#, 10)] {
        host.configuration = text.as_bytes().to_vec();
        assert!(!filter.configure(&mut host, 1, size));
    }
    assert!(host.logs.iter().all(|line| line.starts_with("fairlead.health: configuration refused: ")));
    assert_eq!(host.logs.len(), 3);
    host.properties.insert(SOURCE_ADDRESS.to_vec(), b"::1".to_vec());
    filter.context_create(3, 1);
    let _ = filter.request_headers(&mut host, 3);
    let expected = format!("{}", bucket(b"s", b"::1"));
    assert_eq!(host.header(BUCKET), Some(expected.as_bytes()));
}

#[test]
fn two_roots_in_one_machine_keep_their_own_configuration() {
    let (mut filter, mut host) = configured(r#"{"default_key":{"header":"x-user"},"header":"x-one"}"#);
    host.configuration = br#"{"default_key":{"header":"x-user"},"header":"x-two"}"#.to_vec();
    filter.context_create(10, 0);
    let size = host.configuration.len();
    assert!(filter.configure(&mut host, 10, size));
    filter.context_create(11, 10);
    with_header(&mut host, "x-user", b"u1");
    let _ = filter.request_headers(&mut host, 2);
    let _ = filter.request_headers(&mut host, 11);
    assert!(host.header(b"x-one").is_some() && host.header(b"x-two").is_some());
}

#[test]
fn contexts_are_forgotten_when_they_end_and_bounded_when_they_do_not() {
    let (mut filter, mut host) = configured("");
    let before = filter.contexts();
    for id in 100..5_000 {
        filter.context_create(id, 1);
        filter.context_delete(&mut host, id);
    }
    assert_eq!(filter.contexts(), before);
    for id in 5_000..200_000 {
        filter.context_create(id, u32::from(id % 2 == 0));
    }
    assert!(filter.contexts() <= MOST_ROOTS + MOST_STREAMS);
}
