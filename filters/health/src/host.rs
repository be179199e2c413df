//! What the filter needs from the proxy, as a trait: the seam between the logic and the foreign calls.

use alloc::vec::Vec;

/// A status that is not 0, as the host gave it. Any number is possible; none may stop the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub u32);

/// Log levels of Proxy-Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something an operator should see.
    Warn = 3,
    /// Something that was refused.
    Error = 4,
}

/// The host calls of the filter. Each method is exactly one foreign call.
pub trait Host {
    /// Writes a log line.
    fn log(&mut self, level: Level, message: &str);
    /// `proxy_get_property`; parts of the path are joined by a zero byte.
    fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Refused>;
    /// `proxy_get_header_map_value` on the request's headers: the first value of the name.
    fn request_header(&mut self, name: &[u8]) -> Result<Vec<u8>, Refused>;
    /// `proxy_replace_header_map_value` on the request's headers. In ABI 0.2.1 it makes Envoy choose the route again.
    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused>;
    /// `proxy_get_buffer_bytes` on the plugin's configuration, readable only while configuring.
    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused>;
}
