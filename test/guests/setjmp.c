/*
 * setjmp and longjmp, which LLVM turns into WebAssembly exceptions (tag __c_longjmp), with
 * suspensions before, between and after. A host exception is not a longjmp: it must pass.
 */
#include <setjmp.h>

#include "host.h"

HOST(wait) int host_wait(int id);

/* Waits with 8 live words at each level, then jumps out of `depth` + 1 frames. */
NOINLINE static int jump_from(jmp_buf *target, int depth, int id) {
  volatile int words[8];
  for (int i = 0; i < 8; i++) words[i] = depth;
  if (depth > 0) return jump_from(target, depth - 1, id) + words[0];
  longjmp(*target, host_wait(id));
}

/* Jumps out of `depth` + 1 frames with the host's answer, waits again where it lands.
   Returns 1000 * (first answer) + (second answer); -1 if the frame was damaged. */
EXPORT(escape) int escape(int id, int depth) {
  jmp_buf target;
  volatile int words[16];
  for (int i = 0; i < 16; i++) words[i] = id;
  int value = setjmp(target);
  if (value == 0) return jump_from(&target, depth, id);
  int again = host_wait(id);
  for (int i = 0; i < 16; i++)
    if (words[i] != id) return -1;
  return 1000 * value + again;
}

/* Sets a jump target and returns the host's answer without a jump. */
EXPORT(no_jump) int no_jump(int id) {
  jmp_buf target;
  if (setjmp(target) != 0) return -1;
  return host_wait(id);
}

/* Jumps back `times` times, a wait before each; returns how often it landed. */
EXPORT(retry) int retry(int id, int times) {
  jmp_buf target;
  volatile int landed = 0;
  if (setjmp(target) != 0) landed++;
  if (landed < times) jump_from(&target, 0, id);
  return landed;
}
