/*
 * Stack frames that must survive a suspension.
 *
 * Every function here keeps an array on the shadow stack (the C stack in linear memory), lets the
 * host suspend it, and returns a number that tells whether the array is still its own. Two
 * activations that share one shadow stack and finish in another order than last in, first out
 * overwrite each other; the results then show whose data was read.
 *
 * build.mjs makes several modules of this file, one per way to find (or not to find) the stack
 * pointer and the room for another stack.
 */
#include "host.h"

HOST(wait) int host_wait(int id);
HOST(fill) void host_fill(unsigned char *bytes, int length); /* writes guest memory, also later */

enum { WORDS = 16, SCRATCH = 64, BUFFER = 128 };

/* Overwrites 256 bytes of stack below its caller and returns `seed`, if they were its own. */
NOINLINE static int churn(int seed) {
  volatile int scratch[SCRATCH];
  for (int i = 0; i < SCRATCH; i++) scratch[i] = seed + i;
  for (int i = 0; i < SCRATCH; i++)
    if (scratch[i] != seed + i) return -1;
  return scratch[0];
}

/*
 * Waits once with 16 live words.
 * Returns 1000 * (the id read back from the words) + answer: `frame(2)` that was answered 7 gives
 * 2007, and 4007 if it read the words of `frame(4)`. Words that disagree give minus their number.
 */
EXPORT(frame) int frame(int id) {
  volatile int words[WORDS];
  for (int i = 0; i < WORDS; i++) words[i] = id + i;
  int answer = churn(host_wait(id));
  int first = words[0], wrong = 0;
  for (int i = 1; i < WORDS; i++) wrong += words[i] != first + i;
  return wrong > 0 ? -wrong : 1000 * first + answer;
}

NOINLINE static int level(int id, int depth) {
  volatile int marks[8];
  for (int i = 0; i < 8; i++) marks[i] = 100 * id + depth;
  host_wait(id);
  int intact = depth > 0 ? level(id, depth - 1) : 0;
  churn(host_wait(id));
  for (int i = 0; i < 8; i++)
    if (marks[i] != 100 * id + depth) return intact;
  return intact + 1;
}

/*
 * Recurses `depth` times and waits twice at each level, on the way down and on the way up:
 * 2 * (depth + 1) waits. Returns 1000 * id + the number of levels that found their buffer intact,
 * which is 1000 * id + depth + 1 when all is well.
 */
EXPORT(nested) int nested(int id, int depth) { return 1000 * id + level(id, depth); }

/* A buffer for the host between two guards. */
struct guarded {
  volatile int before;
  unsigned char bytes[BUFFER];
  volatile int after;
};

/* The host fills `length` bytes (at most 128); returns their sum, or -1 if a guard was damaged. */
NOINLINE static int filled(struct guarded *buffer, int length) {
  buffer->before = buffer->after = 0x600d600d;
  host_fill(buffer->bytes, length);
  if (buffer->before != 0x600d600d || buffer->after != 0x600d600d) return -1;
  int sum = 0;
  for (int i = 0; i < length; i++) sum += buffer->bytes[i];
  return sum;
}

/* The host writes into this frame while it is suspended: returns the sum of the bytes. */
EXPORT(checksum) int checksum(int length) {
  struct guarded buffer;
  return filled(&buffer, length);
}

/* Two buffers, filled one after the other; the first is summed again at the end.
   Returns 65536 * (sum of the first) + (sum of the second). */
EXPORT(checksum_two) int checksum_two(int length) {
  struct guarded first, second;
  int before = filled(&first, length);
  int other = filled(&second, length);
  int sum = 0;
  for (int i = 0; i < length; i++) sum += ((volatile unsigned char *)first.bytes)[i];
  return sum == before ? (sum << 16) + other : -1;
}

/* One buffer in each of `depth` + 1 frames, filled on the way down and summed on the way up. */
EXPORT(checksum_deep) NOINLINE int checksum_deep(int length, int depth) {
  struct guarded buffer;
  int before = filled(&buffer, length);
  int below = depth > 0 ? checksum_deep(length, depth - 1) : 0;
  int sum = 0;
  for (int i = 0; i < length; i++) sum += ((volatile unsigned char *)buffer.bytes)[i];
  return sum == before ? sum + below : -1;
}

/* Waits, then returns the address of a local: on which stack did this activation run? */
EXPORT(where) int where(int id) {
  volatile int local = id;
  volatile int *address = &local;
  host_wait(id);
  return (int)(__UINTPTR_TYPE__)address;
}

/* Waits with a live frame, then traps (unreachable) without giving the frame back. */
EXPORT(trapping) int trapping(int id) {
  volatile int words[WORDS];
  for (int i = 0; i < WORDS; i++) words[i] = id;
  words[0] += host_wait(id);
  __builtin_trap();
}
