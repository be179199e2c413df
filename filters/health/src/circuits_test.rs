//! Breakers through the whole filter, in one machine.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::breaker::State;
use crate::ending::{ATTEMPTS, CLUSTER, CODE, FLAGS, LATENCY};
use crate::fake_host::Shared;
use crate::routes::ROUTE_METADATA;
use crate::structs::{entry, fields, text};
use crate::worker::{canary, route, rule, Worker};

#[test]
fn five_failures_in_a_row_and_no_more_reach_a_canary_that_fails() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    let went = worker.users(1_000);
    assert_eq!(went["web/2"], 5);
    assert_eq!(worker.state("web/2"), State::Open);
    assert_eq!(worker.host.logs.len(), 1, "{:?}", worker.host.logs);
    assert!(worker.host.logs[0].contains(r#""from":"closed","to":"open","why":"consecutive","run":5"#));
}

#[test]
fn users_are_remapped_and_return_to_the_same_subset_step_by_step() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default());
    let places = |worker: &mut Worker| (0..500).map(|n| worker.request(&format!("user-{n}"))).collect::<Vec<_>>();
    let before = places(&mut worker);
    worker.codes.insert("web/2", 500);
    worker.users(200);
    assert!(places(&mut worker).iter().all(|cluster| *cluster == "web/1"));
    worker.codes.clear();
    worker.wait(1_000);
    let mut counts = Vec::new();
    for _ in 0..8 {
        counts.push(places(&mut worker).iter().filter(|cluster| **cluster == "web/2").count());
        worker.wait(1_000);
    }
    assert!(counts.windows(2).all(|pair| pair[0] <= pair[1]), "{counts:?}");
    assert!(counts[1] > 3 && counts[1] < counts[3] && counts[3] < counts[6], "{counts:?}");
    assert_eq!(places(&mut worker), before);
    assert_eq!(worker.state("web/2"), State::Closed);
    worker.wait(250);
    assert_eq!(worker.metric("opens_total", "web/2"), 1);
    assert_eq!(worker.metric("probes_total", "web/2"), 3);
    assert_eq!(worker.metric("state", "web/2"), 0);
    assert!(worker.metric("remapped_total", "web/2") > 90);
}

#[test]
fn half_of_the_answers_failing_opens_once_there_are_enough_of_them() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default());
    let mut sent = 0;
    for user in 0..1_000 {
        worker.codes.insert("web/2", if sent % 2 == 0 { 500 } else { 200 });
        sent += u32::from(worker.request(&format!("user-{user}")) == "web/2");
    }
    assert_eq!(worker.state("web/2"), State::Open);
    assert!((20..=21).contains(&sent), "{sent}");
    assert!(worker.host.logs[0].contains(r#""why":"errors""#));
}

#[test]
fn slow_answers_open_and_fast_ones_do_not() {
    let rule = rule(&[("slow_ms", 100.0)]);
    let mut worker = Worker::new(route(&[("web/1", 8_000.0), ("web/2", 2_000.0)], &rule), &Shared::default());
    for user in 0..400 {
        let (context, cluster) = worker.begin(&format!("user-{user}"));
        let taken = if cluster == "web/2" { 150_000_000 } else { 50_000_000 };
        worker.end(context, &[(CODE, 200), (FLAGS, 0), (ATTEMPTS, 1), (LATENCY, taken)]);
    }
    assert_eq!((worker.state("web/1"), worker.state("web/2")), (State::Closed, State::Open));
    assert!(worker.host.logs[0].contains(r#""why":"slow""#));
}

#[test]
fn a_failure_that_all_versions_share_cuts_off_none() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/1", 503).failing("web/2", 503);
    for _ in 0..20 {
        worker.users(300);
        worker.wait(1_000);
        let states = (worker.state("web/1"), worker.state("web/2"));
        assert_eq!(states, (State::Closed, State::Closed), "{:?}", worker.host.logs);
    }
}

#[test]
fn a_canary_that_was_cut_off_gets_its_users_back_when_the_rest_fails_as_well() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    worker.users(200);
    assert_eq!(worker.state("web/2"), State::Open);
    worker.codes.insert("web/1", 503);
    worker.users(100);
    assert_eq!((worker.state("web/1"), worker.state("web/2")), (State::Closed, State::Closed));
    assert!(worker.host.logs.last().expect("a line").contains(r#""why":"shared""#));
}

#[test]
fn the_only_subset_is_never_cut_off() {
    let mut worker = Worker::alone(&[]);
    assert_eq!(worker.users(300)["web/1"], 300);
    assert_eq!(worker.state("web/1"), State::Closed);
}

#[test]
fn a_rule_for_the_service_answers_503_and_its_own_answers_do_not_count() {
    let on: &[u8] = &[4 << 3, 1];
    let mut worker = Worker::alone(&[entry("service", on)]);
    let went = worker.users(100);
    assert_eq!((went["web/1"], went[""]), (5, 95));
    let (code, headers) = &worker.host.responses[0];
    let headers = String::from_utf8_lossy(headers).to_string();
    assert!(*code == 503 && headers.contains("retry-after\x005\0") && headers.contains("x-fairlead-breaker\0open\0"));
    worker.wait(250);
    assert_eq!(worker.metric("rejected_total", "web/1"), 95);
    assert_eq!(worker.metric("opens_total", "web/1"), 1);
}

#[test]
fn tries_before_the_last_count_against_the_subset_that_was_assigned() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default());
    worker.host.properties.insert(CLUSTER.to_vec(), b"web/1".to_vec());
    let mut tried = 0;
    for user in 0..300 {
        let (context, cluster) = worker.begin(&format!("user-{user}"));
        tried += u32::from(cluster == "web/2");
        worker.end(context, &[(CODE, 200), (FLAGS, 0), (ATTEMPTS, if cluster == "web/2" { 2 } else { 1 })]);
    }
    assert_eq!((worker.state("web/2"), tried), (State::Open, 5));
}

#[test]
fn what_an_operator_forces_holds_whatever_happens_and_is_told_once() {
    let split = [("web/1", 8_000.0), ("web/2", 2_000.0)];
    let forced = |word| route(&split, &[entry("force", &fields(&[entry("web/2", &text(word))]))]);
    let mut worker = Worker::new(forced("open"), &Shared::default());
    assert_eq!(worker.users(300).get("web/2"), None);
    worker.wait(60_000);
    assert_eq!(worker.users(300).get("web/2"), None);
    assert_eq!(worker.metric("state", "web/2"), 4);
    worker.host.properties.insert(ROUTE_METADATA.to_vec(), forced("closed"));
    worker.codes.insert("web/2", 503);
    assert!(worker.users(300)["web/2"] > 30);
    worker.wait(500);
    assert_eq!(worker.metric("state", "web/2"), 5);
    assert_eq!(worker.host.logs.len(), 2, "{:?}", worker.host.logs);
}
