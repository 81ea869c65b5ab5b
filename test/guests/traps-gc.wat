;; The traps of garbage-collected objects and typed function references. As in traps.wat, "X" traps at
;; once and "X_later" after a wait. Built with binaryen: wabt does not know these instructions.
(module
  (type $nullary (func (result i32)))
  (type $point (struct (field $x i32)))
  (type $bytes (array (mut i8)))
  (import "host" "wait" (func $wait (param i32) (result i32)))
  ;; nulls that no optimiser can see through
  (global $nothing (export "nothing") (mut anyref) (ref.null any))
  (global $no_point (export "no_point") (mut (ref null $point)) (ref.null $point))
  (global $no_bytes (export "no_bytes") (mut (ref null $bytes)) (ref.null $bytes))
  (global $no_function (export "no_function") (mut (ref null $nullary)) (ref.null $nullary))

  (func $anything (result anyref) (struct.new $point (i32.const 1)))

  ;; a field of a null struct
  (func $null_struct (export "null_struct") (result i32)
    (struct.get $point $x (global.get $no_point)))
  (func (export "null_struct_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $null_struct))

  ;; the length of a null array
  (func $null_array (export "null_array") (result i32)
    (array.len (global.get $no_bytes)))
  (func (export "null_array_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $null_array))

  ;; an element behind the end of an array
  (func $array_bounds (export "array_bounds") (result i32)
    (array.get_u $bytes (array.new_default $bytes (i32.const 4)) (i32.const 4)))
  (func (export "array_bounds_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $array_bounds))

  ;; a struct cast to an array
  (func $cast (export "cast") (result i32)
    (array.len (ref.cast (ref $bytes) (call $anything))))
  (func (export "cast_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $cast))

  ;; a call of a null function reference
  (func $null_function (export "null_function") (result i32)
    (call_ref $nullary (global.get $no_function)))
  (func (export "null_function_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $null_function))

  ;; null where a reference must be
  (func $null_reference (export "null_reference") (result i32)
    (drop (ref.as_non_null (global.get $nothing)))
    (i32.const 0))
  (func (export "null_reference_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $null_reference))

  ;; no trap: a struct live across a wait; 1000 * id + answer
  (func (export "fine") (param $id i32) (result i32)
    (local $point (ref null $point))
    (local.set $point (struct.new $point (i32.mul (i32.const 1000) (local.get $id))))
    (i32.add (call $wait (local.get $id)) (struct.get $point $x (local.get $point)))))
