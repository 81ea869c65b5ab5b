/*
 * C++ destructors: what a native coroutine runs when it is dropped while suspended.
 *
 * LLVM compiles them to catch_all blocks that clean up and rethrow, and that set __stack_pointer
 * back first. There is no throw and no catch in this file, so it needs no C++ runtime but
 * std::terminate, which C++ calls when a destructor throws while an exception unwinds the stack.
 */
#include "host.h"

namespace std {
[[noreturn]] void terminate() noexcept { __builtin_trap(); }
}  // namespace std

extern "C" {
HOST(wait) int host_wait(int id);
HOST(cleanup) void host_cleanup(int id);
}

namespace {

/* Tells the host that it was destroyed, from a word on the stack. */
struct Guard {
  volatile int id;
  explicit Guard(int id) : id(id) {}
  ~Guard() noexcept(false) { host_cleanup(id); }
};

/* Waits while it is destroyed. */
struct WaitingGuard {
  volatile int id;
  explicit WaitingGuard(int id) : id(id) {}
  ~WaitingGuard() noexcept(false) { host_cleanup(host_wait(id)); }
};

NOINLINE int level(int id, int depth) {
  Guard guard(100 * id + depth);
  if (depth > 0) return level(id, depth - 1);
  return host_wait(id);
}

}  // namespace

extern "C" {

/* One guard around one wait: cleanup(id) on every way out. Returns the answer. */
EXPORT(guard) int guard(int id) {
  Guard guard(id);
  return host_wait(id);
}

/* A guard in each of `depth` + 1 frames: cleanup(100 * id + 0), then + 1, ... + depth. */
EXPORT(guard_deep) int guard_deep(int id, int depth) { return level(id, depth); }

/* A destructor that waits: wait(id), then wait(100 * id) whose answer goes to cleanup. */
EXPORT(guard_waits) int guard_waits(int id) {
  WaitingGuard guard(100 * id);
  return host_wait(id);
}
}
