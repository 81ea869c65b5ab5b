;; Calls an import often and adds up what it answers, for benchmarks. No memory, so the only cost is
;; the call itself. Counts must be at least 1.
(module
  (import "host" "step" (func $step (param i32) (result i32)))
  (import "host" "next" (func $next (result i32)))
  (import "host" "tick" (func $tick))

  ;; step(count) + ... + step(1)
  (func $loop (export "loop") (param $count i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $step (local.get $count))))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $sum))

  ;; next() + ... + next(), `count` times
  (func (export "loop_next") (param $count i32) (result i32)
    (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (call $next)))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $sum))

  ;; tick(), `count` times; an import without results
  (func (export "loop_tick") (param $count i32)
    (loop $again
      (call $tick)
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; loop(count) from `depth` calls deep
  (func $loop_at (export "loop_at") (param $depth i32) (param $count i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (call $loop (local.get $count)))
      (else
        ;; + 0 * depth keeps this frame alive across the call: not a tail call
        (i32.add
          (call $loop_at (i32.sub (local.get $depth) (i32.const 1)) (local.get $count))
          (i32.mul (local.get $depth) (i32.const 0))))))

  ;; one import call, one activation
  (func (export "one") (param $value i32) (result i32) (call $step (local.get $value)))

  ;; no import call: create, run, finish
  (func (export "none") (param $value i32) (result i32) (local.get $value)))
