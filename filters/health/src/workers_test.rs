//! Breakers of several machines over one shared memory, of machines that begin anew, and of hosts that refuse.

use alloc::format;
use alloc::vec::Vec;

use crate::breaker::State;
use crate::ending::{ATTEMPTS, CODE, FLAGS};
use crate::fake_host::Shared;
use crate::filter::SOURCE_ADDRESS;
use crate::hash::bucket;
use crate::routes::ROUTE_METADATA;
use crate::worker::{canary, route, rule, Worker};

#[test]
fn workers_agree_within_a_tick_and_one_of_them_tells() {
    let shared = Shared::default();
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::new(canary(2_000.0), &shared)).collect();
    workers.iter_mut().for_each(|worker| assert!(worker.users(50).len() == 2));
    workers[0].codes.insert("web/2", 503);
    workers[0].users(200);
    for worker in &mut workers {
        worker.wait(250);
        assert_eq!(worker.users(200).get("web/2"), None);
    }
    assert_eq!(workers.iter().map(|worker| worker.host.logs.len()).sum::<usize>(), 1);
    assert_eq!(workers.iter().map(|worker| worker.metric("opens_total", "web/2").max(0)).sum::<i64>(), 1);
}

#[test]
fn a_ratio_is_that_of_all_workers() {
    let shared = Shared::default();
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::new(canary(2_000.0), &shared)).collect();
    for (worker, random) in workers.iter_mut().zip([3, 5, 7, 9]) {
        worker.host.random = random;
    }
    let mut sent = 0u32;
    'rounds: for round in 0..50 {
        for worker in &mut workers {
            for user in 0..10 {
                worker.codes.insert("web/2", if sent % 2 == 0 { 500 } else { 200 });
                sent += u32::from(worker.request(&format!("user-{round}-{user}")) == "web/2");
            }
            worker.wait(250);
            if worker.state("web/2") == State::Open {
                break 'rounds;
            }
        }
    }
    assert!((20..=30).contains(&sent), "{sent}");
}

#[test]
fn of_several_workers_one_probes_at_a_time() {
    let shared = Shared::default();
    let mut workers: Vec<Worker> = (0..4).map(|_| Worker::new(canary(2_000.0), &shared)).collect();
    workers[0].codes.insert("web/2", 503);
    workers[0].users(200);
    workers.iter_mut().for_each(|worker| worker.wait(1_000));
    let mut probes = Vec::new();
    for (at, worker) in workers.iter_mut().enumerate() {
        for user in 0..50 {
            let (context, cluster) = worker.begin(&format!("user-{user}"));
            if cluster == "web/2" {
                probes.push((at, context));
            }
        }
    }
    assert_eq!(probes.len(), 1);
    // Its client goes away: no result, and the lease is free for the next one.
    let (at, context) = probes[0];
    workers[at].end(context, &[(CODE, 0), (FLAGS, 1 << 14), (ATTEMPTS, 1)]);
    workers[at].codes.clear();
    assert!(workers[at].users(300)["web/2"] > 3);
    assert_eq!(workers[at].state("web/2"), State::Ramp);
}

#[test]
fn a_machine_that_is_made_anew_finds_the_breaker_open() {
    let shared = Shared::default();
    let mut worker = Worker::new(canary(2_000.0), &shared).failing("web/2", 503);
    worker.users(200);
    let mut again = Worker::new(canary(2_000.0), &shared);
    assert_eq!(again.users(200).get("web/2"), None);
    assert_eq!(again.host.logs.len(), 0);
}

#[test]
fn a_machine_that_has_not_met_the_others_asks_before_it_cuts_off_the_last_that_is_left() {
    let shared = Shared::default();
    let split = [("web/1", 4_000), ("web/2", 10_000)].to_vec();
    let mut worker = Worker { split: split.clone(), ..Worker::new(canary(6_000.0), &shared) }.failing("web/2", 503);
    worker.users(200);
    assert_eq!(worker.state("web/2"), State::Open);
    let mut again = Worker { split, ..Worker::new(canary(6_000.0), &shared) }.failing("web/1", 503);
    let of_first = |user: &String| bucket(b"s", user.as_bytes()) < 4_000;
    let user = (0..).map(|number| format!("user-{number}")).find(of_first).expect("a user");
    for _ in 0..20 {
        again.request(&user);
    }
    assert_eq!(again.state("web/1"), State::Closed);
}

#[test]
fn two_configurations_in_one_machine_share_their_breakers_until_the_old_one_is_gone() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    worker.users(200);
    worker.filter.context_create(2, 0);
    assert!(worker.filter.configure(&mut worker.host, 2, 0));
    assert_eq!(worker.users(200).get("web/2"), None);
    worker.filter.context_delete(&mut worker.host, 1);
    worker.wait(250);
    assert_eq!(worker.users(200).get("web/2"), None);
    assert_eq!(worker.host.logs.len(), 1);
}

#[test]
fn a_changed_rule_is_a_new_breaker_and_an_equal_one_is_not() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    worker.users(200);
    worker.codes.clear();
    let more = route(&[("web/1", 7_000.0), ("web/2", 3_000.0)], &rule(&[("open_ms", 1_000.0), ("ramp_ms", 1_000.0)]));
    worker.host.properties.insert(ROUTE_METADATA.to_vec(), more);
    assert_eq!(worker.users(200).get("web/2"), None);
    let changed = route(&[("web/1", 8_000.0), ("web/2", 2_000.0)], &rule(&[("open_ms", 2_000.0)]));
    worker.host.properties.insert(ROUTE_METADATA.to_vec(), changed);
    assert!(worker.users(200)["web/2"] > 20);
}

#[test]
fn without_shared_data_each_machine_breaks_and_heals_by_itself() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    worker.host.refusals.insert("get_shared_data", 10);
    worker.host.refusals.insert("set_shared_data", 12);
    assert_eq!(worker.users(1_000)["web/2"], 5);
    worker.codes.clear();
    worker.wait(1_000);
    worker.users(300);
    worker.wait(6_000);
    assert_eq!(worker.state("web/2"), State::Closed);
}

#[test]
fn without_ticks_each_request_reads_the_clock() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default()).failing("web/2", 503);
    worker.host.refusals.insert("set_tick_period_milliseconds", 10);
    assert!(worker.filter.configure(&mut worker.host, 1, 0));
    worker.users(200);
    worker.codes.clear();
    worker.host.now_ms += 1_000;
    worker.users(200);
    assert_eq!(worker.state("web/2"), State::Ramp);
}

/// (rule knows what is slow, host evaluates expressions, request is as odd as can be, calls)
const CALLS_OF_A_REQUEST: [(bool, bool, bool, usize); 6] = [
    (false, true, false, 4),
    (false, false, false, 6),
    (true, true, false, 5),
    (true, false, false, 7),
    (true, true, true, 7),
    (true, false, true, 9),
];

#[test]
fn no_request_makes_more_than_nine_host_calls_and_most_make_four() {
    let split = [("web/1", 8_000.0), ("web/2", 2_000.0)];
    for (is_slow_known, evaluates, is_odd, calls) in CALLS_OF_A_REQUEST {
        let members = if is_slow_known { rule(&[("slow_ms", 100.0)]) } else { Vec::new() };
        let mut worker = Worker::new(route(&split, &members), &Shared::default());
        worker.host.evaluates = evaluates;
        assert!(worker.filter.configure(&mut worker.host, 1, 0));
        worker.users(50);
        worker.host.calls.clear();
        worker.host.properties.insert(SOURCE_ADDRESS.to_vec(), b"10.0.0.1:1".to_vec());
        let (context, _) = worker.begin(if is_odd { "" } else { "user-1" });
        worker.filter.response_headers(&mut worker.host, context, is_odd);
        worker.end(context, &[(CODE, 200), (FLAGS, 0), (ATTEMPTS, if is_odd { 2 } else { 1 })]);
        assert_eq!(worker.host.calls.len(), calls, "{:?}", worker.host.calls);
    }
}

#[test]
fn without_an_upstream_the_expression_fails_and_flags_and_code_are_asked_for() {
    let mut worker = Worker::new(canary(2_000.0), &Shared::default());
    worker.host.evaluates = true;
    assert!(worker.filter.configure(&mut worker.host, 1, 0));
    worker.users(50);
    for user in 0..500 {
        let (context, cluster) = worker.begin(&format!("user-{user}"));
        worker.host.properties.remove(ATTEMPTS);
        worker.end(context, &[(CODE, 503), (FLAGS, if cluster == "web/2" { 1 << 5 } else { 1 << 14 })]);
    }
    assert_eq!((worker.state("web/1"), worker.state("web/2")), (State::Closed, State::Open));
}
