;; The example of wasmtime-async: an import with an empty module name, no parameters, no results.
(module
  (import "" "hello" (func $hello))
  (func (export "run") (call $hello)))
