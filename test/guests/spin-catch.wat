;; Endless functions that catch what stops them, in the legacy form of exceptions.
(module
  (import "host" "cleanup" (func $cleanup (param i32)))

  (func $spin (export "spin")
    (loop $again (br $again)))

  ;; n turns of a loop; n
  (func $count (export "count") (param $n i32) (result i32)
    (local $turns i32)
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $turns) (local.get $n)))
        (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
        (br $again)))
    (local.get $turns))

  ;; throws away what stops it, and goes on: calls cleanup(1) each time
  (func (export "swallow")
    (loop $again
      (try (do (call $spin)) (catch_all (call $cleanup (i32.const 1))))
      (br $again)))

  ;; when it is stopped: n turns of a loop, cleanup(their number)
  (func (export "guard") (param $n i32)
    (try (do (call $spin))
      (catch_all (call $cleanup (call $count (local.get $n))) (rethrow 0)))))
