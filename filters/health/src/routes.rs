//! The facts of a request's route, for as few calls as can be.
//!
//! A route's metadata is dear: Envoy serialises it for every request that asks. Its name is cheap, and Fairlead's names
//! end with a hash of the metadata, so that facts are known by them. Where routes with facts have other names, these are
//! not asked for again before the next tick.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;

use crate::facts::{Facts, FactsCache};
use crate::host::Host;

/// Path of the route's name.
pub const ROUTE_NAME: &[u8] = b"xds\0route_name";
/// Path of the route's metadata.
pub const ROUTE_METADATA: &[u8] = b"xds\0route_metadata";
/// What stands between a route's name and the hash of its metadata, sixteen digits of base 16.
const MARK: u8 = b'#';
const DIGITS: usize = 16;
/// A longer name is like one without a hash.
const LONGEST: usize = 1_024;

/// What routes say, by their names and by their metadata.
#[derive(Default)]
pub struct Routes {
    by_name: BTreeMap<Vec<u8>, Option<Rc<Facts>>>,
    contents: FactsCache,
    have_other_names: bool,
}

impl Routes {
    /// Most names held at once; beyond it, it starts anew.
    pub const MOST: usize = 1_024;

    /// The facts of the route of the request at hand.
    pub fn facts<H: Host>(&mut self, host: &mut H) -> Option<Rc<Facts>> {
        let name = self.name(host);
        if let Some(known) = name.as_ref().and_then(|name| self.by_name.get(name)) {
            return known.clone();
        }
        let metadata = host.property(ROUTE_METADATA).ok()?;
        let facts = if metadata.is_empty() { None } else { self.contents.facts(host, metadata) };
        match name {
            Some(name) => {
                if self.by_name.len() >= Self::MOST {
                    self.by_name.clear();
                }
                self.by_name.insert(name, facts.clone());
            }
            None => self.have_other_names |= facts.is_some(),
        }
        facts
    }

    /// The route's name, if it tells the metadata.
    fn name<H: Host>(&self, host: &mut H) -> Option<Vec<u8>> {
        if self.have_other_names {
            return None;
        }
        host.property(ROUTE_NAME).ok().filter(|name| name.len() <= LONGEST && is_marked(name))
    }

    /// Time has passed: names may have become others.
    pub fn tick(&mut self) {
        self.have_other_names = false;
    }
}

fn is_marked(name: &[u8]) -> bool {
    let Some((rest, digits)) = name.len().checked_sub(DIGITS).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    rest.last() == Some(&MARK) && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
#[path = "routes_test.rs"]
mod tests;
