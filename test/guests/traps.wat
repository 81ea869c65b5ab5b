;; Every way to trap. Export "X" traps at once; "X_later" waits for the host first, so that the trap
;; happens after the guest was suspended. Nothing here returns; the results are there for the types.
(module
  (type $nullary (func (result i32)))
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (memory (export "memory") 1 1)
  (data $data "four")
  (table $table 3 funcref)
  (elem (table $table) (i32.const 0) func $other)
  (elem $elements func $other)

  ;; never called: its type is not that of the indirect calls below
  (func $other (param f64) (result f64) (local.get 0))

  ;; unreachable
  (func $unreachable (export "unreachable") (result i32)
    (unreachable))
  (func (export "unreachable_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $unreachable))

  ;; i32 divided by zero
  (func $divide_by_zero (export "divide_by_zero") (result i32)
    (i32.div_s (i32.const 1) (i32.load (i32.const 0))))
  (func (export "divide_by_zero_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $divide_by_zero))

  ;; i64 remainder by zero
  (func $remainder_by_zero (export "remainder_by_zero") (result i32)
    (i32.wrap_i64 (i64.rem_u (i64.const 1) (i64.load (i32.const 0)))))
  (func (export "remainder_by_zero_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $remainder_by_zero))

  ;; the quotient of INT_MIN and -1
  (func $integer_overflow (export "integer_overflow") (result i32)
    (i32.div_s (i32.const 0x80000000) (i32.const -1)))
  (func (export "integer_overflow_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $integer_overflow))

  ;; NaN to an integer
  (func $conversion (export "conversion") (result i32)
    (i32.trunc_f64_s (f64.const nan)))
  (func (export "conversion_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $conversion))

  ;; 1e300 to an integer
  (func $conversion_range (export "conversion_range") (result i32)
    (i32.trunc_f64_s (f64.const 1e300)))
  (func (export "conversion_range_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $conversion_range))

  ;; a load behind the end of memory
  (func $memory_bounds (export "memory_bounds") (result i32)
    (i32.load (i32.const 65536)))
  (func (export "memory_bounds_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $memory_bounds))

  ;; more bytes than the data segment has
  (func $memory_init (export "memory_init") (result i32)
    (memory.init $data (i32.const 0) (i32.const 0) (i32.const 5))
    (i32.const 0))
  (func (export "memory_init_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $memory_init))

  ;; a fill over the end of memory
  (func $memory_fill (export "memory_fill") (result i32)
    (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))
    (i32.const 0))
  (func (export "memory_fill_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $memory_fill))

  ;; table.get behind the end of the table
  (func $table_bounds (export "table_bounds") (result i32)
    (ref.is_null (table.get $table (i32.const 3))))
  (func (export "table_bounds_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $table_bounds))

  ;; more entries than the element segment has
  (func $table_init (export "table_init") (result i32)
    (table.init $table $elements (i32.const 0) (i32.const 0) (i32.const 5))
    (i32.const 0))
  (func (export "table_init_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $table_init))

  ;; an indirect call behind the end of the table
  (func $call_bounds (export "call_bounds") (result i32)
    (call_indirect $table (type $nullary) (i32.const 3)))
  (func (export "call_bounds_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $call_bounds))

  ;; an indirect call of a null entry
  (func $call_null (export "call_null") (result i32)
    (call_indirect $table (type $nullary) (i32.const 1)))
  (func (export "call_null_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $call_null))

  ;; an indirect call with the wrong type
  (func $call_type (export "call_type") (result i32)
    (call_indirect $table (type $nullary) (i32.const 0)))
  (func (export "call_type_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $call_type))

  ;; endless recursion: a RangeError in V8
  (func $stack_overflow (export "stack_overflow") (result i32)
    (i32.add (i32.const 1) (call $stack_overflow)))
  (func (export "stack_overflow_later") (param $id i32) (result i32)
    (drop (call $wait (local.get $id)))
    (call $stack_overflow))

  ;; no trap: waits and returns the answer, to show that the instance is still usable
  (func (export "fine") (param $id i32) (result i32) (call $wait (local.get $id))))
