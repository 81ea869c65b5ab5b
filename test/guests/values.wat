;; Every value type that can cross between JavaScript and WebAssembly. Each export passes its
;; parameters to the import of the same name and type and returns what the host answers.
(module
  (import "host" "none" (func $none))
  (import "host" "i32" (func $i32 (param i32) (result i32)))
  (import "host" "i64" (func $i64 (param i64) (result i64)))
  (import "host" "f32" (func $f32 (param f32) (result f32)))
  (import "host" "f64" (func $f64 (param f64) (result f64)))
  (import "host" "externref" (func $externref (param externref) (result externref)))
  (import "host" "funcref" (func $funcref (param funcref) (result funcref)))
  ;; several results: arrays in JavaScript
  (import "host" "pair" (func $pair (param i32 i64) (result i32 i64)))
  (import "host" "triple" (func $triple (param f32 externref i64) (result f32 externref i64)))
  (import "host" "make" (func $make (result i32 f64 funcref)))

  (func (export "none") (call $none))
  (func (export "i32") (param i32) (result i32) (call $i32 (local.get 0)))
  (func (export "i64") (param i64) (result i64) (call $i64 (local.get 0)))
  (func (export "f32") (param f32) (result f32) (call $f32 (local.get 0)))
  (func (export "f64") (param f64) (result f64) (call $f64 (local.get 0)))
  (func (export "externref") (param externref) (result externref) (call $externref (local.get 0)))
  (func (export "funcref") (param funcref) (result funcref) (call $funcref (local.get 0)))
  (func (export "pair") (param i32 i64) (result i32 i64) (call $pair (local.get 0) (local.get 1)))
  (func (export "triple") (param f32 externref i64) (result f32 externref i64)
    (call $triple (local.get 0) (local.get 1) (local.get 2)))
  (func (export "make") (result i32 f64 funcref) (call $make)))
