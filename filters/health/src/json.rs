//! A strict JSON reader for configurations: RFC 8259, whole numbers only, no duplicate names, bounded depth.

use alloc::string::String;
use alloc::vec::Vec;

const DEPTH: usize = 16;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number that fits 64 bits.
    Number(i64),
    /// Text.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of its bytes.
    Object(Vec<(String, Json)>),
}

/// Why the bytes are not taken, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What is wrong.
    pub what: &'static str,
    /// Offset in bytes.
    pub at: usize,
}

impl Json {
    /// Reads one value that fills `bytes`.
    pub fn read(bytes: &[u8]) -> Result<Json, Broken> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value(DEPTH)?;
        reader.blanks();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err(reader.broken("something follows the value")),
        }
    }

    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members.iter().find(|(this, _)| this == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn broken(&self, what: &'static str) -> Broken {
        Broken { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn literal(&mut self, word: &'static str, value: Json) -> Result<Json, Broken> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.broken("a value is expected"));
        }
        self.at = end;
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, Broken> {
        self.blanks();
        let Some(deeper) = depth.checked_sub(1) else {
            return Err(self.broken("nested too deeply"));
        };
        match self.peek() {
            Some(b'n') => self.literal("null", Json::Null),
            Some(b't') => self.literal("true", Json::Bool(true)),
            Some(b'f') => self.literal("false", Json::Bool(false)),
            Some(b'"') => self.text().map(Json::Text),
            Some(b'[') => self.array(deeper),
            Some(b'{') => self.object(deeper),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.broken("a value is expected")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, Broken> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.accept(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.blanks();
            if self.accept(b']') {
                return Ok(Json::Array(items));
            }
            if !self.accept(b',') {
                return Err(self.broken("`,` or `]` is expected"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, Broken> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        self.blanks();
        if self.accept(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.broken("a name in quotes is expected"));
            }
            let name = self.text()?;
            if members.iter().any(|(other, _)| *other == name) {
                return Err(self.broken("a name comes twice"));
            }
            self.blanks();
            if !self.accept(b':') {
                return Err(self.broken("`:` is expected"));
            }
            let value = self.value(depth)?;
            members.push((name, value));
            self.blanks();
            if self.accept(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.accept(b',') {
                return Err(self.broken("`,` or `}` is expected"));
            }
        }
    }

    fn number(&mut self) -> Result<Json, Broken> {
        let start = self.at;
        self.accept(b'-');
        let zero = self.peek() == Some(b'0');
        let digits = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == digits || (zero && self.at > digits + 1) || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(self.broken("a whole number is expected"));
        }
        self.bytes
            .get(start..self.at)
            .and_then(|text| core::str::from_utf8(text).ok())
            .and_then(|text| text.parse().ok())
            .map(Json::Number)
            .ok_or(self.broken("the number is too large"))
    }

    fn text(&mut self) -> Result<String, Broken> {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.broken("a text does not end")),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    let letter = self.escape()?;
                    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(0..=0x1f) => return Err(self.broken("a control character stands in a text")),
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        String::from_utf8(out).map_err(|_| self.broken("a text is not UTF-8"))
    }

    fn escape(&mut self) -> Result<char, Broken> {
        let letter = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            _ => return Err(self.broken("an unknown escape")),
        };
        self.at += 1;
        Ok(letter)
    }

    fn unicode(&mut self) -> Result<char, Broken> {
        let first = self.four()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or(self.broken("half a character"));
        }
        if !(self.accept(b'\\') && self.accept(b'u')) {
            return Err(self.broken("half a character"));
        }
        let second = self.four()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(self.broken("half a character"));
        }
        let point = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        char::from_u32(point).ok_or(self.broken("half a character"))
    }

    fn four(&mut self) -> Result<u32, Broken> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            value = value * 16 + digit.ok_or(self.broken("four hexadecimal digits are expected"))?;
            self.at += 1;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn every_kind_of_value_is_read() {
        let read = Json::read(br#" {"a":[null,true,false,-12,"x\n\u00e9\ud83d\ude00"],"b":{}} "#);
        let items = vec![
            Json::Null,
            Json::Bool(true),
            Json::Bool(false),
            Json::Number(-12),
            Json::Text("x\n\u{e9}\u{1f600}".into()),
        ];
        let members = vec![("a".into(), Json::Array(items)), ("b".into(), Json::Object(vec![]))];
        assert_eq!(read, Ok(Json::Object(members)));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "tru",
            "nul",
            "01",
            "-",
            "1.5",
            "1e3",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"\n\"",
            "1 2",
            "99999999999999999999",
            "{\"a\":1,\"a\":2}",
            "[1 2]",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
        ] {
            assert!(Json::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::read(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert_eq!(Json::read(deep.as_bytes()).unwrap_err().what, "nested too deeply");
    }
}
