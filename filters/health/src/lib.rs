//! Fairlead's HTTP filter for Proxy-Wasm hosts (ABI 0.2.1).
//!
//! It writes one decimal request header, the *bucket*, that `weighted_clusters.header_name` splits by, and breaks
//! circuits: a subset that fails is cut off, probed, and gets its users back step by step. Everything is
//! plain logic over the [`host::Host`] trait, so that the same code runs natively in tests and as Wasm in a proxy;
//! only `abi` knows the foreign calls and only `heap` knows linear memory.
//!
//! A trap would end the virtual machine of a whole worker thread and every request in it. So nothing here unwraps,
//! indexes or trusts: every status, every header and every order of callbacks leads to an ordinary return.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod breaker;
pub mod circuits;
pub mod classify;
pub mod config;
pub mod ending;
pub mod facts;
pub mod filter;
pub mod hash;
pub mod heap;
pub mod host;
pub mod json;
pub mod key;
pub mod outcome;
pub mod place;
pub mod proto;
pub mod remap;
pub mod report;
pub mod routes;
pub mod rule;
pub mod shared;
pub mod sharing;
pub mod window;

#[cfg(test)]
mod breaker_vectors;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod circuits_test;
#[cfg(any(test, feature = "testing"))]
#[allow(missing_docs)] // for tests alone
pub mod fake_host;
#[cfg(any(test, feature = "testing"))]
#[allow(missing_docs)] // for tests alone
pub mod structs;
#[cfg(test)]
mod vectors;
#[cfg(test)]
mod worker;
#[cfg(test)]
mod workers_test;
