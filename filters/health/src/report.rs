//! What the outside is told of a breaker: its metrics, and one log line for each change of state.
//!
//! Envoy's statistics of Wasm modules have flat names, so the labels are written into the name in one fixed form,
//! `fairlead_breaker_opens_total;service=web;cluster=web/v2;`, and `stats_tags` of the bootstrap takes them out again.

use alloc::format;
use alloc::string::String;

use crate::breaker::{Record, State, Why};
use crate::host::{Host, Kind, Level};
use crate::rule::Forced;
use crate::window::Counts;

/// Whose breaker it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The service.
    pub service: String,
    /// Where it runs; empty is the default.
    pub env: String,
    /// The cluster, as in the split.
    pub cluster: String,
}

/// Counters of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// It opened.
    Opens,
    /// A request was sent as a probe.
    Probes,
    /// A request went to another subset.
    Remapped,
    /// A request was answered 503.
    Rejected,
}

/// The numbers of the metrics; None where the host refused to define one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metrics {
    state: Option<u32>,
    counters: [Option<u32>; 4],
}

impl Metrics {
    /// Defines them. In Envoy the same name is the same metric, in every thread.
    pub fn define<H: Host>(host: &mut H, names: &Names) -> Self {
        let labels = format!(";service={};cluster={};", label(&names.service), label(&names.cluster));
        let mut define = |kind, name| host.define_metric(kind, &format!("fairlead_breaker_{name}{labels}")).ok();
        let state = define(Kind::Gauge, "state");
        let counters = ["opens_total", "probes_total", "remapped_total", "rejected_total"];
        Metrics { state, counters: counters.map(|name| define(Kind::Counter, name)) }
    }

    /// Adds to a counter.
    pub fn count<H: Host>(&self, host: &mut H, counter: Counter, by: u64) {
        let id = self.counters.get(counter as usize).copied().flatten();
        if let (Some(id), Ok(by @ 1..)) = (id, i64::try_from(by)) {
            let _ = host.increment_metric(id, by);
        }
    }

    /// Shows the state.
    pub fn show<H: Host>(&self, host: &mut H, record: &Record) {
        if let Some(id) = self.state {
            let _ = host.record_metric(id, i64::from(number(record)));
        }
    }
}

/// A label's value within a flat name: without what the form itself needs.
fn label(value: &str) -> String {
    value.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }).collect()
}

/// The value of the gauge.
pub fn number(record: &Record) -> u8 {
    match (record.forced, record.state) {
        (Forced::Open, _) => 4,
        (Forced::Closed, _) => 5,
        (Forced::No, state) => state as u8,
    }
}

/// The state in words.
pub fn word(record: &Record) -> &'static str {
    match record.forced {
        Forced::Open => "forced_open",
        Forced::Closed => "forced_closed",
        Forced::No => record.state.word(),
    }
}

impl State {
    /// The state in one word.
    pub fn word(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::Probing => "probing",
            State::Ramp => "ramp",
        }
    }
}

impl Why {
    /// The reason in one word.
    pub fn word(self) -> &'static str {
        match self {
            Why::Consecutive => "consecutive",
            Why::Errors => "errors",
            Why::Slow => "slow",
            Why::Due => "due",
            Why::GoodProbes => "good_probes",
            Why::BadProbes => "bad_probes",
            Why::Ramped => "ramped",
            Why::Shared => "shared",
            Why::Operator => "operator",
        }
    }
}

/// What led to a change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reason {
    /// Failures in a row, in this thread.
    pub run: u32,
    /// The window, of all threads.
    pub counts: Counts,
}

/// Logs a change of state: a warning when a subset is cut off, otherwise for information.
pub fn log<H: Host>(host: &mut H, names: &Names, from: &Record, to: &Record, why: Why, reason: Reason) {
    let cut_off = matches!(number(to), 1 | 4);
    let mut line = String::from("fairlead.breaker {");
    let mut texts = [("service", names.service.as_str()), ("env", &names.env), ("cluster", &names.cluster)].to_vec();
    texts.extend([("from", word(from)), ("to", word(to)), ("why", why.word())]);
    for (name, value) in texts {
        line.push_str(&format!("\"{name}\":\"{}\",", escaped(value)));
    }
    let Counts { total, failed, slow } = reason.counts;
    line.push_str(&format!("\"run\":{},\"total\":{total},\"failed\":{failed},\"slow\":{slow},", reason.run));
    if to.state == State::Open {
        line.push_str(&format!("\"open_ms\":{},", to.until_ms.saturating_sub(to.since_ms)));
    }
    line.push_str(&format!("\"epoch\":{}}}", to.epoch));
    host.log(if cut_off { Level::Warn } else { Level::Info }, &line);
}

/// Text within JSON's quotes (RFC 8259 section 7).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_host::FakeHost;
    use crate::json::Json;

    #[test]
    fn a_change_is_one_line_of_json_after_its_prefix_whatever_the_names_hold() {
        let names = Names { service: "we\"b\\\n".into(), env: String::new(), cluster: "we\"b/2".into() };
        let mut host = FakeHost::default();
        let open = Record { state: State::Open, epoch: 1, since_ms: 1_000, until_ms: 6_000, ..Record::default() };
        log(&mut host, &names, &Record::default(), &open, Why::Errors, Reason::default());
        let line = host.logs.pop().expect("a line");
        let json = Json::read(line.strip_prefix("fairlead.breaker ").expect("the prefix").as_bytes()).expect("JSON");
        assert_eq!(json.get("service"), Some(&Json::Text(names.service)));
        assert_eq!(json.get("to"), Some(&Json::Text("open".into())));
        assert_eq!(json.get("open_ms"), Some(&Json::Number(5_000)));
    }

    #[test]
    fn names_of_metrics_have_one_form_and_labels_cannot_break_it() {
        let names = Names { service: "w;eb".into(), env: String::new(), cluster: "web/2".into() };
        let mut host = FakeHost::default();
        let _ = Metrics::define(&mut host, &names);
        assert!(host.metrics.contains_key("fairlead_breaker_state;service=w_eb;cluster=web/2;"));
        assert!(host.metrics.contains_key("fairlead_breaker_opens_total;service=w_eb;cluster=web/2;"));
        assert_eq!(host.metrics.len(), 5);
    }
}
