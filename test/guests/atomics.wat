;; memory.atomic.wait32, wait64 and notify, with and without offsets, around functions, a table and a tail of calls that have to be found
;; again when functions are added before them.
(module
  (import "env" "memory" (memory 1 16 shared))
  (import "env" "log" (func $log (param i32)))
  (type $unary (func (param i32) (result i32)))
  (table $functions 2 2 funcref)
  (elem (i32.const 0) $twice $plus_one)
  (global $reference funcref (ref.func $plus_one))

  (func (export "wait32") (param $address i32) (param $expected i32) (param $timeout i64) (result i32)
    (memory.atomic.wait32 (local.get $address) (local.get $expected) (local.get $timeout)))
  (func (export "wait32_at_8") (param $address i32) (param $expected i32) (param $timeout i64) (result i32)
    (memory.atomic.wait32 offset=8 (local.get $address) (local.get $expected) (local.get $timeout)))
  (func (export "wait64") (param $address i32) (param $expected i64) (param $timeout i64) (result i32)
    (memory.atomic.wait64 (local.get $address) (local.get $expected) (local.get $timeout)))
  (func (export "notify") (param $address i32) (param $count i32) (result i32)
    (memory.atomic.notify (local.get $address) (local.get $count)))
  (func (export "notify_at_8") (param $address i32) (param $count i32) (result i32)
    (memory.atomic.notify offset=8 (local.get $address) (local.get $count)))
  (func (export "wait32_far") (param $address i32) (result i32)
    (memory.atomic.wait32 offset=4294967292 (local.get $address) (i32.const 0) (i64.const 0)))

  ;; A lock: 0 free, 1 taken, 2 taken and waited for. Adds 1 to the number at 64, and lets others run in between.
  (func $lock
    (local $before i32)
    (br_if 0 (i32.eqz (i32.atomic.rmw.cmpxchg offset=128 (i32.const 0) (i32.const 0) (i32.const 1))))
    (loop $again
      (br_if 1 (i32.eqz (i32.atomic.rmw.xchg offset=128 (i32.const 0) (i32.const 2))))
      (drop (memory.atomic.wait32 offset=128 (i32.const 0) (i32.const 2) (i64.const -1)))
      (br $again)))
  (func $unlock
    (if (i32.eq (i32.atomic.rmw.xchg offset=128 (i32.const 0) (i32.const 0)) (i32.const 2))
      (then (drop (memory.atomic.notify offset=128 (i32.const 0) (i32.const 1))))))
  (func (export "add") (param $rounds i32) (param $id i32) (result i32)
    (local $before i32)
    (loop $next
      (call $lock)
      (local.set $before (i32.load offset=64 (i32.const 0)))
      (call $log (local.get $id))
      (i32.store offset=64 (i32.const 0) (i32.add (local.get $before) (i32.const 1)))
      (call $unlock)
      (br_if $next (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (i32.load offset=64 (i32.const 0)))

  ;; Two calls that hand a turn to each other for ever, and look at nothing else: until the number at 256 is not 0.
  (func (export "ping") (param $me i32) (result i32)
    (local $turns i32)
    (loop $again
      (block $mine
        (br_if $mine (i32.eq (i32.atomic.load offset=192 (i32.const 0)) (local.get $me)))
        (drop (memory.atomic.wait32 offset=192 (i32.const 0) (i32.sub (i32.const 1) (local.get $me)) (i64.const -1))))
      (i32.atomic.store offset=192 (i32.const 0) (i32.sub (i32.const 1) (local.get $me)))
      (drop (memory.atomic.notify offset=192 (i32.const 0) (i32.const 1)))
      (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
      (br_if $again (i32.eqz (i32.atomic.load offset=256 (i32.const 0)))))
    (local.get $turns))

  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func $plus_one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "indirect") (param $which i32) (param $value i32) (result i32)
    (call_indirect (type $unary) (call $twice (local.get $value)) (local.get $which)))
  (func (export "plus_one") (param i32) (result i32)
    (table.set $functions (i32.const 0) (global.get $reference))
    (call_indirect (type $unary) (local.get 0) (i32.const 0)))
)
