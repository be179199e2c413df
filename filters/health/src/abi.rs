//! Proxy-Wasm ABI 0.2.1: the only file with foreign calls. Imports return a plain `u32`, since a host may answer any
//! status and a Rust enum that lacks it would be undefined behaviour.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::cell::UnsafeCell;

use crate::filter::Filter;
use crate::host::{Host, Level, Refused};

const REQUEST_HEADERS: u32 = 0;
const PLUGIN_CONFIGURATION: u32 = 7;
const CONTINUE: u32 = 0;
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

impl Host for Proxy {
    fn log(&mut self, level: Level, message: &str) {
        // SAFETY: the slice outlives the call.
        unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) };
    }

    fn property(&mut self, path: &[u8]) -> Result<Vec<u8>, Refused> {
        let (mut value, mut size) = (core::ptr::null_mut(), 0);
        // SAFETY: slices and out-parameters outlive the call.
        let status = unsafe { proxy_get_property(path.as_ptr(), path.len(), &mut value, &mut size) };
        returned(status, value, size)
    }

    fn request_header(&mut self, name: &[u8]) -> Result<Vec<u8>, Refused> {
        let (mut value, mut size) = (core::ptr::null_mut(), 0);
        // SAFETY: slices and out-parameters outlive the call.
        let status =
            unsafe { proxy_get_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), &mut value, &mut size) };
        returned(status, value, size)
    }

    fn replace_request_header(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refused> {
        // SAFETY: the slices outlive the call.
        let status = unsafe {
            proxy_replace_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        };
        match status {
            0 => Ok(()),
            other => Err(Refused(other)),
        }
    }

    fn plugin_configuration(&mut self, size: usize) -> Result<Vec<u8>, Refused> {
        let (mut value, mut given) = (core::ptr::null_mut(), 0);
        // SAFETY: the out-parameters outlive the call.
        let status = unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &mut value, &mut given) };
        returned(status, value, given)
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
    with(|filter| filter.request_headers(&mut Proxy, context));
    CONTINUE
}

#[no_mangle]
extern "C" fn proxy_on_log(_context: u32) {}

#[no_mangle]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    1
}

#[no_mangle]
extern "C" fn proxy_on_delete(context: u32) {
    with(|filter| filter.context_delete(context));
}
