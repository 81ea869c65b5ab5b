/* Blocking style: counts down and sleeps in between, as if it had a thread of its own. */
#include "host.h"

HOST(say) void host_say(int who, int count);
HOST(sleep) void host_sleep(int milliseconds);

/* Says `from` to 1, and sleeps after each; returns how often it slept. */
EXPORT(countdown) int countdown(int who, int from) {
  int slept = 0;
  for (int count = from; count > 0; count--, slept++) {
    host_say(who, count);
    host_sleep(10);
  }
  return slept;
}
