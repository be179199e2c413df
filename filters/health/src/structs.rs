//! `google.protobuf.Struct` and `Metadata` written for tests.

use alloc::vec;
use alloc::vec::Vec;

/// A length-delimited field, short form of its length.
pub fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

pub fn entry(name: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, name.as_bytes()), field(2, value)].concat())
}

pub fn text(value: &str) -> Vec<u8> {
    field(3, value.as_bytes())
}

pub fn number(value: f64) -> Vec<u8> {
    [&[2 << 3 | 1][..], &value.to_le_bytes()].concat()
}

pub fn list(items: &[Vec<u8>]) -> Vec<u8> {
    field(6, &items.iter().flat_map(|item| field(1, item)).collect::<Vec<u8>>())
}

pub fn fields(members: &[Vec<u8>]) -> Vec<u8> {
    field(5, &members.concat())
}

pub fn pair(cluster: &str, weight: f64) -> Vec<u8> {
    list(&[text(cluster), number(weight)])
}

pub fn metadata(members: &[Vec<u8>]) -> Vec<u8> {
    entry("fairlead", &members.concat())
}
