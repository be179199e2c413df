//! The filter: contexts in, one bucket header out, and the end of each request counted for the subset it went to.
//!
//! Which host calls a request makes, and in which order, stands in `docs/breaker.md`; tests count them. The header is
//! not read before it is written: behind an edge that removes it the read would never find it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::circuits::Circuits;
use crate::config::{Defaults, LARGEST};
use crate::ending::{end_of, reject, retry_after_ms, Summary, GRPC_STATUS};
use crate::facts::Facts;
use crate::hash::{bucket_of, decimal, hash64};
use crate::host::{Host, Level, Map};
use crate::key::{cookie, without_port, Key};
use crate::outcome::Outcome;
use crate::place::{Assigned, Choice};
use crate::routes::Routes;

/// Path of the downstream address.
pub const SOURCE_ADDRESS: &[u8] = b"source\0address";
/// Most root contexts and most streams remembered; further ones use the newest configuration.
pub const MOST_ROOTS: usize = 256;
/// See [`MOST_ROOTS`].
pub const MOST_STREAMS: usize = 65_536;

/// What the proxy is to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Go on.
    Continue = 0,
    /// It has been answered.
    Stop = 1,
}

/// Everything that one virtual machine knows.
#[derive(Default)]
pub struct Filter {
    roots: BTreeMap<u32, Rc<Defaults>>,
    newest: Rc<Defaults>,
    streams: BTreeMap<u32, Stream>,
    routes: Routes,
    circuits: Circuits,
    summary: Summary,
}

/// One request.
struct Stream {
    defaults: Rc<Defaults>,
    guarded: Option<Guarded>,
}

/// A request whose end counts.
struct Guarded {
    facts: Rc<Facts>,
    assigned: Assigned,
    grpc: Option<u32>,
}

impl Filter {
    /// A context begins; `parent` 0 makes it a root. A stream keeps the configuration it began with.
    pub fn context_create(&mut self, context: u32, parent: u32) {
        if parent == 0 {
            if self.roots.len() < MOST_ROOTS {
                self.roots.entry(context).or_default();
            }
        } else if self.streams.len() < MOST_STREAMS {
            let defaults = self.roots.get(&parent).unwrap_or(&self.newest).clone();
            self.streams.insert(context, Stream { defaults, guarded: None });
        }
    }

    /// Takes the plugin's configuration. False refuses it, after a line in the log; what the root had stays.
    pub fn configure<H: Host>(&mut self, host: &mut H, root: u32, size: usize) -> bool {
        match read_defaults(host, size) {
            Ok(defaults) => {
                let defaults = Rc::new(defaults);
                self.newest = defaults.clone();
                if self.roots.len() < MOST_ROOTS || self.roots.contains_key(&root) {
                    self.roots.insert(root, defaults);
                }
                self.circuits.begin(host);
                self.summary.prepare(host);
                true
            }
            Err(reason) => {
                host.log(Level::Error, &format!("fairlead.health: configuration refused: {reason}"));
                false
            }
        }
    }

    /// Time has passed.
    pub fn tick<H: Host>(&mut self, host: &mut H) {
        self.routes.tick();
        self.circuits.tick(host);
    }

    /// Writes the bucket header of a request, or answers it.
    pub fn request_headers<H: Host>(&mut self, host: &mut H, context: u32) -> Action {
        let defaults = self.streams.get(&context).map_or(&self.newest, |stream| &stream.defaults).clone();
        let facts = self.routes.facts(host);
        let key = facts.as_ref().and_then(|facts| facts.key.as_ref()).or(defaults.key.as_ref());
        if facts.is_none() && key.is_none() {
            return Action::Continue;
        }
        let salt = facts.as_ref().and_then(|facts| facts.salt.as_deref()).unwrap_or(&defaults.salt);
        let Some(hash) = from_key(host, key, salt).or_else(|| from_source(host, salt)) else {
            return Action::Continue;
        };
        let choice = match &facts {
            Some(facts) => self.circuits.place(host, facts, hash),
            None => Choice::Go { bucket: bucket_of(hash), assigned: None },
        };
        match choice {
            Choice::Go { bucket, assigned } => {
                // A refused write leaves the request to Envoy's random choice; there is nothing better to do.
                let written = host.replace_request_header(&defaults.header, decimal(bucket, &mut [0; 5]));
                if let (Ok(()), Some(facts), Some(assigned)) = (written, facts, assigned) {
                    self.guard(host, context, Guarded { facts, assigned, grpc: None });
                }
                Action::Continue
            }
            Choice::Reject { after_ms } => reject(host, after_ms),
        }
    }

    /// Remembers what the end of a request will count for. One that cannot be remembered must not hold a lease.
    fn guard<H: Host>(&mut self, host: &mut H, context: u32, guarded: Guarded) {
        let replaced = match self.streams.get_mut(&context) {
            Some(stream) => stream.guarded.replace(guarded),
            None => Some(guarded),
        };
        self.abandon(host, replaced);
    }

    /// The headers of an answer; `is_end` when there is nothing but headers, as gRPC's failures have it.
    pub fn response_headers<H: Host>(&mut self, host: &mut H, context: u32, is_end: bool) {
        if is_end {
            self.read_grpc_status(host, context, Map::Response);
        }
    }

    /// The trailers of an answer.
    pub fn response_trailers<H: Host>(&mut self, host: &mut H, context: u32) {
        self.read_grpc_status(host, context, Map::Trailers);
    }

    fn read_grpc_status<H: Host>(&mut self, host: &mut H, context: u32, map: Map) {
        if let Some(guarded) = self.streams.get_mut(&context).and_then(|stream| stream.guarded.as_mut()) {
            let read = host.header(map, GRPC_STATUS).ok();
            guarded.grpc = read.and_then(|value| core::str::from_utf8(&value).ok()?.trim().parse().ok());
        }
    }

    /// A request is over.
    pub fn log<H: Host>(&mut self, host: &mut H, context: u32) {
        let Some(guarded) = self.streams.get_mut(&context).and_then(|stream| stream.guarded.take()) else {
            return;
        };
        let outcome = end_of(host, self.summary, &guarded.facts, guarded.assigned, guarded.grpc);
        self.circuits.finish(host, &guarded.facts, guarded.assigned, outcome, retry_after_ms);
    }

    /// A context ends.
    pub fn context_delete<H: Host>(&mut self, host: &mut H, context: u32) {
        let guarded = self.streams.remove(&context).and_then(|stream| stream.guarded);
        self.abandon(host, guarded);
        self.roots.remove(&context);
    }

    /// A request ended unseen: a probe gives its lease back.
    fn abandon<H: Host>(&mut self, host: &mut H, guarded: Option<Guarded>) {
        if let Some(Guarded { facts, assigned, .. }) = guarded.filter(|guarded| guarded.assigned.lease_ms != 0) {
            self.circuits.finish(host, &facts, assigned, Outcome::default(), |_| 0);
        }
    }

    /// Number of contexts remembered, for tests.
    pub fn contexts(&self) -> usize {
        self.roots.len() + self.streams.len()
    }

    /// The breakers, for tests.
    pub fn circuits(&self) -> &Circuits {
        &self.circuits
    }
}

fn read_defaults<H: Host>(host: &mut H, size: usize) -> Result<Defaults, alloc::string::String> {
    if size == 0 {
        return Ok(Defaults::default());
    }
    if size > LARGEST {
        return Err(format!("the configuration is {size} bytes long, the most is {LARGEST}"));
    }
    let bytes: Vec<u8> = host
        .plugin_configuration(size)
        .map_err(|refused| format!("the host does not give it (status {})", refused.0))?;
    Defaults::read(&bytes)
}

fn from_key<H: Host>(host: &mut H, key: Option<&Key>, salt: &[u8]) -> Option<u64> {
    match key? {
        Key::Header(name) => {
            let value = host.header(Map::Request, name).ok()?;
            hashed(salt, &value)
        }
        Key::Cookie(name) => {
            let header = host.header(Map::Request, b"cookie").ok()?;
            hashed(salt, cookie(&header, name)?)
        }
        Key::Source => None,
    }
}

fn from_source<H: Host>(host: &mut H, salt: &[u8]) -> Option<u64> {
    let address = host.property(SOURCE_ADDRESS).ok()?;
    hashed(salt, without_port(&address))
}

/// An empty key is no key: it would put everybody who lacks one into the same bucket.
fn hashed(salt: &[u8], key: &[u8]) -> Option<u64> {
    (!key.is_empty()).then(|| hash64(salt, key))
}

#[cfg(test)]
#[path = "filter_test.rs"]
mod tests;
