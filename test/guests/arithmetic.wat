;; What the tests of wasmtime-async call: both exports pass on to the import of their name.
(module
  (import "host" "double" (func $double (param i32) (result i32)))
  (import "host" "add" (func $add (param i32 i64) (result i64)))
  (func (export "double") (param i32) (result i32) (call $double (local.get 0)))
  (func (export "add") (param i32 i64) (result i64) (call $add (local.get 0) (local.get 1))))
