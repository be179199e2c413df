//! Counts requests in shared data under compare-and-swap, tells a queue about each, and adds up at every tick.

use std::time::Duration;

use log::info;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType, Status};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Trace);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    queue: u32,
    gauge: u32,
}

impl Context for Root {
    fn on_done(&mut self) -> bool {
        false
    }
}

impl RootContext for Root {
    fn on_vm_start(&mut self, _size: usize) -> bool {
        self.queue = self.register_shared_queue("requests");
        self.gauge = hostcalls::define_metric(MetricType::Gauge, "meter_requests").unwrap();
        self.set_tick_period(Duration::from_secs(1));
        true
    }

    fn on_tick(&mut self) {
        let (value, _) = self.get_shared_data("count");
        let count = value.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
        hostcalls::record_metric(self.gauge, count).unwrap();
        if count == 99 {
            self.done();
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        while let Ok(Some(message)) = self.dequeue_shared_queue(queue) {
            info!("heard of {}", String::from_utf8_lossy(&message));
        }
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Meter { id, queue: self.queue }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Meter {
    id: u32,
    queue: u32,
}

impl Context for Meter {}

impl HttpContext for Meter {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        loop {
            let (value, cas) = self.get_shared_data("count");
            let count = value.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap())) + 1;
            match self.set_shared_data("count", Some(&count.to_le_bytes()), cas) {
                Ok(()) => break,
                Err(Status::CasMismatch) => continue,
                Err(status) => panic!("{:?}", status),
            }
        }
        self.enqueue_shared_queue(self.queue, Some(format!("stream {}", self.id).as_bytes())).unwrap();
        Action::Continue
    }
}
