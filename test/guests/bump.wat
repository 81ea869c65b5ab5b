;; A bump allocator: a mutable i32 global that points into memory and looks like a stack pointer, but
;; only grows and is never set back. Moving it per activation would hand out the same bytes twice.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))

  (func $allocate (export "allocate") (param $length i32) (result i32)
    (local $address i32)
    (local.set $address (global.get $free))
    (global.set $free (i32.add (local.get $address) (local.get $length)))
    (local.get $address))

  ;; allocates 16 bytes, writes `id`, waits, allocates 16 more; 1000 * (what the first hold) + answer
  (func (export "run") (param $id i32) (result i32)
    (local $first i32) (local $answer i32)
    (local.set $first (call $allocate (i32.const 16)))
    (i32.store (local.get $first) (local.get $id))
    (local.set $answer (call $wait (local.get $id)))
    (i32.store (call $allocate (i32.const 16)) (i32.const -1))
    (i32.add (i32.mul (i32.const 1000) (i32.load (local.get $first))) (local.get $answer))))
