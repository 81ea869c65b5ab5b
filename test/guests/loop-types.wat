;; As loop, with the other types: calls an import often, for benchmarks. Counts must be at least 1.
(module
  (import "host" "i64" (func $i64 (param i64) (result i64)))
  (import "host" "f64" (func $f64 (param f64) (result f64)))
  (import "host" "externref" (func $externref (param externref) (result externref)))

  ;; i64(count) + ... + i64(1)
  (func (export "loop_i64") (param $count i64) (result i64)
    (local $sum i64)
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (call $i64 (local.get $count))))
      (br_if $again (i32.eqz (i64.eqz (local.tee $count (i64.sub (local.get $count) (i64.const 1)))))))
    (local.get $sum))

  ;; f64(count) + ... + f64(1)
  (func (export "loop_f64") (param $count i32) (result f64)
    (local $sum f64)
    (loop $again
      (local.set $sum (f64.add (local.get $sum) (call $f64 (f64.convert_i32_s (local.get $count)))))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $sum))

  ;; externref(externref(... value)), `count` times
  (func (export "loop_externref") (param $count i32) (param $value externref) (result externref)
    (loop $again
      (local.set $value (call $externref (local.get $value)))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $value)))
