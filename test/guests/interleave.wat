;; The smallest guest that a shared shadow stack breaks: the prologue and epilogue that LLVM writes, by
;; hand. Overlapping calls of `frame` that do not finish last in, first out return the word of another.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1)
  (global $__stack_pointer (mut i32) (i32.const 65536))

  ;; stores `id` in a 16-byte frame, waits, lets a callee use the stack, returns the stored word: `id`
  (func (export "frame") (param $id i32) (result i32)
    (local $frame i32) (local $word i32)
    (global.set $__stack_pointer
      (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 16))))
    (i32.store offset=12 (local.get $frame) (local.get $id))
    (drop (call $wait (local.get $id)))
    (call $scribble (local.get $id))
    (local.set $word (i32.load offset=12 (local.get $frame)))
    (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 16)))
    (local.get $word))

  ;; a callee that writes `id` all over a 64-byte frame of its own
  (func $scribble (param $id i32)
    (local $frame i32)
    (global.set $__stack_pointer
      (local.tee $frame (i32.sub (global.get $__stack_pointer) (i32.const 64))))
    (i32.store offset=12 (local.get $frame) (local.get $id))
    (i32.store offset=28 (local.get $frame) (local.get $id))
    (i32.store offset=44 (local.get $frame) (local.get $id))
    (i32.store offset=60 (local.get $frame) (local.get $id))
    (global.set $__stack_pointer (i32.add (local.get $frame) (i32.const 64)))))
