//! What the filter needs from the proxy, as a trait: the seam between the logic and the foreign calls.

use alloc::vec::Vec;

/// A status that is not 0, as the host gave it. Any number is possible; none may stop the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub u32);

impl Refused {
    /// There is nothing of that name.
    pub const NOT_FOUND: Refused = Refused(1);
    /// Somebody else wrote in between.
    pub const CAS_MISMATCH: Refused = Refused(8);
}

/// Log levels of Proxy-Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something that happened.
    Info = 2,
    /// Something an operator should see.
    Warn = 3,
    /// Something that was refused.
    Error = 4,
}

/// Maps of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// The request's headers.
    Request = 0,
    /// The answer's headers.
    Response = 2,
    /// The answer's trailers.
    Trailers = 3,
}

/// Kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter = 0,
    /// Is set.
    Gauge = 1,
}

/// The host calls of the filter. Each method is exactly one foreign call.
pub trait Host {
    /// Writes a log line.
    fn log(&mut self, level: Level, message: &str);
    /// `proxy_get_property`; parts of the path are joined by a zero byte.
    fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Refused>;
    /// `proxy_get_header_map_value`: the first value of the name.
    fn header(&mut self, map: Map, name: &[u8]) -> Result<Vec<u8>, Refused>;
    /// `proxy_replace_header_map_value` on the request's headers. In ABI 0.2.1 it makes Envoy choose the route again.
    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused>;
    /// `proxy_send_local_response` without a body; `headers` are pairs as Proxy-Wasm writes them.
    fn respond(&mut self, code: u32, details: &[u8], headers: &[u8]) -> Result<(), Refused>;
    /// `proxy_get_buffer_bytes` on the plugin's configuration, readable only while configuring.
    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused>;
    /// `proxy_call_foreign_function`: what a host offers beyond the ABI, by name.
    fn foreign(&mut self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Refused>;
    /// `proxy_get_current_time_nanoseconds`: wall time.
    fn now_ns(&mut self) -> Result<u64, Refused>;
    /// `random_get` of WASI: eight bytes by chance.
    fn random(&mut self) -> Result<u64, Refused>;
    /// `proxy_set_tick_period_milliseconds`.
    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Refused>;
    /// `proxy_get_shared_data`: a value and its number for compare-and-swap.
    fn shared(&mut self, key: &str) -> Result<(Vec<u8>, u32), Refused>;
    /// `proxy_set_shared_data`; number 0 writes whatever is there.
    fn set_shared(&mut self, key: &str, value: &[u8], cas: u32) -> Result<(), Refused>;
    /// `proxy_define_metric`: the metric's number.
    fn define_metric(&mut self, kind: Kind, name: &str) -> Result<u32, Refused>;
    /// `proxy_increment_metric`.
    fn increment_metric(&mut self, metric: u32, by: i64) -> Result<(), Refused>;
    /// `proxy_record_metric`.
    fn record_metric(&mut self, metric: u32, value: i64) -> Result<(), Refused>;
}
