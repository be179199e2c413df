//! What a machine holds does not grow with the users and services that it has seen.

use std::collections::BTreeMap;

use health::circuits::Circuits;
use health::fake_host::Shared;
use health::routes::ROUTE_METADATA;
use health::structs::{entry, list, metadata, pair, text};

use crate::live_bytes::held;
use crate::scene::Scene;

#[test]
fn a_million_different_keys_leave_nothing_behind() {
    let mut scene = Scene::new(&[8_000, 2_000], &vec![("open_ms", 1_000)], &BTreeMap::new(), &Shared::default());
    let mut after = Vec::with_capacity(1_000);
    for number in 0..1_000_000u32 {
        let went = scene.ask(&format!("user-{number}")).expect("nobody is turned away");
        // Every tenth thousand the second version fails: users are moved, probes are sent, and it comes back.
        let is_sick = went.segment == 1 && number / 10_000 % 10 == 0;
        scene.answer(went.context, if is_sick { 503 } else { 200 });
        if number % 1_000 == 0 {
            scene.wait(1);
            scene.host.logs.clear();
            after.push(held());
        }
    }
    let (early, late) = (after[..100].iter().max().expect("a hundred"), after.last().expect("a thousand"));
    assert!(late - early < 4_096, "{early} bytes after a tenth, {late} in the end");
}

#[test]
fn ten_thousand_services_are_not_all_remembered() {
    let mut scene = Scene::new(&[10_000], &vec![], &BTreeMap::new(), &Shared::default());
    let before = held();
    for number in 0..10_000u32 {
        let facts = [
            entry("service", &text(&format!("web-{number}"))),
            entry("salt", &text("s")),
            entry("split", &list(&[pair("web/0", 10_000.0)])),
            entry("breaker", &health::structs::fields(&[])),
        ];
        scene.host.properties.insert(ROUTE_METADATA.to_vec(), metadata(&facts));
        scene.host.headers.clear();
        scene.host.properties.insert(health::filter::SOURCE_ADDRESS.to_vec(), b"10.0.0.1:1".to_vec());
        if let Some(went) = scene.ask("anybody") {
            scene.answer(went.context, 200);
        }
        scene.host.metrics.clear();
        scene.host.defined.clear();
        scene.host.shared.borrow_mut().clear();
    }
    assert!(scene.filter.circuits().len() <= Circuits::MOST);
    assert!(held() - before < 6 << 20, "{} bytes", held() - before);
}
