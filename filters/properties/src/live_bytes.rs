//! How much memory a thread holds: an allocator that counts. Tests run side by side, so each thread has its own count.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that were taken in this thread and not given back.
pub fn held() -> isize {
    HELD.with(Cell::get)
}

fn add(bytes: isize) {
    // At a thread's end the count is gone before its last block is.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        System.alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        System.dealloc(block, layout)
    }
}
