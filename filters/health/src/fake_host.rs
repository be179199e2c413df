//! A host for native tests: answers from tables, counts its calls, and can be told to refuse.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::ending::{ATTEMPTS, CODE, FLAGS};
use crate::host::{Host, Kind, Level, Map, Refused};

/// Names of the calls, as the ABI has them.
pub const CALLS: [&str; 15] = [
    "log",
    "get_property",
    "get_header_map_value",
    "replace_header_map_value",
    "get_buffer_bytes",
    "send_local_response",
    "call_foreign_function",
    "get_current_time_nanoseconds",
    "random_get",
    "set_tick_period_milliseconds",
    "get_shared_data",
    "set_shared_data",
    "define_metric",
    "increment_metric",
    "record_metric",
];

/// Shared data, by several hosts at once if need be.
pub type Shared = Rc<RefCell<BTreeMap<String, (Vec<u8>, u32)>>>;

/// Statuses by the name of the call; a call that is not listed is answered.
#[derive(Default)]
pub struct FakeHost {
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub response: Vec<(Vec<u8>, Vec<u8>)>,
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    pub configuration: Vec<u8>,
    pub refusals: BTreeMap<&'static str, u32>,
    pub calls: Vec<&'static str>,
    pub logs: Vec<String>,
    pub responses: Vec<(u32, Vec<u8>)>,
    pub now_ms: u64,
    pub random: u64,
    pub tick_ms: u32,
    pub shared: Shared,
    pub metrics: BTreeMap<String, i64>,
    pub defined: Vec<String>,
    pub evaluates: bool,
}

impl FakeHost {
    fn called(&mut self, name: &'static str) -> Result<(), Refused> {
        self.calls.push(name);
        match self.refusals.get(name) {
            None | Some(0) => Ok(()),
            Some(status) => Err(Refused(*status)),
        }
    }

    pub fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_slice())
    }

    fn metric(&mut self, number: u32) -> Result<&mut i64, Refused> {
        let name = self.defined.get(number as usize).ok_or(Refused(1))?;
        self.metrics.get_mut(name).ok_or(Refused(1))
    }
}

impl Host for FakeHost {
    fn log(&mut self, _: Level, message: &str) {
        let _ = self.called("log");
        self.logs.push(message.to_string());
    }

    fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Refused> {
        self.called("get_property")?;
        self.properties.get(path).cloned().ok_or(Refused(1))
    }

    fn header(&mut self, map: Map, name: &[u8]) -> Result<Vec<u8>, Refused> {
        self.called("get_header_map_value")?;
        let pairs = match map {
            Map::Request => &self.headers,
            Map::Response => &self.response,
            Map::Trailers => &self.trailers,
        };
        pairs.iter().find(|(this, _)| this == name).map(|(_, value)| value.clone()).ok_or(Refused(1))
    }

    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.called("replace_header_map_value")?;
        self.headers.retain(|(this, _)| this != name);
        self.headers.push((name.to_vec(), value.to_vec()));
        Ok(())
    }

    fn respond(&mut self, code: u32, _: &[u8], headers: &[u8]) -> Result<(), Refused> {
        self.called("send_local_response")?;
        self.responses.push((code, headers.to_vec()));
        Ok(())
    }

    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused> {
        self.called("get_buffer_bytes")?;
        Ok(self.configuration.get(..size).unwrap_or(&self.configuration).to_vec())
    }

    /// Envoy's two, as far as the filter goes: with `evaluates`, the one expression is made of the properties.
    fn foreign(&mut self, name: &str, _: &[u8]) -> Result<Vec<u8>, Refused> {
        self.called("call_foreign_function")?;
        match name {
            "expr_create" if self.evaluates => Ok([7, 0, 0, 0].to_vec()),
            "expr_evaluate" if self.evaluates => {
                let number =
                    |path: &[u8]| Some(u64::from_le_bytes(self.properties.get(path)?.as_slice().try_into().ok()?));
                let part = |path: &[u8], times: u64| Some(number(path)?.wrapping_mul(times));
                let whole =
                    || Some(part(FLAGS, 1_000_000)?.wrapping_add(part(CODE, 1_000)?).wrapping_add(number(ATTEMPTS)?));
                whole().map(|value| value.to_le_bytes().to_vec()).ok_or(Refused(10))
            }
            _ => Err(Refused::NOT_FOUND),
        }
    }

    fn now_ns(&mut self) -> Result<u64, Refused> {
        self.called("get_current_time_nanoseconds")?;
        Ok(self.now_ms.saturating_mul(1_000_000))
    }

    fn random(&mut self) -> Result<u64, Refused> {
        self.called("random_get")?;
        Ok(self.random)
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Refused> {
        self.called("set_tick_period_milliseconds")?;
        self.tick_ms = milliseconds;
        Ok(())
    }

    fn shared(&mut self, key: &str) -> Result<(Vec<u8>, u32), Refused> {
        self.called("get_shared_data")?;
        self.shared.borrow().get(key).cloned().ok_or(Refused(1))
    }

    fn set_shared(&mut self, key: &str, value: &[u8], cas: u32) -> Result<(), Refused> {
        self.called("set_shared_data")?;
        let mut shared = self.shared.borrow_mut();
        let number = shared.get(key).map_or(0, |(_, number)| *number);
        if number != 0 && cas != 0 && cas != number {
            return Err(Refused(8));
        }
        shared.insert(key.to_string(), (value.to_vec(), number + 1));
        Ok(())
    }

    fn define_metric(&mut self, _: Kind, name: &str) -> Result<u32, Refused> {
        self.called("define_metric")?;
        self.metrics.entry(name.to_string()).or_default();
        self.defined.push(name.to_string());
        Ok(self.defined.len() as u32 - 1)
    }

    fn increment_metric(&mut self, metric: u32, by: i64) -> Result<(), Refused> {
        self.called("increment_metric")?;
        *self.metric(metric)? += by;
        Ok(())
    }

    fn record_metric(&mut self, metric: u32, value: i64) -> Result<(), Refused> {
        self.called("record_metric")?;
        *self.metric(metric)? = value;
        Ok(())
    }
}
