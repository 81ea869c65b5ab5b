;; Imports a shared memory and works on it with atomics: two instances, or two threads, see each other.
(module
  (import "env" "memory" (memory 1 4 shared))
  (import "host" "wait" (func $wait (param i32) (result i32)))

  ;; adds to the word at `address` at once; returns what was there
  (func (export "add") (param $address i32) (param $value i32) (result i32)
    (i32.atomic.rmw.add (local.get $address) (local.get $value)))

  ;; waits for the host, then adds its answer; returns what was there
  (func (export "add_answer") (param $address i32) (param $id i32) (result i32)
    (i32.atomic.rmw.add (local.get $address) (call $wait (local.get $id))))

  (func (export "load") (param $address i32) (result i32) (i32.atomic.load (local.get $address)))

  ;; blocks the thread until the word differs from `value` and someone notifies, at most `timeout`
  ;; nanoseconds: 0 woken, 1 the word differed, 2 timed out
  (func (export "block") (param $address i32) (param $value i32) (param $timeout i64) (result i32)
    (memory.atomic.wait32 (local.get $address) (local.get $value) (local.get $timeout)))
  (func (export "notify") (param $address i32) (result i32)
    (memory.atomic.notify (local.get $address) (i32.const 1)))

  ;; traps: atomics must be aligned
  (func (export "unaligned") (result i32) (i32.atomic.load (i32.const 1))))
