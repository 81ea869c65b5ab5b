;; v128 cannot cross between JavaScript and WebAssembly: a call that would pass one throws a
;; TypeError. Inside the guest it may be live across a suspension.
(module
  (import "host" "v128" (func $v128 (param v128) (result v128)))
  (import "host" "wait" (func $wait (param i32) (result i32)))

  ;; cannot be called from JavaScript
  (func (export "v128") (param v128) (result v128) (call $v128 (local.get 0)))

  ;; can be called, but its call to the import throws
  (func (export "pass_v128") (param i32) (result i32)
    (i32x4.extract_lane 0 (call $v128 (i32x4.splat (local.get 0)))))

  ;; four lanes `id` live across a wait, times the answer: 4 * id * answer
  (func (export "across") (param $id i32) (result i32)
    (local $lanes v128)
    (local.set $lanes (i32x4.splat (local.get $id)))
    (local.set $lanes (i32x4.mul (local.get $lanes) (i32x4.splat (call $wait (local.get $id)))))
    (i32.add
      (i32.add (i32x4.extract_lane 0 (local.get $lanes)) (i32x4.extract_lane 1 (local.get $lanes)))
      (i32.add (i32x4.extract_lane 2 (local.get $lanes)) (i32x4.extract_lane 3 (local.get $lanes))))))
