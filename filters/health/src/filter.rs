//! The filter: contexts in, one bucket header out.
//!
//! Host calls of one request, in order: `get_property(xds.route_metadata)`; then, for a header or cookie key,
//! `get_header_map_value`; `get_property(source.address)` only when that gave nothing; `replace_header_map_value`. The
//! header is not read before it is written: behind an edge that removes it the read would never find it.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::config::{Defaults, LARGEST};
use crate::facts::FactsCache;
use crate::hash::{bucket, decimal};
use crate::host::{Host, Level};
use crate::key::{cookie, without_port, Key};

/// Path of the route's metadata.
pub const ROUTE_METADATA: &[u8] = b"xds\0route_metadata";
/// Path of the downstream address.
pub const SOURCE_ADDRESS: &[u8] = b"source\0address";
/// Most root contexts and most streams remembered; further ones use the newest configuration.
pub const MOST_ROOTS: usize = 256;
/// See [`MOST_ROOTS`].
pub const MOST_STREAMS: usize = 65_536;

/// Everything that one virtual machine knows.
#[derive(Default)]
pub struct Filter {
    roots: BTreeMap<u32, Rc<Defaults>>,
    newest: Rc<Defaults>,
    streams: BTreeMap<u32, Rc<Defaults>>,
    facts: FactsCache,
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
            self.streams.insert(context, defaults);
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
                true
            }
            Err(reason) => {
                host.log(Level::Error, &format!("fairlead.health: configuration refused: {reason}"));
                false
            }
        }
    }

    /// Writes the bucket header of a request.
    pub fn request_headers<H: Host>(&mut self, host: &mut H, context: u32) {
        let defaults = self.streams.get(&context).unwrap_or(&self.newest).clone();
        let facts = match host.property(ROUTE_METADATA) {
            Ok(metadata) if !metadata.is_empty() => self.facts.facts(host, metadata),
            _ => None,
        };
        let key = facts.as_ref().and_then(|facts| facts.key.as_ref()).or(defaults.key.as_ref());
        if facts.is_none() && key.is_none() {
            return;
        }
        let salt = facts.as_ref().and_then(|facts| facts.salt.as_deref()).unwrap_or(&defaults.salt);
        let placed = from_key(host, key, salt).or_else(|| from_source(host, salt));
        if let Some(bucket) = placed {
            // A refused write leaves the request to Envoy's random choice; there is nothing better to do.
            let _ = host.replace_request_header(&defaults.header, decimal(bucket, &mut [0; 5]));
        }
    }

    /// A context ends.
    pub fn context_delete(&mut self, context: u32) {
        self.streams.remove(&context);
        self.roots.remove(&context);
    }

    /// Number of contexts remembered, for tests.
    pub fn contexts(&self) -> usize {
        self.roots.len() + self.streams.len()
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

fn from_key<H: Host>(host: &mut H, key: Option<&Key>, salt: &[u8]) -> Option<u16> {
    match key? {
        Key::Header(name) => {
            let value = host.request_header(name).ok()?;
            placed(salt, &value)
        }
        Key::Cookie(name) => {
            let header = host.request_header(b"cookie").ok()?;
            placed(salt, cookie(&header, name)?)
        }
        Key::Source => None,
    }
}

fn from_source<H: Host>(host: &mut H, salt: &[u8]) -> Option<u16> {
    let address = host.property(SOURCE_ADDRESS).ok()?;
    placed(salt, without_port(&address))
}

/// An empty key is no key: it would put everybody who lacks one into the same bucket.
fn placed(salt: &[u8], key: &[u8]) -> Option<u16> {
    (!key.is_empty()).then(|| bucket(salt, key))
}

#[cfg(test)]
#[path = "filter_test.rs"]
mod tests;
