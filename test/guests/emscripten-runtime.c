/*
 * What Emscripten links to a guest whose `setjmp` is done by JavaScript, under its names. A file of its own: the compiler makes calls of
 * these functions by their names.
 */
#include "host.h"

struct landing {
  void *invocation;
  unsigned label;
};

unsigned long __THREW__;
int __threwValue;
static unsigned temp_ret_0;

__attribute__((import_module("env"), import_name("_emscripten_throw_longjmp"))) _Noreturn void throw_longjmp(void);

void setTempRet0(unsigned value) { temp_ret_0 = value; }
unsigned getTempRet0(void) { return temp_ret_0; }

void __wasm_setjmp(void *target, unsigned label, void *invocation) {
  *(struct landing *)target = (struct landing){invocation, label};
}

unsigned __wasm_setjmp_test(void *target, void *invocation) {
  struct landing *landing = target;
  return landing->invocation == invocation ? landing->label : 0;
}

EXPORT(setThrew) void setThrew(unsigned long threw, int value) {
  if (__THREW__ != 0) return;
  __THREW__ = threw;
  __threwValue = value;
}

_Noreturn void emscripten_longjmp(unsigned long target, int value) {
  setThrew(target, value);
  throw_longjmp();
}

__asm__(".globaltype __stack_pointer, i32\n"
        ".functype stackSave () -> (i32)\n"
        ".export_name stackSave, stackSave\n"
        ".globl stackSave\n"
        "stackSave:\n"
        "  .functype stackSave () -> (i32)\n"
        "  global.get __stack_pointer\n"
        "  end_function\n"
        ".functype stackRestore (i32) -> ()\n"
        ".export_name stackRestore, stackRestore\n"
        ".globl stackRestore\n"
        "stackRestore:\n"
        "  .functype stackRestore (i32) -> ()\n"
        "  local.get 0\n"
        "  global.set __stack_pointer\n"
        "  end_function\n");
