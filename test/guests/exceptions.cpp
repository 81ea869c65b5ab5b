/*
 * C++ exceptions, with suspensions where they are caught: in destructors that wait, in handlers that wait, in handlers that
 * throw again or throw something else. What the C++ runtime would bring is below, as far as `catch (...)` needs it.
 */
#include "host.h"

extern "C" {
HOST(wait) int host_wait(int id);
HOST(cleanup) void host_cleanup(int id);

void *__cxa_allocate_exception(unsigned long size) noexcept;
[[noreturn]] void __cxa_throw(void *thrown, void *type, void *(*destructor)(void *));
void *__cxa_begin_catch(void *thrown) noexcept;
void __cxa_end_catch();
[[noreturn]] void __cxa_rethrow();
int __gxx_wasm_personality_v0(...) { return 0; }
}

/* The tag of all C++ exceptions. */
__asm__(
    ".globl __cpp_exception\n"
    ".tagtype __cpp_exception i32\n"
    "__cpp_exception:\n");

namespace __cxxabiv1 {
struct __fundamental_type_info {
  virtual ~__fundamental_type_info();
};
__fundamental_type_info::~__fundamental_type_info() {}
}  // namespace __cxxabiv1

void operator delete(void *) noexcept {}
void operator delete(void *, unsigned long) noexcept {}

namespace std {
[[noreturn]] void terminate() noexcept { __builtin_trap(); }
}  // namespace std

namespace {

/* The innermost exception that is being handled is the last one. */
void *handled[64];
int depth;
int allocated;
int heap[256];

}  // namespace

extern "C" {

void *__cxa_allocate_exception(unsigned long) noexcept { return &heap[allocated++ % 256]; }

[[noreturn]] void __cxa_throw(void *thrown, void *, void *(*)(void *)) { __builtin_wasm_throw(0, thrown); }

void *__cxa_begin_catch(void *thrown) noexcept { return handled[depth++ % 64] = thrown; }

void __cxa_end_catch() { depth--; }

[[noreturn]] void __cxa_rethrow() { __builtin_wasm_throw(0, handled[(depth - 1) % 64]); }
}

namespace {

struct WaitingGuard {
  volatile int id;
  explicit WaitingGuard(int id) : id(id) {}
  ~WaitingGuard() noexcept(false) { host_cleanup(host_wait(id)); }
};

NOINLINE int fail_at(int id, int depth) {
  WaitingGuard guard(10 * id + depth);
  if (depth > 0) return fail_at(id, depth - 1) + guard.id;
  if (host_wait(id) & 1) throw id;
  return id;
}

/* Cleans up with a wait, and throws again. */
NOINLINE int clean_up(int id, int depth) {
  try {
    return fail_at(id, depth);
  } catch (...) {
    host_cleanup(host_wait(1000 + id));
    if (host_wait(id) & 2) throw;
    if (host_wait(id) & 4) throw 5;
  }
  return -1;
}

}  // namespace

/* Waits in each of `depth` + 1 destructors, and in both handlers. */
EXPORT(escape) int escape(int id, int depth) {
  id &= 15;
  depth &= 3;
  try {
    WaitingGuard guard(500);
    return clean_up(id, depth) + clean_up(id + 1, depth);
  } catch (...) {
    return -host_wait(2000 + id);
  }
}

/* Handlers inside handlers, in a loop; how many exceptions there were. */
EXPORT(retry) int retry(int id, int times) {
  volatile int caught = 0;
  times &= 7;
  for (int round = 0; round < times; round++) {
    try {
      try {
        host_cleanup(clean_up(id & 15, round & 1));
      } catch (...) {
        caught = caught + 1;
        try {
          WaitingGuard guard(round);
          host_cleanup(fail_at(round, 0));
        } catch (...) {
          caught = caught + host_wait(round);
        }
        throw;
      }
    } catch (...) {
      caught = caught + 100;
    }
  }
  return caught;
}
