//! Writes its configuration into a header of request and response, and logs what became of the request.

use log::info;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    tag: String,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        self.tag = String::from_utf8_lossy(&bytes).into_owned();
        !self.tag.is_empty()
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Tags { tag: self.tag.clone() }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Tags {
    tag: String,
}

impl Context for Tags {}

impl HttpContext for Tags {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        assert_eq!(self.get_http_request_headers().len(), count);
        self.add_http_request_header("x-tag", &self.tag);
        self.set_http_request_header("x-end", Some(if end { "yes" } else { "no" }));
        self.set_http_request_header("x-secret", None);
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-tag", Some(&self.tag));
        Action::Continue
    }

    fn on_log(&mut self) {
        let path = self.get_http_request_header(":path").unwrap_or_default();
        let code = self.get_property(vec!["response", "code"]).map(|bytes| bytes[0] as u64 + 256 * bytes[1] as u64);
        info!("{} {:?}", path, code);
    }
}
