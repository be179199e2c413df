use super::*;
use crate::structs::{entry, fields, number, text};
use alloc::vec;

fn stated(members: &[Vec<u8>]) -> Stated {
    Stated::read(&members.concat()).expect("well-formed")
}

fn switch(value: bool) -> Vec<u8> {
    vec![4 << 3, u8::from(value)]
}

#[test]
fn an_empty_rule_is_the_defaults() {
    assert_eq!(stated(&[]), Stated::default());
}

#[test]
fn every_field_is_taken() {
    let read = stated(&[
        entry("consecutive", &number(3.0)),
        entry("errors", &number(40.0)),
        entry("slow", &number(70.0)),
        entry("slow_ms", &number(250.0)),
        entry("minimum", &number(10.0)),
        entry("open_ms", &number(1_000.0)),
        entry("open_max_ms", &number(60_000.0)),
        entry("probes", &number(2.0)),
        entry("ramp_ms", &number(500.0)),
        entry("service", &switch(true)),
        entry("force", &fields(&[entry("web/1", &text("open")), entry("web/2", &text("closed"))])),
    ]);
    let rule = Rule {
        consecutive: 3,
        errors: 40,
        slow: 70,
        slow_ms: 250,
        minimum: 10,
        open_ms: 1_000,
        open_max_ms: 60_000,
        probes: 2,
        ramp_ms: 500,
        service: true,
    };
    assert_eq!((read.rule, read.wrong), (rule, None));
    assert_eq!(read.forced(b"web/1"), Forced::Open);
    assert_eq!(read.forced(b"web/2"), Forced::Closed);
    assert_eq!(read.forced(b"web/3"), Forced::No);
}

#[test]
fn a_wrong_field_keeps_its_default_and_is_named() {
    for (name, value, said) in [
        ("errors", number(101.0), "breaker.errors"),
        ("errors", number(0.5), "breaker.errors"),
        ("errors", number(-1.0), "breaker.errors"),
        ("errors", number(f64::NAN), "breaker.errors"),
        ("open_ms", number(0.0), "breaker.open_ms"),
        ("open_ms", number(1e300), "breaker.open_ms"),
        ("minimum", text("20"), "breaker.minimum"),
        ("service", number(1.0), "breaker.service"),
        ("force", text("open"), "breaker.force"),
        ("force", fields(&[entry("web/1", &text("ajar"))]), "breaker.force"),
    ] {
        let read = stated(&[entry(name, &value), entry("unknown", &number(1.0))]);
        assert_eq!((read.rule, read.wrong), (Rule::default(), Some(said)), "{name}");
    }
}

#[test]
fn the_longest_time_open_is_never_shorter_than_the_first() {
    assert_eq!(stated(&[entry("open_ms", &number(400_000.0))]).rule.open_max_ms, 400_000);
}

#[test]
fn an_identity_is_who_and_by_which_rule() {
    let rule = Rule::default();
    let one = rule.identity(b"web", b"", b"web/1");
    assert_eq!(one, Rule::default().identity(b"web", b"", b"web/1"));
    assert_ne!(one, rule.identity(b"we", b"b", b"web/1"));
    assert_ne!(one, rule.identity(b"web", b"", b"web/2"));
    for other in [Rule { errors: 49, ..rule }, Rule { ramp_ms: 1, ..rule }, Rule { service: true, ..rule }] {
        assert_ne!(one, other.identity(b"web", b"", b"web/1"));
    }
}
