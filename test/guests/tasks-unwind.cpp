/*
 * What C++ has to do at the end of a task: destructors run where it is cancelled, and not where the program ends.
 */
#include <stackful.h>

#include "host.h"

namespace std {
[[noreturn]] void terminate() noexcept { __builtin_trap(); }
}  // namespace std

extern "C" {
HOST(log) void host_log(int value);
}

struct Guard {
  int value;
  explicit Guard(int value) : value(value) { host_log(value); }
  ~Guard() { host_log(-value); }
};

static void *wait_guarded(void *argument) {
  Guard outer(1);
  Guard inner(2);
  stackful_sleep_ms(3600000);
  host_log(99);
  return argument;
}

/* A task that is cancelled: 1 2 -2 -1, and its status. */
extern "C" EXPORT(cancel_one) int cancel_one() {
  stackful_task task = stackful_spawn(wait_guarded, nullptr);
  stackful_yield();
  stackful_cancel(task);
  return stackful_join(task, nullptr);
}

/* The program ends: 1 2. */
extern "C" EXPORT(leave_one) int leave_one() {
  stackful_spawn(wait_guarded, nullptr);
  stackful_yield();
  return 5;
}
