;; A shadow stack that is not LLVM's, after the manner of AssemblyScript's garbage collector: references
;; are pushed one word at a time, always through the global, and everything between the stack pointer
;; and the heap is scanned. A second stack elsewhere would hide references from the scan, and the words
;; of two overlapping activations would mix: such calls must be refused or queued.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $top i32 (i32.const 32768))
  (global $roots (mut i32) (i32.const 32768))

  (func $push (param $reference i32)
    (global.set $roots (i32.sub (global.get $roots) (i32.const 4)))
    (i32.store (global.get $roots) (local.get $reference)))
  (func $pop
    (global.set $roots (i32.add (global.get $roots) (i32.const 4))))

  ;; how many references are live: what the collector would scan
  (func (export "live") (result i32)
    (i32.shr_u (i32.sub (global.get $top) (global.get $roots)) (i32.const 2)))

  ;; pushes `id`, waits, pushes the answer, reads both back; 1000 * id + answer
  (func (export "run") (param $id i32) (result i32)
    (local $sum i32)
    (call $push (local.get $id))
    (call $push (call $wait (local.get $id)))
    (local.set $sum
      (i32.add
        (i32.mul (i32.const 1000) (i32.load offset=4 (global.get $roots)))
        (i32.load (global.get $roots))))
    (call $pop)
    (call $pop)
    (local.get $sum)))
