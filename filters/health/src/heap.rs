//! The allocator: power-of-two blocks with one free list per size, taken from linear memory as it grows.
//!
//! A proxy's filter asks for few sizes again and again, so a list per size reuses exactly and never searches. Each
//! block begins with eight bytes that hold its class; freeing therefore does not depend on the length that a host
//! reports for a buffer that it asked for.

/// Bytes in front of every payload.
pub const HEADER: usize = 8;
/// log2 of the smallest block, header included.
pub const SMALLEST: u32 = 5;
/// log2 of the largest block, header included.
pub const LARGEST: u32 = 28;

/// log2 of the block that holds `size` bytes of payload, or None when that is more than one block can be.
pub fn class_of(size: usize) -> Option<u32> {
    let whole = size.checked_add(HEADER)?.checked_next_power_of_two()?;
    let class = whole.trailing_zeros().max(SMALLEST);
    (class <= LARGEST).then_some(class)
}

#[cfg(target_arch = "wasm32")]
mod linear {
    use super::{class_of, HEADER, LARGEST};
    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::memory_grow;
    use core::cell::UnsafeCell;

    const PAGE: usize = 65_536;

    struct State {
        free: [usize; LARGEST as usize + 1],
        top: usize,
        end: usize,
    }

    struct Heap(UnsafeCell<State>);

    // Proxy-Wasm modules run on one thread per instance.
    unsafe impl Sync for Heap {}

    #[global_allocator]
    static HEAP: Heap = Heap(UnsafeCell::new(State { free: [0; LARGEST as usize + 1], top: 0, end: 0 }));

    impl State {
        /// Address of a fresh block of `size` bytes, or 0 when the host gives no more memory. Blocks lie at 8 modulo
        /// 16, so that payloads are aligned to 16.
        fn fresh(&mut self, size: usize) -> usize {
            if self.end.saturating_sub(self.top) < size {
                let pages = (size + 2 * HEADER).div_ceil(PAGE);
                let before = memory_grow::<0>(pages);
                if before == usize::MAX {
                    return 0;
                }
                let start = before.wrapping_mul(PAGE);
                if start != self.end || self.top == 0 {
                    self.top = start.wrapping_add(HEADER);
                }
                self.end = start.wrapping_add(pages * PAGE);
            }
            let block = self.top;
            self.top = block.wrapping_add(size);
            block
        }
    }

    unsafe impl GlobalAlloc for Heap {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some(class) = class_of(layout.size()).filter(|_| layout.align() <= 16) else {
                return core::ptr::null_mut();
            };
            // SAFETY: one thread, and nothing below calls back.
            let state = unsafe { &mut *self.0.get() };
            let Some(head) = state.free.get_mut(class as usize) else {
                return core::ptr::null_mut();
            };
            let mut block = *head;
            if block != 0 {
                // SAFETY: a free block's payload holds the address of the next free one.
                *head = unsafe { *((block + HEADER) as *const usize) };
            } else {
                block = state.fresh(1 << class);
                if block == 0 {
                    return core::ptr::null_mut();
                }
                // SAFETY: the block is ours and at least 32 bytes long.
                unsafe { *(block as *mut u32) = class };
            }
            (block + HEADER) as *mut u8
        }

        unsafe fn dealloc(&self, payload: *mut u8, _: Layout) {
            let block = (payload as usize).wrapping_sub(HEADER);
            // SAFETY: every payload comes from `alloc`, which wrote the class in front of it.
            let class = unsafe { *(block as *const u32) };
            // SAFETY: as above.
            let state = unsafe { &mut *self.0.get() };
            if let Some(head) = state.free.get_mut(class as usize) {
                // SAFETY: the block is free now, its payload is ours.
                unsafe { *(payload as *mut usize) = *head };
                *head = block;
            }
        }

        unsafe fn realloc(&self, payload: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            // SAFETY: as in `dealloc`.
            let class = unsafe { *((payload as usize).wrapping_sub(HEADER) as *const u32) };
            if class_of(size).is_some_and(|needed| needed <= class) {
                return payload;
            }
            // SAFETY: the size was checked by `class_of` in `alloc`; both payloads are at least `layout.size()` long.
            unsafe {
                let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !moved.is_null() {
                    core::ptr::copy_nonoverlapping(payload, moved, layout.size());
                    self.dealloc(payload, layout);
                }
                moved
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_always_holds_its_payload_and_header() {
        for size in (0..70_000).chain([1 << 20, (1 << 28) - HEADER]) {
            let class = class_of(size).expect("within the largest block");
            assert!(1usize << class >= size + HEADER);
            assert!(class == SMALLEST || (1usize << (class - 1)) < size + HEADER);
        }
    }

    #[test]
    fn what_no_block_can_hold_is_refused() {
        assert_eq!(class_of((1 << 28) - HEADER + 1), None);
        assert_eq!(class_of(usize::MAX), None);
    }
}
