;; An imported function that is reached by every way other than a direct call: through a table that an
;; element segment filled, through ref.func put into the table at run time, through a reference handed
;; to JavaScript, and as an export of its own.
(module
  (type $waiter (func (param i32) (result i32)))
  (import "host" "wait" (func $wait (type $waiter)))
  (table $table (export "table") 3 funcref)
  (elem (i32.const 0) func $wait $double)
  (elem declare func $wait)
  (export "wait" (func $wait))

  (func $double (type $waiter) (i32.mul (i32.const 2) (call $wait (local.get 0))))

  ;; table[index](id): 0 is the import, 1 doubles its answer, 2 is null until `set`
  (func (export "call") (param $index i32) (param $id i32) (result i32)
    (call_indirect $table (type $waiter) (local.get $id) (local.get $index)))

  ;; puts the import (ref.func) into table[2]
  (func (export "set") (table.set $table (i32.const 2) (ref.func $wait)))

  ;; the import as a function reference
  (func (export "reference") (result funcref) (ref.func $wait)))
