;; A data segment that does not fit into the memory: instantiation traps.
(module
  (memory 1)
  (data (i32.const 65535) "xy"))
