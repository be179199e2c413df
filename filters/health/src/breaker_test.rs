use super::*;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

const RULE: Rule = Rule {
    consecutive: 5,
    errors: 50,
    slow: 80,
    slow_ms: 0,
    minimum: 20,
    open_ms: 1_000,
    open_max_ms: 10_000,
    probes: 3,
    ramp_ms: 1_000,
    service: false,
};
const NOW: u64 = 1_750_000_000_000;
/// Chance that makes no jitter.
const EVEN: u64 = 200;

fn opened() -> Record {
    Record::default().open(&RULE, NOW, EVEN, 0)
}

fn probe(record: &Record, good: Option<bool>) -> Probe {
    Probe { epoch: record.epoch, lease_ms: record.lease_ms, good, retry_after_ms: 0 }
}

fn probed(record: Record, good: bool, now: u64) -> Record {
    let leased = record.lease(&RULE, now).expect("a lease");
    leased.probed(&RULE, probe(&leased, Some(good)), now, EVEN).expect("a result")
}

fn length(record: &Record) -> u64 {
    record.until_ms - record.since_ms
}

#[test]
fn it_is_open_for_twice_as_long_each_time_and_no_longer_than_the_most() {
    let mut record = opened();
    let mut lengths = alloc::vec![length(&record)];
    for _ in 0..5 {
        record = probed(probed(record, false, record.until_ms), false, record.until_ms);
        lengths.push(length(&record));
    }
    assert_eq!(lengths, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
}

#[test]
fn chance_moves_the_time_by_a_fifth_at_most() {
    for chance in 0..2_000 {
        let record = Record::default().open(&RULE, NOW, chance, 0);
        assert!((800..=1_200).contains(&length(&record)));
    }
}

#[test]
fn an_upstream_may_ask_for_longer_but_not_for_shorter_nor_for_more_than_the_most() {
    for (asked, given) in [(0, 1_000), (500, 1_000), (3_000, 3_000), (60_000, 10_000)] {
        assert_eq!(length(&Record::default().open(&RULE, NOW, EVEN, asked)), given);
    }
}

#[test]
fn a_subset_that_was_well_for_a_while_is_forgiven() {
    let closed = Record { reopened: 2, until_ms: NOW, since_ms: NOW, epoch: 9, ..Record::default() };
    let later = |ms| length(&closed.open(&RULE, NOW + ms, EVEN, 0));
    assert_eq!([later(0), later(10_000), later(20_000), later(30_000)], [8_000, 4_000, 2_000, 1_000]);
}

#[test]
fn one_probe_holds_the_lease_until_it_is_over_or_lost() {
    let open = opened();
    assert_eq!(open.lease(&RULE, open.until_ms - 1), None);
    let leased = open.lease(&RULE, open.until_ms).expect("due");
    assert_eq!(leased.lease(&RULE, leased.since_ms + LEASE_MS - 1), None);
    assert!(leased.lease(&RULE, leased.since_ms + LEASE_MS).is_some());
    let neutral = leased.probed(&RULE, probe(&leased, None), NOW, EVEN).expect("freed");
    assert_eq!((neutral.good, neutral.bad, neutral.lease_ms), (0, 0, 0));
}

#[test]
fn only_tagged_requests_of_this_epoch_decide() {
    let leased = opened().lease(&RULE, NOW + 1_000).expect("due");
    let stale = Probe { epoch: leased.epoch - 1, ..probe(&leased, Some(false)) };
    assert_eq!(leased.probed(&RULE, stale, NOW, EVEN), None);
    let late = leased.probed(&RULE, Probe { lease_ms: 1, ..probe(&leased, Some(true)) }, NOW, EVEN).expect("counts");
    assert_eq!((late.good, late.lease_ms), (1, leased.lease_ms));
}

#[test]
fn three_good_probes_ramp_and_two_bad_ones_open_again() {
    let now = NOW + 1_000;
    let mut record = opened();
    for good in [true, false, true, true] {
        assert!(matches!(record.state, State::Open | State::Probing));
        record = probed(record, good, now);
    }
    assert_eq!(record.state, State::Ramp);
    let twice = probed(probed(opened(), false, now), false, now);
    assert_eq!((twice.state, twice.reopened), (State::Open, 1));
}

#[test]
fn the_ramp_gives_back_users_step_by_step_and_ends_closed() {
    let ramp = Record { state: State::Ramp, since_ms: NOW, ..Record::default() };
    let shares: alloc::vec::Vec<u32> = (0..6).map(|step| ramp.share(&RULE, NOW + step * 1_000)).collect();
    assert_eq!(shares, [10, 25, 50, 75, 100, 100]);
    assert_eq!(ramp.ramped(&RULE, NOW + 4_999), None);
    assert_eq!(ramp.ramped(&RULE, NOW + 5_000).map(|record| record.state), Some(State::Closed));
    assert_eq!(ramp.ramped(&Rule { ramp_ms: 0, ..RULE }, NOW).map(|record| record.state), Some(State::Closed));
}

#[test]
fn a_clock_that_was_set_back_ends_every_wait() {
    let hour = 3_600_000;
    assert!(opened().wants_probe(&RULE, NOW - hour));
    let leased = opened().lease(&RULE, NOW + 1_000).expect("due");
    assert!(leased.wants_probe(&RULE, NOW - hour));
    let ramp = Record { state: State::Ramp, since_ms: NOW, ..Record::default() };
    assert_eq!(ramp.ramped(&RULE, NOW - hour).map(|record| record.state), Some(State::Closed));
}

/// Every edge that a long run of random events takes, and the states' names of `docs/breaker.md`.
#[test]
fn every_change_is_an_edge_of_the_diagram_and_every_edge_is_taken() {
    let (mut seed, mut record, mut now) = (0x9E37_79B9_7F4A_7C15u64, Record::default(), NOW);
    let mut taken = BTreeSet::new();
    for _ in 0..200_000 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        now += (seed >> 16) % 700;
        let can_trip = matches!(record.state, State::Closed | State::Ramp);
        let trips = [Why::Consecutive, Why::Errors, Why::Slow];
        let result = [None, Some(true), Some(true), Some(true), Some(false)][(seed >> 40) as usize % 5];
        let (why, next) = match seed % 8 {
            0 if can_trip => (trips[(seed >> 32) as usize % 3], Some(record.open(&RULE, now, seed >> 20, 0))),
            1 | 2 => (Why::Due, record.lease(&RULE, now)),
            3 | 4 => {
                let why = if result == Some(true) { Why::GoodProbes } else { Why::BadProbes };
                (why, record.probed(&RULE, probe(&record, result), now, seed))
            }
            5 if seed % 64 < 8 => (Why::Shared, record.reinstated(now)),
            _ => (Why::Ramped, record.ramped(&RULE, now)),
        };
        let Some(next) = next else { continue };
        if next.state != record.state {
            assert_ne!(next.epoch, record.epoch);
            taken.insert((record.state, next.state, why));
        }
        assert!(next.state != State::Open || length(&next) <= RULE.open_max_ms);
        record = next;
    }
    assert_eq!(taken, EDGES.into_iter().collect());
}

fn diagram() -> String {
    let mut lines = String::new();
    for (from, to, why) in EDGES {
        lines.push_str(&format!("{:8} --{:-<14}> {}\n", from.word(), format!("{}-", why.word()), to.word()));
    }
    lines
}

#[test]
fn the_page_shows_the_diagram_as_the_code_has_it() {
    let page = include_str!("../../../docs/breaker.md");
    assert!(page.contains(&diagram()), "docs/breaker.md lacks:\n{}", diagram());
}
