//! `filters/vectors/buckets.json`, checked natively. Python, wasmtime and Envoy are held to the same file.

use alloc::string::String;
use alloc::vec::Vec;

use crate::fake_host::FakeHost;
use crate::filter::{Filter, SOURCE_ADDRESS};
use crate::hash::{bucket, hash64};
use crate::json::Json;
use crate::routes::ROUTE_METADATA;

fn vectors() -> Json {
    Json::read(include_bytes!("../../vectors/buckets.json")).expect("the vectors are JSON")
}

pub fn items<'a>(json: &'a Json, name: &str) -> &'a [Json] {
    match json.get(name) {
        Some(Json::Array(items)) => items,
        other => panic!("{name}: {other:?}"),
    }
}

pub fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match json.get(name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hexadecimal") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn every_key_falls_into_its_bucket() {
    let json = vectors();
    let all = items(&json, "buckets");
    assert!(all.len() >= 50);
    for vector in all {
        let (salt, key) = (text(vector, "salt").unwrap(), hex(text(vector, "key_hex").unwrap()));
        let hash = u64::from_str_radix(text(vector, "hash").unwrap(), 16).unwrap();
        assert_eq!(hash64(salt.as_bytes(), &key), hash, "{vector:?}");
        assert_eq!(vector.get("bucket"), Some(&Json::Number(bucket(salt.as_bytes(), &key).into())), "{vector:?}");
    }
}

#[test]
fn every_request_gets_its_header() {
    let json = vectors();
    let all = items(&json, "requests");
    assert!(all.len() >= 20);
    for vector in all {
        let configuration = text(vector, "configuration").unwrap().as_bytes().to_vec();
        let mut host = FakeHost { configuration, ..FakeHost::default() };
        if let Some(metadata) = text(vector, "metadata_hex") {
            host.properties.insert(ROUTE_METADATA.to_vec(), hex(metadata));
        }
        if let Some(source) = text(vector, "source") {
            host.properties.insert(SOURCE_ADDRESS.to_vec(), source.as_bytes().to_vec());
        }
        for header in items(vector, "headers") {
            let name = text(header, "name").unwrap().as_bytes().to_vec();
            host.headers.push((name, hex(text(header, "value_hex").unwrap())));
        }
        let mut filter = Filter::default();
        filter.context_create(1, 0);
        let size = host.configuration.len();
        assert!(filter.configure(&mut host, 1, size), "{:?}", host.logs);
        filter.context_create(2, 1);
        let _ = filter.request_headers(&mut host, 2);
        let header = text(vector, "header").unwrap().as_bytes();
        let written = host.header(header).map(|value| String::from_utf8(value.to_vec()).unwrap());
        assert_eq!(written.as_deref(), text(vector, "expect"), "{:?}", text(vector, "name"));
    }
}
