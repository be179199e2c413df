use super::*;
use crate::fake_host::FakeHost;
use crate::structs::{entry, metadata, text};

fn route(host: &mut FakeHost, name: &str, service: &str) {
    host.properties.insert(ROUTE_NAME.to_vec(), name.as_bytes().to_vec());
    host.properties.insert(ROUTE_METADATA.to_vec(), metadata(&[entry("service", &text(service))]));
}

/// The service that a request's route has, and what was asked for it.
fn asked(routes: &mut Routes, host: &mut FakeHost) -> (Option<Vec<u8>>, usize) {
    host.calls.clear();
    let facts = routes.facts(host);
    (facts.map(|facts| facts.service.clone()), host.calls.len())
}

#[test]
fn a_name_with_a_hash_is_enough_from_the_second_request_on() {
    let (mut routes, mut host) = (Routes::default(), FakeHost::default());
    route(&mut host, "web.all#0123456789abcdef", "web");
    assert_eq!(asked(&mut routes, &mut host), (Some(b"web".to_vec()), 2));
    assert_eq!(asked(&mut routes, &mut host), (Some(b"web".to_vec()), 1));
    route(&mut host, "web.all#0123456789abcdee", "other");
    assert_eq!(asked(&mut routes, &mut host), (Some(b"other".to_vec()), 2));
}

#[test]
fn other_names_of_routes_with_facts_are_asked_for_once_a_tick() {
    for name in ["web.all", "", "#0123456789abcdeF", "web#0123456789abcde", "0123456789abcdef", "web-0123456789abcdef"]
    {
        let (mut routes, mut host) = (Routes::default(), FakeHost::default());
        route(&mut host, name, "web");
        assert_eq!(asked(&mut routes, &mut host), (Some(b"web".to_vec()), 2));
        assert_eq!(asked(&mut routes, &mut host), (Some(b"web".to_vec()), 1));
        routes.tick();
        route(&mut host, "web.all#0123456789abcdef", "web");
        assert_eq!(asked(&mut routes, &mut host).1, 2);
        assert_eq!(asked(&mut routes, &mut host).1, 1);
        assert_eq!(host.calls, ["get_property"]);
    }
}

#[test]
fn a_route_without_facts_is_known_by_its_name_too_and_a_refusal_is_not_remembered() {
    let (mut routes, mut host) = (Routes::default(), FakeHost::default());
    host.properties.insert(ROUTE_NAME.to_vec(), b"web#0123456789abcdef".to_vec());
    assert_eq!(asked(&mut routes, &mut host), (None, 2));
    host.properties.insert(ROUTE_METADATA.to_vec(), Vec::new());
    assert_eq!(asked(&mut routes, &mut host), (None, 2));
    assert_eq!(asked(&mut routes, &mut host), (None, 1));
}

#[test]
fn names_are_not_all_remembered() {
    let (mut routes, mut host) = (Routes::default(), FakeHost::default());
    for number in 0..3 * Routes::MOST {
        route(&mut host, &alloc::format!("web#{number:016x}"), "web");
        let _ = asked(&mut routes, &mut host);
    }
    assert!(routes.by_name.len() <= Routes::MOST);
}
