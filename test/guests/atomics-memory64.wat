;; The same instructions with 64-bit addresses.
(module
  (memory (export "memory") i64 1 1 shared)
  (func (export "wait32") (param $address i64) (param $expected i32) (param $timeout i64) (result i32)
    (memory.atomic.wait32 offset=4 (local.get $address) (local.get $expected) (local.get $timeout)))
  (func (export "wait64") (param $address i64) (param $expected i64) (param $timeout i64) (result i32)
    (memory.atomic.wait64 (local.get $address) (local.get $expected) (local.get $timeout)))
  (func (export "notify") (param $address i64) (param $count i32) (result i32)
    (memory.atomic.notify offset=4 (local.get $address) (local.get $count)))
)
