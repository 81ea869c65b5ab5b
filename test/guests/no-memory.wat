;; No memory, no table, no global: there is nothing two activations could share, so they may overlap
;; without any precaution.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))

  ;; waits twice with a live local; 1000 * id + first answer + second answer
  (func (export "run") (param $id i32) (result i32)
    (i32.add
      (i32.add (i32.mul (i32.const 1000) (local.get $id)) (call $wait (local.get $id)))
      (call $wait (local.get $id)))))
