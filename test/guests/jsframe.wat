;; A JavaScript frame between two guest frames: outer -> host.callback (a plain function, which calls
;; the export "inner") -> inner -> host.wait. The frame in the middle cannot be suspended.
(module
  (import "host" "callback" (func $callback (param i32) (result i32)))
  (import "host" "wait" (func $wait (param i32) (result i32)))

  (func (export "outer") (param $id i32) (result i32)
    (i32.add (i32.const 1) (call $callback (local.get $id))))
  (func (export "inner") (param $id i32) (result i32) (call $wait (local.get $id)))
  ;; the same callback without a wait: allowed
  (func (export "inner_plain") (param $id i32) (result i32) (local.get $id)))
