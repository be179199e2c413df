//! What users can count on, whatever fails and whenever: somebody answers them, always the same, and in the end their own.

use std::collections::BTreeMap;

use health::fake_host::Shared;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;
use crate::scene::{Numbers, Scene};

const USERS: u32 = 80;

/// What happens to a service: some of its versions fail (a bit each), users come, time passes.
#[derive(Clone, Debug)]
enum Turn {
    Failing(u8),
    Users(u32, u32),
    Wait(u64),
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        2 => any::<u8>().prop_map(Turn::Failing),
        4 => (0..USERS, 1..USERS).prop_map(|(from, many)| Turn::Users(from, many)),
        3 => prop_oneof![8 => 1u64..30, 1 => 2_300u64..2_600].prop_map(Turn::Wait),
    ];
    vec(turn, 1..30)
}

/// Weights of two to four versions that make all buckets, none of them so small that it has no users here.
fn weights() -> impl Strategy<Value = Vec<u32>> {
    vec(1u32..=8, 2..5).prop_map(|parts| {
        let whole: u32 = parts.iter().sum();
        let mut weights: Vec<u32> = parts.iter().map(|part| part * 10_000 / whole).collect();
        weights[0] += 10_000 - weights.iter().sum::<u32>();
        weights
    })
}

fn rule() -> impl Strategy<Value = Numbers> {
    let numbers = (0u32..8, 0u32..100, 1u32..30, 1u32..3_000, 1u32..5, select(vec![0u32, 100, 1_000]));
    numbers.prop_map(|(consecutive, errors, minimum, open_ms, probes, ramp_ms)| {
        let open = [("open_ms", open_ms), ("open_max_ms", 4_000), ("probes", probes), ("ramp_ms", ramp_ms)];
        [vec![("consecutive", consecutive), ("errors", errors), ("minimum", minimum)], open.to_vec()].concat()
    })
}

fn user(number: u32) -> String {
    format!("user-{}", number % USERS)
}

/// Plays a turn; `failing` is kept between turns. Every request has to be answered by a version.
fn play(scene: &mut Scene, turn: &Turn, failing: &mut u8) {
    match turn {
        Turn::Failing(which) => *failing = *which,
        Turn::Wait(ticks) => scene.wait(*ticks),
        Turn::Users(from, many) => {
            for number in *from..from + many {
                let went = scene.ask(&user(number)).expect("nobody is turned away");
                scene.answer(went.context, if *failing >> went.segment & 1 == 1 { 503 } else { 200 });
            }
        }
    }
}

/// All is well from now on; long enough for the longest way back.
fn recover(scene: &mut Scene) {
    for _ in 0..80 {
        play(scene, &Turn::Users(0, USERS), &mut 0);
        scene.wait(1);
    }
}

/// Where everybody goes; the requests stay without an answer.
fn buckets(scene: &mut Scene) -> Vec<u16> {
    let mut all = Vec::new();
    for number in 0..USERS {
        let went = scene.ask(&user(number)).expect("nobody is turned away");
        scene.filter.context_delete(&mut scene.host, went.context);
        all.push(went.bucket);
    }
    all
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_version_that_is_well_is_always_left_and_everybody_returns(
        weights in weights(), rule in rule(), turns in turns()
    ) {
        let mut scene = Scene::new(&weights, &rule, &BTreeMap::new(), &Shared::default());
        let own = buckets(&mut scene);
        let mut failing = 0;
        for turn in &turns {
            play(&mut scene, turn, &mut failing);
            prop_assert!(scene.shares().contains(&100), "{:?} after {turn:?}", scene.shares());
        }
        recover(&mut scene);
        prop_assert_eq!(buckets(&mut scene), own, "{:?}", scene.states());
    }

    #[test]
    fn where_a_user_goes_follows_from_the_user_and_from_who_is_out(
        weights in weights(), rule in rule(), turns in turns()
    ) {
        let mut scene = Scene::new(&weights, &rule, &BTreeMap::new(), &Shared::default());
        let mut failing = 0;
        for turn in &turns {
            play(&mut scene, turn, &mut failing);
            let states = scene.states();
            if states.iter().any(|state| *state > 1) {
                continue;
            }
            let out = states.iter().enumerate().filter(|(_, state)| **state == 1).map(|(at, _)| (at, "open")).collect();
            let mut other = Scene::new(&weights, &rule, &out, &Shared::default());
            let probes = scene.probes();
            for number in 0..USERS {
                let went = scene.ask(&user(number)).expect("nobody is turned away");
                scene.filter.context_delete(&mut scene.host, went.context);
                if scene.probes() > probes {
                    break;
                }
                let there = other.ask(&user(number)).expect("nobody is turned away");
                prop_assert_eq!(went.bucket, there.bucket);
            }
        }
    }

    #[test]
    fn machines_that_share_and_begin_anew_turn_nobody_away_and_agree_in_the_end(
        weights in weights(), rule in rule(), turns in vec((0usize..3, turns(), any::<bool>()), 1..8)
    ) {
        let shared = Shared::default();
        let scene = || Scene::new(&weights, &rule, &BTreeMap::new(), &shared);
        let mut scenes = [scene(), scene(), scene()];
        let own = buckets(&mut scenes[0]);
        for (which, turns, begins_anew) in &turns {
            let mut failing = 0;
            turns.iter().for_each(|turn| play(&mut scenes[*which], turn, &mut failing));
            let now = scenes[*which].host.now_ms;
            if *begins_anew {
                scenes[*which] = scene();
            }
            scenes.iter_mut().for_each(|scene| scene.host.now_ms = scene.host.now_ms.max(now));
        }
        for _ in 0..80 {
            for scene in &mut scenes {
                play(scene, &Turn::Users(0, USERS), &mut 0);
                scene.wait(1);
            }
        }
        for scene in &mut scenes {
            prop_assert_eq!(&buckets(scene), &own);
        }
    }
}
