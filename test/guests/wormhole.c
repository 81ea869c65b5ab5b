/* The README's example of async-wormhole: code that is not async awaits a value of the host. */
#include "host.h"

HOST(async_suspend) int host_async_suspend(void);

NOINLINE static int non_async(void) { return host_async_suspend(); }

/* 64 if the host answered 42, else -1. */
EXPORT(run) int run(void) { return non_async() == 42 ? 64 : -1; }
