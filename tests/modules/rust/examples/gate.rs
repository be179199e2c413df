//! Asks another service about each request and holds it meanwhile: 200 lets it go on, anything else is 403, no answer 504.

use std::time::Duration;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_http_context(|_, _| Box::new(Gate));
}}

struct Gate;

impl Context for Gate {
    fn on_http_call_response(&mut self, _call: u32, headers: usize, body_size: usize, _trailers: usize) {
        if headers == 0 {
            self.send_http_response(504, vec![], Some(b"nobody answered"));
            return;
        }
        if self.get_http_call_response_header(":status").as_deref() == Some("200") {
            self.set_http_request_header("x-gate", Some("open"));
            self.resume_http_request();
            return;
        }
        let body = self.get_http_call_response_body(0, body_size).unwrap_or_default();
        self.send_http_response(403, vec![("x-gate", "shut")], Some(&body));
    }
}

impl HttpContext for Gate {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let user = self.get_http_request_header("x-user").unwrap_or_default();
        let headers = vec![(":method", "GET"), (":path", "/may"), (":authority", "auth"), ("x-user", &user)];
        match self.dispatch_http_call("auth", headers, None, vec![], Duration::from_millis(250)) {
            Ok(_) => Action::Pause,
            Err(status) => {
                self.send_http_response(500, vec![], Some(format!("{:?}", status).as_bytes()));
                Action::Pause
            }
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-seen", Some("yes"));
        Action::Continue
    }
}
