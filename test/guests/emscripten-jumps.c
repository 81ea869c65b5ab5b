/*
 * setjmp.c as Emscripten builds it, and jumps over more than one function: what may jump is called through imports `env.invoke_*`. The
 * guest's side of that is in emscripten-runtime.c.
 */
#include "setjmp.c"

HOST(call_back) double host_call_back(int id);

static jmp_buf outer;

/* Jumps to where a function further out waits for it, over whatever lies between. */
EXPORT(jump_out) void jump_out(int value) { longjmp(outer, value); }

/* The host calls jump_out(). Returns what it was given, or the negative answer of a host that did not call it. */
EXPORT(jump_over_host) int jump_over_host(int id) {
  volatile int words[8];
  for (int i = 0; i < 8; i++) words[i] = id;
  int value = setjmp(outer);
  if (value == 0) return -(int)host_call_back(id);
  return words[7] == id ? value : -1;
}

NOINLINE static int landed_between(jmp_buf *target, int id) {
  jmp_buf own;
  volatile int landed = 0;
  int value = setjmp(own);
  if (value == 0) return jump_from(target, 2, id);
  landed++;
  return landed;
}

/* Jumps past a function that has a place to land in itself. */
EXPORT(jump_past) int jump_past(int id) {
  jmp_buf target;
  int value = setjmp(target);
  if (value == 0) return -landed_between(&target, id);
  return value + host_wait(id);
}
