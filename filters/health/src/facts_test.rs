use super::*;
use crate::fake_host::FakeHost;
use crate::structs::{entry, field, list, metadata, number, pair, text};
use alloc::vec;

fn key(kind: &str, value: &[u8]) -> Vec<u8> {
    entry("key", &field(5, &entry(kind, value)))
}

fn read(bytes: &[u8]) -> Facts {
    Facts::read(bytes).expect("well-formed").expect("facts")
}

#[test]
fn key_salt_and_split_are_read_in_any_order_among_unknown_fields() {
    let split = entry("split", &list(&[pair("a/1", 9500.0), pair("a/2", 500.0)]));
    let fields = [split, entry("service", &text("a")), key("header", &text("X-User")), entry("salt", &text("s"))];
    let mut reversed = fields.clone();
    reversed.reverse();
    for order in [fields, reversed] {
        let bytes = [entry("other", b""), metadata(&order), field(2, b"typed")].concat();
        let facts = read(&bytes);
        assert_eq!(facts.key, Some(Key::Header(b"x-user".to_vec())));
        assert_eq!(facts.salt.as_deref(), Some(&b"s"[..]));
        assert_eq!(facts.split.iter().map(|s| s.weight).collect::<Vec<_>>(), [9500, 500]);
        assert!(facts.wrong.is_empty());
    }
}

#[test]
fn metadata_of_others_is_no_facts() {
    assert_eq!(Facts::read(b""), Ok(None));
    assert_eq!(Facts::read(&entry("envoy.lb", b"")), Ok(None));
    assert_eq!(Facts::read(&entry("fairlead.other", b"")), Ok(None));
}

#[test]
fn a_field_of_the_wrong_type_costs_only_itself() {
    let facts = read(&metadata(&[entry("salt", &number(1.0)), key("source", &[4 << 3, 1])]));
    assert_eq!((facts.salt, facts.key, facts.wrong), (None, Some(Key::Source), vec!["salt"]));
}

#[test]
fn a_key_of_two_kinds_of_none_or_empty_is_wrong() {
    let two = entry("key", &field(5, &[entry("header", &text("a")), entry("cookie", &text("b"))].concat()));
    let none = entry("key", &field(5, b""));
    let off = key("source", &[4 << 3, 0]);
    for wrong in [two, none, off, key("header", &text("")), entry("key", &text("x-user"))] {
        assert_eq!(read(&metadata(&[wrong])).wrong, ["key"]);
    }
}

#[test]
fn a_split_is_whole_or_not_at_all() {
    for weight in [-1.0, 0.5, 10_001.0, f64::NAN, f64::INFINITY] {
        let facts = read(&metadata(&[entry("split", &list(&[pair("a", 1.0), pair("b", weight)]))]));
        assert_eq!((facts.split, facts.wrong), (vec![], vec!["split"]));
    }
    for item in [text("a"), list(&[text("a")]), list(&[number(1.0), text("a")])] {
        assert_eq!(read(&metadata(&[entry("split", &list(&[item]))])).wrong, ["split"]);
    }
}

#[test]
fn a_bucket_falls_into_the_half_open_interval_of_its_segment() {
    let split = [pair("a", 8000.0), pair("b", 1000.0), pair("none", 0.0), pair("a", 1000.0)];
    let facts = read(&metadata(&[entry("split", &list(&split))]));
    for (bucket, index) in [(0, 0), (7999, 0), (8000, 1), (8999, 1), (9000, 3), (9999, 3)] {
        assert_eq!(facts.segment(bucket), Some(index));
    }
    assert_eq!(facts.segment(10_000), None);
}

#[test]
fn every_cut_of_a_message_is_read_or_malformed_and_never_a_panic() {
    let whole = metadata(&[key("cookie", &text("uid")), entry("split", &list(&[pair("a", 1.0)]))]);
    for end in 0..whole.len() {
        let _ = Facts::read(&whole[..end]);
    }
}

#[test]
fn equal_metadata_is_read_once_and_a_wrong_field_is_told_once() {
    let (mut cache, mut host) = (FactsCache::default(), FakeHost::default());
    let bytes = metadata(&[entry("salt", &number(1.0))]);
    for _ in 0..3 {
        assert!(cache.facts(&mut host, bytes.clone()).is_some());
    }
    assert_eq!((cache.len(), host.logs.len()), (1, 1));
    assert!(host.logs[0].contains("`salt`"));
}

#[test]
fn the_cache_is_bounded_in_contents_and_in_bytes() {
    let (mut cache, mut host) = (FactsCache::default(), FakeHost::default());
    for n in 0..3 * FactsCache::MOST {
        let salt = "s".repeat(n * 7 % 30_000);
        let facts = cache.facts(&mut host, metadata(&[entry("salt", &text(&salt))]));
        assert_eq!(facts.and_then(|f| f.salt.clone()), Some(salt.into_bytes()));
        assert!(cache.len() <= FactsCache::MOST && cache.held <= FactsCache::MOST_BYTES);
    }
    let huge = metadata(&[entry("salt", &text(&"s".repeat(FactsCache::MOST_BYTES)))]);
    assert!(cache.facts(&mut host, huge).is_some());
    assert!(cache.held <= FactsCache::MOST_BYTES);
}
