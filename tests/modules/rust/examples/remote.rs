//! Asks a service over gRPC for its word at every tick, and keeps a gRPC stream open for news.

use std::time::Duration;

use log::info;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Remote::default()));
}}

#[derive(Default)]
struct Remote {
    stream: u32,
}

impl Context for Remote {
    fn on_grpc_call_response(&mut self, _call: u32, status: u32, size: usize) {
        let body = self.get_grpc_call_response_body(0, size).unwrap_or_default();
        info!("call {} {}", status, String::from_utf8_lossy(&body));
    }

    fn on_grpc_stream_initial_metadata(&mut self, _stream: u32, _count: u32) {
        let value = self.get_grpc_stream_initial_metadata_value("x-from").unwrap_or_default();
        info!("stream from {}", String::from_utf8_lossy(&value));
    }

    fn on_grpc_stream_message(&mut self, stream: u32, size: usize) {
        let message = self.get_grpc_stream_message(0, size).unwrap_or_default();
        self.send_grpc_stream_message(stream, Some(&message), false);
    }

    fn on_grpc_stream_trailing_metadata(&mut self, _stream: u32, count: u32) {
        info!("stream trailers {}", count);
    }

    fn on_grpc_stream_close(&mut self, _stream: u32, status: u32) {
        info!("stream closed {} {:?}", status, self.get_grpc_status().1);
    }
}

impl RootContext for Remote {
    fn on_vm_start(&mut self, _size: usize) -> bool {
        self.set_tick_period(Duration::from_secs(1));
        true
    }

    fn on_tick(&mut self) {
        let metadata = vec![("x-who", &b"remote"[..])];
        if self.stream == 0 {
            self.stream = self.open_grpc_stream("news", "pkg.News", "Watch", metadata.clone()).unwrap();
        }
        match self.dispatch_grpc_call("word", "pkg.Word", "Say", metadata, Some(b"hello"), Duration::from_millis(250)) {
            Ok(_) => {}
            Err(status) => info!("refused {:?}", status),
        }
    }
}
