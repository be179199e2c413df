;; A filter that means harm: the first byte of the header x-do says which. The host must survive each, and the rest of the
;; process with it. Tests run it; it is not shipped.
(module
  (import "env" "proxy_get_header_map_value"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $dequeue (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $share (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $become (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "x-do")
  (global $queue (mut i32) (i32.const 0))
  (global $greedy (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  ;; With $greedy set, the allocator calls the host, which no allocator may; with 2, it never returns.
  (func (export "malloc") (param i32) (result i32)
    (if (i32.eq (global.get $greedy) (i32.const 1))
      (then (drop (call $property (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4)))))
    (if (i32.eq (global.get $greedy) (i32.const 2)) (then (loop (br 0))))
    (if (i32.eq (global.get $greedy) (i32.const 3)) (then (return (i32.const -8))))
    (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $register (i32.const 16) (i32.const 4) (i32.const 8)))
    (global.set $queue (i32.load (i32.const 8)))
    (i32.const 1))
  ;; Each message brings the next one.
  (func (export "proxy_on_queue_ready") (param i32 i32)
    (drop (call $dequeue (local.get 1) (i32.const 40) (i32.const 44)))
    (drop (call $enqueue (local.get 1) (i32.const 16) (i32.const 4))))
  (func $deep (param i32) (result i32) (call $deep (local.get 0)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $do i32)
    (if (call $header (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4))
      (then (return (i32.const 0))))
    (local.set $do (i32.load8_u (i32.load (i32.const 0))))
    (if (i32.eq (local.get $do) (i32.const 108)) (then (loop (br 0))))                              ;; l: loop
    (if (i32.eq (local.get $do) (i32.const 100)) (then (drop (call $deep (i32.const 0)))))          ;; d: deep
    (if (i32.eq (local.get $do) (i32.const 117)) (then unreachable))                                ;; u: unreachable
    (if (i32.eq (local.get $do) (i32.const 111)) (then (i32.store (i32.const -4) (i32.const 1))))   ;; o: out of bounds
    (if (i32.eq (local.get $do) (i32.const 122)) (then (drop (i32.div_u (i32.const 1) (i32.const 0))))) ;; z: zero
    (if (i32.eq (local.get $do) (i32.const 120)) (then (call $exit (i32.const 1))))                 ;; x: exit
    (if (i32.eq (local.get $do) (i32.const 103))                                                    ;; g: grow
      (then (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))))
    (if (i32.eq (local.get $do) (i32.const 113))                                                    ;; q: queue
      (then (drop (call $enqueue (global.get $queue) (i32.const 16) (i32.const 4)))))
    (if (i32.eq (local.get $do) (i32.const 115))                                                    ;; s: share all
      (then (loop (i32.store (i32.const 32) (i32.add (i32.load (i32.const 32)) (i32.const 1)))
        (br_if 0 (i32.eqz (call $share (i32.const 32) (i32.const 4) (i32.const 0) (i32.const 131072) (i32.const 0)))))))
    (if (i32.eq (local.get $do) (i32.const 97))                                                     ;; a: add headers
      (then (loop (br_if 0 (i32.eqz (call $add (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 65536)))))))
    (if (i32.eq (local.get $do) (i32.const 99)) (then (drop (call $become (i32.const -1)))))        ;; c: other context
    (if (i32.eq (local.get $do) (i32.const 109)) (then (global.set $greedy (i32.const 1))))         ;; m: malloc calls
    (if (i32.eq (local.get $do) (i32.const 110)) (then (global.set $greedy (i32.const 2))))         ;; n: malloc loops
    (if (i32.eq (local.get $do) (i32.const 112)) (then (global.set $greedy (i32.const 3))))         ;; p: malloc lies
    (if (global.get $greedy)
      (then (drop (call $header (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 4)))))
    (i32.const 0)))
