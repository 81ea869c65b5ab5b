;; Exceptions in the legacy form (try, catch, catch_all, rethrow, delegate), around suspensions.
;; catch-exnref.wat has the same exports in the standard form. Every export takes and returns one i32.
;;
;; An exception comes from the host (a rejected promise: any value) or from the tag "error", whose
;; payload is one i32. A trap is no exception: no catch may see it.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "cleanup" (func $cleanup (param i32)))
  (tag $error (export "error") (param i32))
  (global $cleanups (export "cleanups") (mut i32) (i32.const 0))

  (func $clean (param $id i32)
    (global.set $cleanups (i32.add (global.get $cleanups) (i32.const 1)))
    (call $cleanup (local.get $id)))

  ;; waits inside try; the answer, or -1 for any exception
  (func (export "await_in_try") (param $id i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get $id)))
      (catch_all (i32.const -1))))

  ;; throws, and waits inside catch with the payload `id`; the answer
  (func (export "await_in_catch") (param $id i32) (result i32)
    (try (result i32)
      (do (throw $error (local.get $id)))
      (catch $error (call $wait))))

  ;; waits; on an exception runs cleanup(id) and rethrows it
  (func (export "guard") (param $id i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get $id)))
      (catch_all (call $clean (local.get $id)) (rethrow 0))))

  ;; waits `depth` calls deep; on an exception runs cleanup(1), cleanup(2), ... cleanup(depth)
  (func $guard_deep (export "guard_deep") (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (call $wait (i32.const 0)))
      (else
        (try (result i32)
          (do (call $guard_deep (i32.sub (local.get $depth) (i32.const 1))))
          (catch_all (call $clean (local.get $depth)) (rethrow 0))))))

  ;; the cleanup waits too: cleanup(answer of wait(100 * id)), then the first exception again
  (func (export "guard_waits") (param $id i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get $id)))
      (catch_all
        (call $clean (call $wait (i32.mul (i32.const 100) (local.get $id))))
        (rethrow 0))))

  ;; the cleanup throws an exception of its own: "error" with payload `id`
  (func (export "guard_throws") (param $id i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get $id)))
      (catch_all (call $clean (local.get $id)) (throw $error (local.get $id)))))

  ;; swallows every exception and waits again, until it has swallowed `times`; then `times`.
  ;; A wait that is answered ends it early with -1.
  (func (export "swallow") (param $times i32) (result i32)
    (local $swallowed i32)
    (loop $again (result i32)
      (try
        (do
          (drop (call $wait (local.get $swallowed)))
          (return (i32.const -1)))
        (catch_all
          (local.set $swallowed (i32.add (local.get $swallowed) (i32.const 1)))))
      (br_if $again (i32.lt_s (local.get $swallowed) (local.get $times)))
      (local.get $swallowed)))

  ;; swallows every exception and waits again, for ever
  (func (export "swallow_forever") (param $id i32) (result i32)
    (loop $again (result i32)
      (try
        (do (drop (call $wait (local.get $id))))
        (catch_all))
      (br $again)))

  ;; the exception becomes the result: the payload of "error", -1 for any other
  (func (export "to_value") (param $id i32) (result i32)
    (try (result i32)
      (do (call $wait (local.get $id)))
      (catch $error)
      (catch_all (i32.const -1))))

  ;; waits, then throws "error" with the answer as payload
  (func $throw_later (export "throw_later") (param $id i32) (result i32)
    (throw $error (call $wait (local.get $id))))

  ;; throws "error" from a callee after a wait and catches it here; the payload
  (func (export "catch_later") (param $id i32) (result i32)
    (try (result i32)
      (do (call $throw_later (local.get $id)))
      (catch $error)))

  ;; waits, then traps inside try: no cleanup, no result
  (func (export "trap_in_try") (param $id i32) (result i32)
    (try (result i32)
      (do (drop (call $wait (local.get $id))) (unreachable))
      (catch_all (call $clean (local.get $id)) (i32.const -1))))

  ;; an inner try that hands exceptions to the outer one; as await_in_try
  (func (export "delegated") (param $id i32) (result i32)
    (try $outer (result i32)
      (do
        (try (result i32)
          (do (call $wait (local.get $id)))
          (delegate $outer)))
      (catch_all (i32.const -1)))))
