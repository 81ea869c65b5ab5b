;; Functions that do not wait: endless ones, and some whose cost can be computed.
(module
  (import "host" "wait" (func $wait (param i32) (result i32)))
  (import "host" "back" (func $back))
  (memory (export "memory") 1)

  (func $spin (export "spin")
    (loop $again (br $again)))

  ;; adds 1 to the word at 4 * index, for ever
  (func (export "spin_at") (param $index i32)
    (local $address i32)
    (local.set $address (i32.shl (local.get $index) (i32.const 2)))
    (loop $again
      (i32.store (local.get $address) (i32.add (i32.load (local.get $address)) (i32.const 1)))
      (br $again)))

  ;; n turns of a loop; n
  (func $count (export "count") (param $n i32) (result i32)
    (local $turns i32)
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $turns) (local.get $n)))
        (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
        (br $again)))
    (local.get $turns))

  ;; 2^depth calls without a loop; 2^depth
  (func $tree (export "tree") (param $depth i32) (result i32)
    (if (result i32) (i32.eqz (local.get $depth))
      (then (i32.const 1))
      (else
        (i32.add
          (call $tree (i32.sub (local.get $depth) (i32.const 1)))
          (call $tree (i32.sub (local.get $depth) (i32.const 1)))))))

  ;; fills n bytes of the first page
  (func (export "fill") (param $n i32)
    (memory.fill (i32.const 0) (i32.const 0) (local.get $n)))

  ;; waits between n turns and n more; the answer
  (func (export "count_wait_count") (param $n i32) (result i32)
    (local $answer i32)
    (drop (call $count (local.get $n)))
    (local.set $answer (call $wait (local.get $n)))
    (drop (call $count (local.get $n)))
    (local.get $answer))

  ;; calls host.back
  (func (export "call_back") (call $back)))
