;; A start function that calls an async import while the module is being instantiated.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (global $ready (export "ready") (mut i32) (i32.const 0))
  (start $main)
  (func $main (global.set $ready (call $wait (i32.const 7))))
  ;; the answer the start function got, plus the answer of another wait
  (func (export "run") (param $id i32) (result i32)
    (i32.add (global.get $ready) (call $wait (local.get $id)))))
