//! Laws of the filter that hold for any input, tried with random configurations, facts, headers, statuses, clocks and
//! orders of callbacks. Run by `python filters/build.py --test`; how many cases, and from which seed, can be said by
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED`.
//!
//! Everything is seen from outside, as a proxy sees it: what was written, answered, logged and counted. The crate is
//! apart from the filter so that the filter's sources, their digest and its build know of no dependency.

#[cfg(test)]
mod any_input;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod live_bytes;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod users;

#[cfg(test)]
use proptest::test_runner::{Config, RngSeed};

/// As many cases as named, the same ones each time, unless the environment says otherwise.
#[cfg(test)]
fn cases(many: u32) -> Config {
    let mut config = Config { max_shrink_iters: 4_096, failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        (config.cases, config.rng_seed) = (many, RngSeed::Fixed(0x5EED));
    }
    config
}
