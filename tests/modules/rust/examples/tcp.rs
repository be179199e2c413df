//! A network filter: waits for a whole line from the client, marks what the upstream says, closes on `quit`.

use log::info;
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, LogLevel, PeerType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_stream_context(|_, _| Box::new(Lines));
}}

struct Lines;

impl Context for Lines {}

impl StreamContext for Lines {
    fn on_new_connection(&mut self) -> Action {
        let address = self.get_property(vec!["source", "address"]).unwrap_or_default();
        info!("from {}", String::from_utf8_lossy(&address));
        Action::Continue
    }

    fn on_downstream_data(&mut self, size: usize, _end: bool) -> Action {
        let data = self.get_downstream_data(0, size).unwrap_or_default();
        if data.starts_with(b"quit") {
            self.close_downstream();
            return Action::Pause;
        }
        if data.ends_with(b"\n") {
            Action::Continue
        } else {
            Action::Pause
        }
    }

    fn on_upstream_data(&mut self, _size: usize, _end: bool) -> Action {
        self.set_upstream_data(0, 0, b"> ");
        Action::Continue
    }

    fn on_downstream_close(&mut self, peer: PeerType) {
        info!("closed by {:?}", peer);
    }

    fn on_log(&mut self) {
        info!("over");
    }
}
