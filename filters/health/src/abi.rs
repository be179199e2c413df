//! Proxy-Wasm ABI 0.2.1: the only file with foreign calls. Imports return a plain `u32`, since a host may answer any
//! status and a Rust enum that lacks it would be undefined behaviour.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::UnsafeCell;

use crate::filter::Filter;
use crate::host::{Host, Kind, Level, Map, Refused};

const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;
const CONTINUE: u32 = 0;
/// An answer of our own has no status of gRPC; Envoy makes one of the code where the request is gRPC.
const NO_GRPC_STATUS: u32 = u32::MAX;
/// More than a host ever hands over at once; beyond it, it is told that there is no memory.
const LARGEST_BUFFER: usize = 64 << 20;

#[link(wasm_import_module = "env")]
extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(buffer: u32, start: usize, most: usize, value: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_send_local_response(
        code: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: u32,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(now: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, metric: *mut u32) -> u32;
    fn proxy_increment_metric(metric: u32, by: i64) -> u32;
    fn proxy_record_metric(metric: u32, value: i64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn random_get(into: *mut u8, size: usize) -> u32;
}

struct Proxy;

/// What a host call returned through its two out-parameters: memory that the host took from `malloc` below.
fn returned(status: u32, value: *mut u8, size: usize) -> Result<Vec<u8>, Refused> {
    if status != 0 {
        return Err(Refused(status));
    }
    if value.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host filled `size` bytes of a block that our allocator gave it. The block carries its own size, so
    // that a capacity smaller than what the host asked for is freed rightly, an empty value included.
    unsafe {
        if size == 0 {
            alloc::alloc::dealloc(value, Layout::new::<u8>());
            return Ok(Vec::new());
        }
        Ok(Vec::from_raw_parts(value, size, size))
    }
}

fn done(status: u32) -> Result<(), Refused> {
    match status {
        0 => Ok(()),
        other => Err(Refused(other)),
    }
}

// SAFETY of every call: slices and out-parameters outlive it.
impl Host for Proxy {
    fn log(&mut self, level: Level, message: &str) {
        unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
    }

    fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Refused> {
        let (mut value, mut size) = (core::ptr::null_mut(), 0);
        let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &mut value, &mut size) };
        returned(status, value, size)
    }

    fn header(&mut self, map: Map, name: &[u8]) -> Result<Vec<u8>, Refused> {
        let (mut value, mut size) = (core::ptr::null_mut(), 0);
        let status =
            unsafe { proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), &mut value, &mut size) };
        returned(status, value, size)
    }

    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        done(unsafe {
            proxy_replace_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        })
    }

    fn respond(&mut self, code: u32, details: &[u8], headers: &[u8]) -> Result<(), Refused> {
        let (details, details_size) = (details.as_ptr(), details.len());
        let (headers, headers_size) = (headers.as_ptr(), headers.len());
        let none = core::ptr::null();
        done(unsafe {
            proxy_send_local_response(code, details, details_size, none, 0, headers, headers_size, NO_GRPC_STATUS)
        })
    }

    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused> {
        let (mut value, mut given) = (core::ptr::null_mut(), 0);
        let status = unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &mut value, &mut given) };
        returned(status, value, given)
    }

    fn foreign(&mut self, name: &str, arguments: &[u8]) -> Result<Vec<u8>, Refused> {
        let (mut value, mut size) = (core::ptr::null_mut(), 0);
        let (given, given_size) = (arguments.as_ptr(), arguments.len());
        let status =
            unsafe { proxy_call_foreign_function(name.as_ptr(), name.len(), given, given_size, &mut value, &mut size) };
        returned(status, value, size)
    }

    fn now_ns(&mut self) -> Result<u64, Refused> {
        let mut now = 0;
        done(unsafe { proxy_get_current_time_nanoseconds(&mut now) }).map(|()| now)
    }

    fn random(&mut self) -> Result<u64, Refused> {
        let mut bytes = [0; 8];
        done(unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) }).map(|()| u64::from_le_bytes(bytes))
    }

    fn tick_every(&mut self, milliseconds: u32) -> Result<(), Refused> {
        done(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
    }

    fn shared(&mut self, key: &str) -> Result<(Vec<u8>, u32), Refused> {
        let (mut value, mut size, mut cas) = (core::ptr::null_mut(), 0, 0);
        let status = unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &mut value, &mut size, &mut cas) };
        Ok((returned(status, value, size)?, cas))
    }

    fn set_shared(&mut self, key: &str, value: &[u8], cas: u32) -> Result<(), Refused> {
        done(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
    }

    fn define_metric(&mut self, kind: Kind, name: &str) -> Result<u32, Refused> {
        let mut metric = 0;
        done(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut metric) }).map(|()| metric)
    }

    fn increment_metric(&mut self, metric: u32, by: i64) -> Result<(), Refused> {
        done(unsafe { proxy_increment_metric(metric, by) })
    }

    fn record_metric(&mut self, metric: u32, value: i64) -> Result<(), Refused> {
        done(unsafe { proxy_record_metric(metric, value) })
    }
}

struct Slot(UnsafeCell<Option<Box<Filter>>>);
// Proxy-Wasm modules run on one thread per instance.
unsafe impl Sync for Slot {}
static FILTER: Slot = Slot(UnsafeCell::new(None));

/// Runs `work` on the filter. A host that calls back in the middle of a call finds a fresh filter, never a shared
/// borrow, and what it left there is dropped when the outer call ends.
fn with<T>(work: impl FnOnce(&mut Filter) -> T) -> T {
    // SAFETY: one thread; the slot is only touched here, and no borrow of it is held while `work` runs.
    let mut filter = unsafe { (*FILTER.0.get()).take() }.unwrap_or_default();
    let result = work(&mut filter);
    // SAFETY: as above.
    unsafe { *FILTER.0.get() = Some(filter) };
    result
}

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

#[no_mangle]
extern "C" fn proxy_abi_version_0_2_1() {}

#[no_mangle]
extern "C" fn malloc(size: usize) -> *mut u8 {
    if size > LARGEST_BUFFER {
        return core::ptr::null_mut();
    }
    match Layout::from_size_align(size.max(1), 1) {
        // SAFETY: the size is not zero.
        Ok(layout) => unsafe { alloc::alloc::alloc(layout) },
        Err(_) => core::ptr::null_mut(),
    }
}

#[no_mangle]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    malloc(size)
}

#[no_mangle]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    with(|filter| filter.context_create(context, parent));
}

#[no_mangle]
extern "C" fn proxy_on_vm_start(_root: u32, _size: usize) -> u32 {
    1
}

#[no_mangle]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(with(|filter| filter.configure(&mut Proxy, root, size)))
}

#[no_mangle]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, _end: u32) -> u32 {
    #[cfg(feature = "trap")]
    if Proxy.header(Map::Request, b"x-trap").is_ok() {
        core::arch::wasm32::unreachable();
    }
    with(|filter| filter.request_headers(&mut Proxy, context)) as u32
}

#[no_mangle]
extern "C" fn proxy_on_response_headers(context: u32, _headers: u32, end: u32) -> u32 {
    with(|filter| filter.response_headers(&mut Proxy, context, end != 0));
    CONTINUE
}

#[no_mangle]
extern "C" fn proxy_on_response_trailers(context: u32, _trailers: u32) -> u32 {
    with(|filter| filter.response_trailers(&mut Proxy, context));
    CONTINUE
}

#[no_mangle]
extern "C" fn proxy_on_tick(_root: u32) {
    with(|filter| filter.tick(&mut Proxy));
}

#[no_mangle]
extern "C" fn proxy_on_log(context: u32) {
    with(|filter| filter.log(&mut Proxy, context));
}

#[no_mangle]
extern "C" fn proxy_on_delete(context: u32) {
    with(|filter| filter.context_delete(&mut Proxy, context));
}
