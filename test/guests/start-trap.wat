;; A start function that traps: instantiation fails.
(module
  (start $main)
  (func $main (unreachable)))
