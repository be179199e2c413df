//! How a request ended, asked of the proxy; and the answer of a breaker that lets nothing through.

use alloc::format;
use alloc::vec::Vec;

use crate::classify::{Evidence, CLIENT_LEFT, HARD};
use crate::facts::Facts;
use crate::filter::Action;
use crate::host::{Host, Map};
use crate::outcome::Outcome;
use crate::place::Assigned;

/// Where gRPC says how a call ended.
pub const GRPC_STATUS: &[u8] = b"grpc-status";
/// A set of bits.
pub const FLAGS: &[u8] = b"response\0flags";
/// A number.
pub const CODE: &[u8] = b"response\0code";
/// Nanoseconds from the first byte sent to the upstream to the last one received.
pub const LATENCY: &[u8] = b"response\0backend_latency";
/// A number.
pub const ATTEMPTS: &[u8] = b"upstream\0request_attempt_count";
/// Text.
pub const CLUSTER: &[u8] = b"xds\0cluster_name";
const RETRY_AFTER: &[u8] = b"retry-after";

/// Reads a property of eight bytes, little endian; None for any other.
fn number<H: Host>(host: &mut H, path: &[u8]) -> Option<u64> {
    host.property(path).ok()?.as_slice().try_into().ok().map(u64::from_le_bytes)
}

/// Flags, code and tries in one number, which Envoy can be asked for in one call.
const SUMMARY: &str = "response.flags * 1000000 + response.code * 1000 + int(upstream.request_attempt_count)";

/// Asks for three properties at once where the host evaluates expressions (Envoy does), otherwise one by one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    token: Option<[u8; 4]>,
}

impl Summary {
    /// Gives the host the expression, once for each machine.
    pub fn prepare<H: Host>(&mut self, host: &mut H) {
        if self.token.is_none() {
            self.token = host.foreign("expr_create", SUMMARY.as_bytes()).ok().and_then(|token| token.try_into().ok());
        }
    }

    /// Flags, code and tries. The code is 0 where the flags decide, and where there is none.
    fn ask<H: Host>(&self, host: &mut H) -> (u64, u64, u64) {
        if let Some(token) = self.token {
            let read = host.foreign("expr_evaluate", &token).ok().and_then(|value| value.try_into().ok());
            if let Some(whole) = read.map(u64::from_le_bytes) {
                return (whole / 1_000_000, whole / 1_000 % 1_000, whole % 1_000);
            }
        }
        let flags = number(host, FLAGS).unwrap_or(0);
        // An expression that cannot be evaluated lacks an upstream, and without one nothing was tried.
        let attempts = if self.token.is_some() { 1 } else { number(host, ATTEMPTS).unwrap_or(1) };
        let code = if flags & (CLIENT_LEFT | HARD) != 0 { 0 } else { number(host, CODE).unwrap_or(0) };
        (flags, code, attempts)
    }
}

/// How a request ended. One more property is asked for where the rule knows what is slow, or there was a second try.
pub fn end_of<H: Host>(
    host: &mut H,
    summary: Summary,
    facts: &Facts,
    assigned: Assigned,
    grpc: Option<u32>,
) -> Outcome {
    let (flags, code, attempts) = summary.ask(host);
    let is_decided = flags & (CLIENT_LEFT | HARD) != 0;
    let mut outcome = Outcome { attempts, ..Outcome::default() };
    outcome.evidence = Evidence { flags, code, grpc, slow: false };
    if attempts > 1 {
        // Only a retry can have moved on; a request that was tried again is not judged by its last try's time.
        let cluster = facts.split.get(assigned.segment).map(|segment| segment.cluster.as_slice());
        outcome.has_moved = host.property(CLUSTER).is_ok_and(|name| Some(name.as_slice()) != cluster);
        return outcome;
    }
    let slow_ms = facts.breakers.as_ref().map_or(0, |breakers| breakers.rule.slow_ms);
    if slow_ms > 0 && !is_decided {
        outcome.evidence.slow = number(host, LATENCY).is_some_and(|taken| taken / 1_000_000 >= slow_ms);
    }
    outcome
}

/// What the answer's `retry-after` asks for, in milliseconds; 0 for none, and for a date.
pub fn retry_after_ms<H: Host>(host: &mut H) -> u64 {
    let read = host.header(Map::Response, RETRY_AFTER).ok();
    let seconds = read.and_then(|value| core::str::from_utf8(&value).ok()?.trim().parse::<u32>().ok());
    u64::from(seconds.unwrap_or(0)) * 1000
}

/// Answers 503 and says when to come back, a second at the soonest. A refused answer lets the request go on.
pub fn reject<H: Host>(host: &mut H, after_ms: u64) -> Action {
    let seconds = format!("{}", after_ms.div_ceil(1000).max(1));
    let headers = pairs(&[(b"retry-after", seconds.as_bytes()), (b"x-fairlead-breaker", b"open")]);
    match host.respond(503, b"fairlead_breaker_open", &headers) {
        Ok(()) => Action::Stop,
        Err(_) => Action::Continue,
    }
}

/// A map of headers as Proxy-Wasm writes it: count, lengths, then names and values with a zero byte after each.
fn pairs(list: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = (list.len() as u32).to_le_bytes().to_vec();
    for (name, value) in list {
        out.extend_from_slice(&(name.len() as u32).to_le_bytes());
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    }
    for text in list.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(text);
        out.push(0);
    }
    out
}
