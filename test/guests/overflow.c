/*
 * Stacks that are too small.
 *
 * The recursive functions take how many levels to go (a negative number never ends) and what to
 * do at the bottom: with `id` 0 nothing, else wait once, with the whole stack live. They return
 * the number of levels that found their mark intact: levels + 1 when all is well.
 *
 * The canaries are bytes that no stack may touch: one array in static data and any number of
 * blocks on the heap. `canary_damage` counts the bytes that changed.
 */
#include "host.h"

#ifdef WITH_MALLOC
#include <stdlib.h>
#endif

HOST(wait) int host_wait(int id);

/* Makes the compiler keep the whole array, although only a part of it is used. */
static inline void keep(volatile void *memory) { __asm__ volatile("" : : "r"(memory)); }

/* 16 bytes a level: runs out slowly, leaves no gap on its way. */
NOINLINE static int small_level(int levels, int id) {
  volatile int mark[4];
  keep(mark);
  for (int i = 0; i < 4; i++) mark[i] = levels;
  int intact = 0;
  if (levels != 0) intact = small_level(levels - 1, id);
  else if (id != 0) host_wait(id);
  return intact + (mark[0] == levels && mark[3] == levels);
}

/* 4 KiB a level, of which only the lowest byte is written: steps over a narrow guard. */
NOINLINE static int jump_4k_level(int levels, int id) {
  volatile unsigned char block[4096];
  keep(block);
  block[0] = (unsigned char)levels;
  int intact = 0;
  if (levels != 0) intact = jump_4k_level(levels - 1, id);
  else if (id != 0) host_wait(id);
  return intact + (block[0] == (unsigned char)levels);
}

/* 64 KiB a level: steps over a whole stack of the default size. */
NOINLINE static int jump_64k_level(int levels, int id) {
  volatile unsigned char block[65536];
  keep(block);
  block[0] = (unsigned char)levels;
  int intact = 0;
  if (levels != 0) intact = jump_64k_level(levels - 1, id);
  else if (id != 0) host_wait(id);
  return intact + (block[0] == (unsigned char)levels);
}

EXPORT(small) int small(int levels, int id) { return small_level(levels, id); }
EXPORT(jump_4k) int jump_4k(int levels, int id) { return jump_4k_level(levels, id); }
EXPORT(jump_64k) int jump_64k(int levels, int id) { return jump_64k_level(levels, id); }

/* Takes `bytes` from the stack at once, writes the lowest one, waits if `id` is not 0.
   Returns `bytes`, or -1 if the byte was lost. */
EXPORT(take) int take(int bytes, int id) {
  volatile unsigned char *block = __builtin_alloca((unsigned)bytes);
  keep(block);
  block[0] = 0x7e;
  if (id != 0) host_wait(id);
  return block[0] == 0x7e ? bytes : -1;
}

enum { CANARY = 0xa5, STATIC_BYTES = 4096, BLOCKS = 64, PAGE = 65536 };
static volatile unsigned char static_canary[STATIC_BYTES];
static struct {
  volatile unsigned char *bytes;
  int length;
} blocks[BLOCKS];
static int block_count;

static void paint(volatile unsigned char *bytes, int length) {
  for (int i = 0; i < length; i++) bytes[i] = CANARY;
}

static int damage(volatile unsigned char *bytes, int length) {
  int changed = 0;
  for (int i = 0; i < length; i++) changed += bytes[i] != CANARY;
  return changed;
}

/* Paints the static canary and every block. Call it before the rest. Returns the address of the
   static one. */
EXPORT(canary_paint) int canary_paint(void) {
  paint(static_canary, STATIC_BYTES);
  for (int i = 0; i < block_count; i++) paint(blocks[i].bytes, blocks[i].length);
  return (int)static_canary;
}

/* Adds a painted block on the heap (malloc, or one more page of memory when there is none).
   Returns its address, 0 if there is no room. */
EXPORT(canary_add) int canary_add(int length) {
  if (block_count == BLOCKS) return 0;
#ifdef WITH_MALLOC
  volatile unsigned char *bytes = malloc((unsigned)length);
  if (bytes == 0) return 0;
#else
  int page = (int)__builtin_wasm_memory_grow(0, 1);
  if (page < 0 || length > PAGE) return 0;
  volatile unsigned char *bytes = (volatile unsigned char *)(page * PAGE);
#endif
  paint(bytes, length);
  blocks[block_count].bytes = bytes;
  blocks[block_count].length = length;
  block_count++;
  return (int)bytes;
}

/* How many canary bytes are no longer what was painted. */
EXPORT(canary_damage) int canary_damage(void) {
  int changed = damage(static_canary, STATIC_BYTES);
  for (int i = 0; i < block_count; i++) changed += damage(blocks[i].bytes, blocks[i].length);
  return changed;
}
