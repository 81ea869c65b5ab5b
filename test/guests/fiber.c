/*
 * Fibers of the guest's own: functions that run on stacks which it has set aside in its memory, as schedulers of goroutines do.
 *
 * run_on() sets __stack_pointer itself. Whoever compares the pointer with the bounds of the stack that the call was entered on
 * must not take a fiber's stack, which lies somewhere else, for an overflow of that.
 */
#include "host.h"

HOST(wait) int host_wait(int id);

enum { WORDS = 16, STACK = 8192, FIBERS = 4, HUGE = 262144 };

static unsigned char stacks[FIBERS][STACK] __attribute__((aligned(16)));
static int inUse[FIBERS];

/* Calls body(argument) with the stack pointer at `top`. */
NOINLINE static int run_on(unsigned char *top, int (*body)(int), int argument) {
  unsigned char *before;
  __asm__ volatile("global.get __stack_pointer\n local.set %0" : "=r"(before));
  __asm__ volatile("local.get %0\n global.set __stack_pointer" : : "r"(top));
  int result = body(argument);
  __asm__ volatile("local.get %0\n global.set __stack_pointer" : : "r"(before));
  return result;
}

/* Waits once with 16 live words. Returns 1000 * (id read back from them) + answer. */
NOINLINE static int body(int id) {
  volatile int words[WORDS];
  for (int i = 0; i < WORDS; i++) words[i] = id + i;
  int answer = host_wait(id), wrong = 0;
  for (int i = 0; i < WORDS; i++) wrong += words[i] != id + i;
  return wrong > 0 ? -wrong : 1000 * words[0] + answer;
}

static unsigned char *claim(int *fiber) {
  *fiber = 0;
  while (inUse[*fiber]) ++*fiber;
  inUse[*fiber] = 1;
  return stacks[*fiber] + STACK;
}

/* body(id) on the caller's stack, then on a fiber's, then again on the caller's: three waits. Returns the sum. */
EXPORT(frames) int frames(int id) {
  int fiber, sum = body(id);
  unsigned char *top = claim(&fiber);
  sum += run_on(top, body, id);
  inUse[fiber] = 0;
  return sum + body(id);
}

static int trap(int id) {
  volatile int words[WORDS];
  words[0] = id;
  if (words[0] == id) __builtin_trap();
  return 0;
}

/* Traps on a fiber's stack after one wait there. */
static int waiting_trap(int id) {
  host_wait(id);
  return trap(id);
}

EXPORT(trapping) int trapping(int id) {
  int fiber;
  unsigned char *top = claim(&fiber);
  inUse[fiber] = 0;
  return run_on(top, waiting_trap, id);
}

NOINLINE static int deep(int id) {
  volatile unsigned char bytes[HUGE];
  bytes[id % HUGE] = id;
  return bytes[id % HUGE] + host_wait(id);
}

/* Runs on a fiber's stack, then needs 256 KiB of the caller's: more than a region has. */
EXPORT(overflow) int overflow(int id) {
  int fiber, sum = 0;
  unsigned char *top = claim(&fiber);
  sum += run_on(top, body, id);
  inUse[fiber] = 0;
  return sum + deep(id);
}
