//! Which bytes of a request place it: a header, a cookie, or the source address.

use alloc::vec::Vec;

/// Where a request's key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The first value of this request header; the name is in lower case.
    Header(Vec<u8>),
    /// The first cookie of this name.
    Cookie(Vec<u8>),
    /// The downstream address without its port.
    Source,
}

impl Key {
    /// A header key. Names of headers know no case, and proxies hold them in lower case.
    pub fn header(name: &[u8]) -> Self {
        Key::Header(name.to_ascii_lowercase())
    }
}

/// The value of the first cookie called `name` in a `cookie` header (RFC 6265 section 4.2.1): blanks around it and one
/// pair of double quotes are not part of it. Names are compared exactly.
pub fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header.split(|byte| *byte == b';').find_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (this, value) = pair.split_at_checked(equals)?;
        if this.trim_ascii() != name {
            return None;
        }
        let value = value.get(1..)?.trim_ascii();
        Some(value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value))
    })
}

/// `10.0.0.1:5000` to `10.0.0.1`, `[::1]:5000` to `::1`; what carries no port (a socket's path) stays as it is.
pub fn without_port(address: &[u8]) -> &[u8] {
    if let Some(rest) = address.strip_prefix(b"[") {
        let end = rest.iter().position(|byte| *byte == b']');
        return end.and_then(|end| rest.get(..end)).unwrap_or(address);
    }
    let Some(colon) = address.iter().rposition(|byte| *byte == b':') else {
        return address;
    };
    let (host, port) = (address.get(..colon).unwrap_or_default(), address.get(colon + 1..).unwrap_or_default());
    // A second colon means an IPv6 address that was written without brackets and so without a port.
    let is_port = !port.is_empty() && port.iter().all(u8::is_ascii_digit) && !host.contains(&b':');
    if is_port {
        host
    } else {
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_of_the_name_is_taken() {
        assert_eq!(cookie(b"a=1; uid=u1; uid=u2", b"uid"), Some(&b"u1"[..]));
        assert_eq!(cookie(b"uid=u1", b"uid"), Some(&b"u1"[..]));
    }

    #[test]
    fn a_name_that_merely_ends_alike_is_another_cookie() {
        assert_eq!(cookie(b"xuid=1; UID=2", b"uid"), None);
    }

    #[test]
    fn blanks_and_quotes_are_not_part_of_the_value() {
        assert_eq!(cookie(b" uid =  \"u 1\" ;x=y", b"uid"), Some(&b"u 1"[..]));
        assert_eq!(cookie(b"uid=\"", b"uid"), Some(&b"\""[..]));
        assert_eq!(cookie(b"uid=\"\"", b"uid"), Some(&b""[..]));
    }

    #[test]
    fn an_equals_sign_may_be_part_of_the_value() {
        assert_eq!(cookie(b"uid=a=b==", b"uid"), Some(&b"a=b=="[..]));
    }

    #[test]
    fn cookies_without_value_and_empty_headers_are_passed_over() {
        for header in [&b""[..], b";", b"=", b"uid", b";;;=;uid"] {
            assert_eq!(cookie(header, b"uid"), None);
        }
        assert_eq!(cookie(b"uid=", b"uid"), Some(&b""[..]));
    }

    #[test]
    fn the_port_is_taken_off_v4_and_v6_and_nothing_else() {
        for (address, host) in [
            (&b"10.0.0.1:5000"[..], &b"10.0.0.1"[..]),
            (b"10.0.0.1:0", b"10.0.0.1"),
            (b"10.0.0.1", b"10.0.0.1"),
            (b"[2001:db8::1]:443", b"2001:db8::1"),
            (b"2001:db8::1", b"2001:db8::1"),
            (b"/run/app.sock", b"/run/app.sock"),
            (b"[broken", b"[broken"),
            (b"x:", b"x:"),
            (b"", b""),
        ] {
            assert_eq!(without_port(address), host);
        }
    }
}
