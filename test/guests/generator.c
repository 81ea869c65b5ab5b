/*
 * Generators: bodies that give values to whoever resumed them and get values back.
 * `host.suspend(value)` yields; its result is the next input.
 */
#include "host.h"

HOST(suspend) int host_suspend(int value);
HOST(suspend_i64) long long host_suspend_i64(long long value);
HOST(suspend_f64) double host_suspend_f64(double value);
HOST(suspend_mixed) double host_suspend_mixed(int value); /* yields i32, gets f64 */
HOST(log) void host_log(const char *text, int length);    /* one line, UTF-8, no newline */
HOST(panic) void host_panic(const char *text, int length); /* the host throws an Error(text) */

static int length_of(const char *text) {
  int length = 0;
  while (text[length] != 0) length++;
  return length;
}

static int append(char *line, int at, const char *text) {
  while (*text != 0) line[at++] = *text++;
  return at;
}

static int append_number(char *line, int at, int number) {
  char digits[12];
  int count = 0;
  unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
  do digits[count++] = (char)('0' + rest % 10);
  while ((rest /= 10) != 0);
  if (number < 0) line[at++] = '-';
  while (count > 0) line[at++] = digits[--count];
  return at;
}

/* Logs before + number + after; the line is built on the stack. */
NOINLINE static void say(const char *before, int number, const char *after) {
  char line[80];
  int end = append(line, 0, before);
  end = append_number(line, end, number);
  host_log(line, append(line, end, after));
}

NOINLINE static void say_text(const char *text) { host_log(text, length_of(text)); }

/* corosensei's example "basic": five yields, 0 to 4, and a transcript. */
EXPORT(generate) void generate(int start) {
  say("[coroutine] coroutine started with input ", start, "");
  for (int i = 0; i < 5; i++) {
    say("[coroutine] yielding ", i, "");
    int input = host_suspend(i);
    say("[coroutine] got ", input, " from parent");
  }
  say_text("[coroutine] exiting coroutine");
}

/* corosensei's example "panic": yields 42, then the host throws "foobar" through it. */
EXPORT(panics) void panics(void) {
  say_text("[coroutine] yielding 42");
  host_suspend(42);
  say_text("[coroutine] panicking");
  static const char payload[] = "foobar";
  host_panic(payload, sizeof payload - 1);
}

/* corosensei's test "suspend_and_resume": two suspensions; the effect shows only at the end. */
static int finished;
EXPORT(twice) void twice(void) {
  finished = 0;
  host_suspend(0);
  host_suspend(0);
  finished = 1;
}
EXPORT(has_finished) int has_finished(void) { return finished; }

/* corosensei's test "suspend_and_resume_values": gets f64, yields i32, returns text.
   Inputs 2 and 3; yields 4; returns the address of "hello\0", or of "wrong input\0". */
EXPORT(values) const char *values(double first) {
  if (first != 2.0) return "wrong input";
  return host_suspend_mixed(4) == 3.0 ? "hello" : "wrong input";
}

/* corosensei's test "stateful": 128-byte aligned state stays aligned; yields 41 to 45, or -1.
   Over-aligned locals make LLVM mask the stack pointer and keep a base pointer. */
EXPORT(stateful) void stateful(void) {
  _Alignas(128) volatile int state[32];
  state[0] = 40;
  for (int i = 0; i < 5; i++) {
    state[0]++;
    host_suspend((__UINTPTR_TYPE__)state % 128 == 0 ? state[0] : -1);
  }
}

/* Yields each input again, doubled, until it is 0; returns how many it doubled. */
EXPORT(doubles_i64) int doubles_i64(long long first) {
  int count = 0;
  for (long long input = first; input != 0; count++) input = host_suspend_i64(2 * input);
  return count;
}
EXPORT(doubles_f64) int doubles_f64(double first) {
  int count = 0;
  for (double input = first; input != 0; count++) input = host_suspend_f64(2 * input);
  return count;
}

/* Recurses `depth` times, 32 live bytes at each level, and yields at the bottom. */
NOINLINE static int from_depth(int depth, int value) {
  volatile int marks[8];
  for (int i = 0; i < 8; i++) marks[i] = depth;
  int result = depth > 0 ? from_depth(depth - 1, value) : host_suspend(value);
  for (int i = 0; i < 8; i++)
    if (marks[i] != depth) return -1;
  return result;
}

/* Yields 0 to 4, each from 20 calls deep; returns the last input, or -1 if a frame was damaged. */
EXPORT(deep) int deep(void) {
  int input = 0;
  for (int i = 0; i < 5; i++) input = from_depth(20, i);
  return input;
}

/* Yields once from `depth` calls deep and returns the input. */
EXPORT(from) int from(int depth, int value) { return from_depth(depth, value); }

/* Never ends: from, from + 1, ... */
EXPORT(count) void count(int first) {
  for (int i = first;; i++) host_suspend(i);
}

/* Yields the running total of its inputs until one is 0, then returns the total. */
EXPORT(total) int total(int first) {
  int sum = 0;
  for (int input = first; input != 0;) {
    sum += input;
    input = host_suspend(sum);
  }
  return sum;
}

/* Returns without a yield. */
EXPORT(at_once) int at_once(int value) { return value; }
