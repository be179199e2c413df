//! A reader for the protobuf wire format that never reads past its bytes and never recurses.
//!
//! It knows tags, lengths and skipping; which field means what is for the caller. Broken input ends the iteration
//! with an error, and unknown fields are the caller's to ignore.

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, little endian.
    Fixed64(u64),
    /// Wire type 2: text, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire type 5, little endian.
    Fixed32(u32),
}

/// The bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Iterates over `(number, field)` of one message.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`, in the order of its bytes.
    pub fn of(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        let taken = self.rest.get(..length).ok_or(Malformed)?;
        self.rest = self.rest.get(length..).ok_or(Malformed)?;
        Ok(taken)
    }

    fn fixed(&mut self, length: u64) -> Result<u64, Malformed> {
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Malformed> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed(8)?),
            2 => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(self.fixed(4)? as u32),
            // Groups (3, 4) are not in proto3; 6 and 7 do not exist.
            _ => return Err(Malformed),
        };
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok((number, field)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Field<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// The last length-delimited field `number` of `message`, None when it is absent.
pub fn last_bytes(message: &[u8], number: u64) -> Result<Option<&[u8]>, Malformed> {
    let mut found = None;
    for field in Fields::of(message) {
        if let (n, Field::Bytes(bytes)) = field? {
            if n == number {
                found = Some(bytes);
            }
        }
    }
    Ok(found)
}

/// The value of `key` in the `map<string, Message>` that is field `number` of `message`.
pub fn map_entry<'a>(message: &'a [u8], number: u64, key: &[u8]) -> Result<Option<&'a [u8]>, Malformed> {
    let mut found = None;
    for field in Fields::of(message) {
        if let (n, Field::Bytes(entry)) = field? {
            if n == number && last_bytes(entry, 1)?.unwrap_or_default() == key {
                found = Some(last_bytes(entry, 2)?.unwrap_or_default());
            }
        }
    }
    Ok(found)
}

/// A `google.protobuf.Value`, one level deep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null_value`, or nothing set.
    Null,
    /// `number_value`.
    Number(f64),
    /// `string_value`.
    Text(&'a [u8]),
    /// `bool_value`.
    Bool(bool),
    /// `struct_value`: the bytes of a `Struct`.
    Struct(&'a [u8]),
    /// `list_value`: the bytes of a `ListValue`.
    List(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads the message; as protobuf demands, the last member of the oneof wins.
    pub fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut value = Value::Null;
        for field in Fields::of(message) {
            value = match field? {
                (1, Field::Varint(_)) => Value::Null,
                (2, Field::Fixed64(bits)) => Value::Number(f64::from_bits(bits)),
                (3, Field::Bytes(text)) => Value::Text(text),
                (4, Field::Varint(flag)) => Value::Bool(flag != 0),
                (5, Field::Bytes(fields)) => Value::Struct(fields),
                (6, Field::Bytes(items)) => Value::List(items),
                _ => value,
            };
        }
        Ok(value)
    }
}

/// The field `name` of a `google.protobuf.Struct`; [`Value::Null`] when it is absent.
pub fn struct_field<'a>(fields: &'a [u8], name: &str) -> Result<Value<'a>, Malformed> {
    match map_entry(fields, 1, name.as_bytes())? {
        Some(value) => Value::read(value),
        None => Ok(Value::Null),
    }
}

/// Iterates over the members of a `google.protobuf.Struct`, in the order of its bytes.
pub fn struct_fields(fields: &[u8]) -> impl Iterator<Item = Result<(&[u8], Value<'_>), Malformed>> {
    Fields::of(fields).filter_map(|field| match field {
        Ok((1, Field::Bytes(entry))) => Some(member(entry)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn member(entry: &[u8]) -> Result<(&[u8], Value<'_>), Malformed> {
    let name = last_bytes(entry, 1)?.unwrap_or_default();
    Ok((name, Value::read(last_bytes(entry, 2)?.unwrap_or_default())?))
}

/// Iterates over the values of a `google.protobuf.ListValue`.
pub fn list_items(items: &[u8]) -> impl Iterator<Item = Result<Value<'_>, Malformed>> {
    Fields::of(items).filter_map(|field| match field {
        Ok((1, Field::Bytes(value))) => Some(Value::read(value)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_message_is_malformed_and_ends() {
        let message = [0x0a, 5, b'a', b'b'];
        let mut fields = Fields::of(&message);
        assert_eq!(fields.next(), Some(Err(Malformed)));
        assert_eq!(fields.next(), None);
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_malformed() {
        let message = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Fields::of(&message).next(), Some(Err(Malformed)));
    }

    #[test]
    fn a_length_beyond_any_memory_is_malformed() {
        let message = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Fields::of(&message).next(), Some(Err(Malformed)));
    }

    #[test]
    fn groups_and_field_zero_are_malformed() {
        for first in [0x0bu8, 0x0c, 0x0e, 0x0f, 0x00] {
            assert_eq!(Fields::of(&[first, 0]).next(), Some(Err(Malformed)));
        }
    }
}
