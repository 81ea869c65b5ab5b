/* Runs constructors and destructors itself: otherwise the linker has every export do so, wasi_thread_start too. */
#include <wasi/api.h>

void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
int __main_void(void);

__attribute__((export_name("_start"))) void _start(void) {
  __wasm_call_ctors();
  int result = __main_void();
  __wasm_call_dtors();
  if (result != 0) __wasi_proc_exit(result);
}
