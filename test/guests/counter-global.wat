;; Exports of every kind beside functions, and a mutable i32 global in a module with a memory that is
;; not a stack pointer: it only counts up.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "base" (global $base i32))
  (memory (export "memory") 1)
  (table (export "table") 2 funcref)
  (elem (i32.const 0) func $count)
  (global $counter (export "counter") (mut i32) (i32.const 0))
  (global $total (export "total") (mut i64) (i64.const 0))
  (global (export "limit") i32 (i32.const 100))
  (global (export "base") i32 (global.get $base))

  ;; counter += 1, wait, total += answer, memory[0] += 1; returns base + counter
  (func $count (export "count") (param $id i32) (result i32)
    (local $answer i32)
    (global.set $counter (i32.add (global.get $counter) (i32.const 1)))
    (local.set $answer (call $wait (local.get $id)))
    (global.set $total (i64.add (global.get $total) (i64.extend_i32_s (local.get $answer))))
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (i32.add (global.get $base) (global.get $counter))))
