;; An element segment that does not fit into the table: instantiation traps.
(module
  (table 1 funcref)
  (elem (i32.const 1) func $f)
  (func $f))
