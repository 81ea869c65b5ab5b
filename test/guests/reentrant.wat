;; Two exports that call each other through the host: a -> host.to_b -> b -> host.to_a -> a ...
;; The host may call back at once (from a plain function) or later (from an async one).
(module
  (import "host" "to_a" (func $to_a (param i32) (result i32)))
  (import "host" "to_b" (func $to_b (param i32) (result i32)))
  (import "host" "wait" (func $wait (param i32) (result i32)))

  ;; both: depth + wait(0), one call into the host and back for each level
  (func (export "a") (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (call $wait (i32.const 0)))
      (else (i32.add (i32.const 1) (call $to_b (i32.sub (local.get $depth) (i32.const 1)))))))
  (func (export "b") (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (call $wait (i32.const 0)))
      (else (i32.add (i32.const 1) (call $to_a (i32.sub (local.get $depth) (i32.const 1))))))))
