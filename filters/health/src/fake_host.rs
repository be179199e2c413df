//! A host for native tests: answers from tables, counts its calls, and can be told to refuse.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::host::{Host, Level, Refused};

/// Statuses by the name of the call; a call that is not listed is answered.
#[derive(Default)]
pub struct FakeHost {
    pub properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub configuration: Vec<u8>,
    pub refusals: BTreeMap<&'static str, u32>,
    pub calls: Vec<&'static str>,
    pub logs: Vec<String>,
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

    fn request_header(&mut self, name: &[u8]) -> Result<Vec<u8>, Refused> {
        self.called("get_header_map_value")?;
        self.header(name).map(<[u8]>::to_vec).ok_or(Refused(1))
    }

    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        self.called("replace_header_map_value")?;
        self.headers.retain(|(this, _)| this != name);
        self.headers.push((name.to_vec(), value.to_vec()));
        Ok(())
    }

    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused> {
        self.called("get_buffer_bytes")?;
        Ok(self.configuration.get(..size).unwrap_or(&self.configuration).to_vec())
    }
}
