//! The plugin's configuration: the global defaults, used where a route says nothing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Json;
use crate::key::Key;

/// Largest configuration that is read, in bytes.
pub const LARGEST: usize = 64 * 1024;
const LONGEST_NAME: usize = 128;

/// The global defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The header that carries the bucket.
    pub header: Vec<u8>,
    /// The key for routes that name none; None leaves routes without facts alone.
    pub key: Option<Key>,
    /// The salt for routes that name none.
    pub salt: Vec<u8>,
}

impl Default for Defaults {
    fn default() -> Self {
        Defaults { header: b"x-fairlead-bucket".to_vec(), key: None, salt: Vec::new() }
    }
}

impl Defaults {
    /// Reads the configuration; empty bytes are the defaults. The error says in words what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > LARGEST {
            return Err(format!("the configuration is {} bytes long, the most is {LARGEST}", bytes.len()));
        }
        if bytes.trim_ascii().is_empty() {
            return Ok(Defaults::default());
        }
        let json = Json::read(bytes).map_err(|broken| format!("not JSON: {} at byte {}", broken.what, broken.at))?;
        let Json::Object(members) = json else {
            return Err("the configuration is not a JSON object".into());
        };
        let mut defaults = Defaults::default();
        for (name, value) in &members {
            match name.as_str() {
                "version" => read_version(value)?,
                "header" => defaults.header = read_name("header", value)?,
                "default_key" => defaults.key = read_key(value)?,
                "default_salt" => defaults.salt = read_salt(value)?,
                other => return Err(format!("unknown field `{}`", shown(other))),
            }
        }
        Ok(defaults)
    }
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn read_version(value: &Json) -> Result<(), String> {
    match value {
        Json::Number(1) => Ok(()),
        Json::Number(other) => Err(format!("`version` is {other}, this filter knows 1")),
        _ => Err("`version` is not a whole number".into()),
    }
}

fn read_salt(value: &Json) -> Result<Vec<u8>, String> {
    match value {
        Json::Text(salt) if salt.contains('\0') => Err("`default_salt` contains a zero byte".into()),
        Json::Text(salt) => Ok(salt.as_bytes().to_vec()),
        _ => Err("`default_salt` is not text".into()),
    }
}

/// A header's or cookie's name: a token of RFC 9110 section 5.6.2.
fn read_name(field: &str, value: &Json) -> Result<Vec<u8>, String> {
    let Json::Text(name) = value else {
        return Err(format!("`{field}` is not text"));
    };
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_token) {
        return Err(format!("`{field}` is no name: 1 to {LONGEST_NAME} letters, digits, `-`, `_` or `.`"));
    }
    Ok(name.as_bytes().to_ascii_lowercase())
}

fn read_key(value: &Json) -> Result<Option<Key>, String> {
    const SHAPE: &str = r#"`default_key` is not one of {"header": name}, {"cookie": name}, {"source": true}"#;
    let members = match value {
        Json::Null => return Ok(None),
        Json::Object(members) => members,
        _ => return Err(SHAPE.into()),
    };
    let [(kind, value)] = members.as_slice() else {
        return Err(SHAPE.into());
    };
    match (kind.as_str(), value) {
        ("header", value) => Ok(Some(Key::Header(read_name("default_key.header", value)?))),
        ("cookie", Json::Text(name)) => {
            read_name("default_key.cookie", value)?;
            Ok(Some(Key::Cookie(name.as_bytes().to_vec())))
        }
        ("source", Json::Bool(true)) => Ok(Some(Key::Source)),
        _ => Err(SHAPE.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_is_the_defaults() {
        for bytes in [&b""[..], b"  \n", b"{}", br#"{"version":1}"#] {
            assert_eq!(Defaults::read(bytes), Ok(Defaults::default()));
        }
    }

    #[test]
    fn every_field_is_taken() {
        let read = Defaults::read(br#"{"version":1,"header":"X-B","default_key":{"cookie":"Uid"},"default_salt":"s"}"#);
        let key = Some(Key::Cookie(b"Uid".to_vec()));
        assert_eq!(read, Ok(Defaults { header: b"x-b".to_vec(), key, salt: b"s".to_vec() }));
    }

    #[test]
    fn an_unknown_field_is_named() {
        assert_eq!(Defaults::read(br#"{"hedder":"x"}"#), Err("unknown field `hedder`".into()));
    }

    #[test]
    fn wrong_types_values_and_sizes_are_refused() {
        for text in [
            "[]",
            "1",
            "{",
            r#"{"version":2}"#,
            r#"{"version":"1"}"#,
            r#"{"header":1}"#,
            r#"{"header":""}"#,
            r#"{"header":"a b"}"#,
            r#"{"header":":path"}"#,
            r#"{"default_salt":1}"#,
            r#"{"default_salt":"\u0000"}"#,
            r#"{"default_key":{}}"#,
            r#"{"default_key":"x"}"#,
            r#"{"default_key":{"source":false}}"#,
            r#"{"default_key":{"header":"a","cookie":"b"}}"#,
            r#"{"default_key":{"header":""}}"#,
            r#"{"default_key":{"cookie":1}}"#,
            r#"{"default_key":{"body":"x"}}"#,
        ] {
            assert!(Defaults::read(text.as_bytes()).is_err(), "{text}");
        }
        let long = format!("{{\"default_salt\":\"{}\"}}", "s".repeat(LARGEST));
        assert!(Defaults::read(long.as_bytes()).unwrap_err().contains("bytes long"));
    }
}
