;; Waits in two shared memories, and in one that is not.
(module
  (memory $plain 1)
  (memory $first (export "first") 1 1 shared)
  (memory $second (export "second") 1 1 shared)
  (func (export "wait_plain") (result i32) (memory.atomic.wait32 $plain (i32.const 0) (i32.const 1) (i64.const 0)))
  (func (export "notify_plain") (result i32) (memory.atomic.notify $plain (i32.const 0) (i32.const 1)))
  (func (export "wait_first") (result i32) (memory.atomic.wait32 $first (i32.const 0) (i32.const 0) (i64.const -1)))
  (func (export "wait_second") (result i32) (memory.atomic.wait64 $second offset=8 (i32.const 0) (i64.const 0) (i64.const -1)))
  (func (export "notify_first") (result i32) (memory.atomic.notify $first (i32.const 0) (i32.const 9)))
  (func (export "notify_second") (result i32) (memory.atomic.notify $second (i32.const 8) (i32.const 9)))
)
