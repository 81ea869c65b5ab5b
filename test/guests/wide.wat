;; Imports with 0 to 16 parameters: the first i32, then in turn i64, f32, f64, i32, ...
;; Export "fN" passes on its N parameters to import "host" "fN" and returns the answer.
;; The export "sum16" calls f16 with 1 to 16.
(module
  (import "host" "f0" (func $f0 (result i32)))
  (import "host" "f1" (func $f1 (param i32) (result i32)))
  (import "host" "f2" (func $f2 (param i32 i64) (result i32)))
  (import "host" "f3" (func $f3 (param i32 i64 f32) (result i32)))
  (import "host" "f4" (func $f4 (param i32 i64 f32 f64) (result i32)))
  (import "host" "f5" (func $f5 (param i32 i64 f32 f64 i32) (result i32)))
  (import "host" "f6" (func $f6 (param i32 i64 f32 f64 i32 i64) (result i32)))
  (import "host" "f7" (func $f7 (param i32 i64 f32 f64 i32 i64 f32) (result i32)))
  (import "host" "f8" (func $f8 (param i32 i64 f32 f64 i32 i64 f32 f64) (result i32)))
  (import "host" "f9" (func $f9 (param i32 i64 f32 f64 i32 i64 f32 f64 i32) (result i32)))
  (import "host" "f10" (func $f10 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i32)))
  (import "host" "f11" (func $f11 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32) (result i32)))
  (import "host" "f12" (func $f12 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64) (result i32)))
  (import "host" "f13" (func $f13 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32) (result i32)))
  (import "host" "f14" (func $f14 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i32)))
  (import "host" "f15" (func $f15 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32) (result i32)))
  (import "host" "f16" (func $f16 (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64) (result i32)))

  (func (export "f0") (result i32) (call $f0))
  (func (export "f1") (param i32) (result i32) (call $f1 (local.get 0)))
  (func (export "f2") (param i32 i64) (result i32) (call $f2 (local.get 0) (local.get 1)))
  (func (export "f3") (param i32 i64 f32) (result i32) (call $f3 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "f4") (param i32 i64 f32 f64) (result i32)
    (call $f4
      (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "f5") (param i32 i64 f32 f64 i32) (result i32)
    (call $f5
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))
  (func (export "f6") (param i32 i64 f32 f64 i32 i64) (result i32)
    (call $f6
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))
  (func (export "f7") (param i32 i64 f32 f64 i32 i64 f32) (result i32)
    (call $f7
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6)))
  (func (export "f8") (param i32 i64 f32 f64 i32 i64 f32 f64) (result i32)
    (call $f8
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7)))
  (func (export "f9") (param i32 i64 f32 f64 i32 i64 f32 f64 i32) (result i32)
    (call $f9
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8)))
  (func (export "f10") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i32)
    (call $f10
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9)))
  (func (export "f11") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32) (result i32)
    (call $f11
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10)))
  (func (export "f12") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64) (result i32)
    (call $f12
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)))
  (func (export "f13") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32) (result i32)
    (call $f13
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
      (local.get 12)))
  (func (export "f14") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i32)
    (call $f14
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
      (local.get 12) (local.get 13)))
  (func (export "f15") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32) (result i32)
    (call $f15
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
      (local.get 12) (local.get 13) (local.get 14)))
  (func (export "f16") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64) (result i32)
    (call $f16
      (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9) (local.get 10) (local.get 11)
      (local.get 12) (local.get 13) (local.get 14) (local.get 15)))
  (func (export "sum16") (result i32)
    (call $f16
      (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4)
      (i32.const 5) (i64.const 6) (f32.const 7) (f64.const 8)
      (i32.const 9) (i64.const 10) (f32.const 11) (f64.const 12)
      (i32.const 13) (i64.const 14) (f32.const 15) (f64.const 16))))
