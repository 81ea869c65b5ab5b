/*
 * Callbacks: the guest gives the host a function pointer, or gives libc one that asks the host.
 */
#include <stdlib.h>

#include "host.h"

typedef int (*callback)(int item, void *user_data);

HOST(wait) int host_wait(int id);
HOST(compare) int host_compare(int a, int b); /* < 0, 0 or > 0 */

/* The host calls the export `invoke(call, item, user_data)` for each item 1 to `items`; a result
   other than 0 ends the loop. Returns how many calls it made. */
HOST(for_each) int host_for_each(callback call, void *user_data, int items);

/* How the host calls a function pointer. (The table is exported too.) */
EXPORT(invoke) int invoke(callback call, int item, void *user_data) {
  return call(item, user_data);
}

struct sum {
  int total, calls;
};

static int add(int item, void *user_data) {
  struct sum *sum = user_data;
  sum->total += item;
  sum->calls++;
  return 0;
}

static int add_answer(int item, void *user_data) {
  int answer = host_wait(item);
  return add(answer, user_data);
}

static int stop_at_three(int item, void *user_data) {
  add(item, user_data);
  return item == 3;
}

NOINLINE static int run(callback call, int items) {
  struct sum sum = {0, 0}; /* on the stack of the activation that is suspended meanwhile */
  int made = host_for_each(call, &sum, items);
  return made == sum.calls ? sum.total : -1;
}

/* Sum of 1 to `items`; the callbacks do not wait. */
EXPORT(sum_items) int sum_items(int items) { return run(add, items); }

/* Sum of the host's answers; every callback waits. */
EXPORT(sum_answers) int sum_answers(int items) { return run(add_answer, items); }

/* 6: the third callback ends the loop. */
EXPORT(sum_three) int sum_three(void) { return run(stop_at_three, 10); }

static int by_host(const void *a, const void *b) {
  return host_compare(*(const int *)a, *(const int *)b);
}

/* libc's qsort with an order that only the host knows. Items are in memory from malloc. */
EXPORT(sort) void sort(int *items, int count) {
  qsort(items, (size_t)count, sizeof *items, by_host);
}

/* Sorts (0 to count - 1) * 7 % count, count at most 64, in an array on the stack. Returns the
   item at `index` afterwards. */
EXPORT(sorted) int sorted(int count, int index) {
  int items[64];
  if (count < 1 || count > 64 || index < 0 || index >= count) return -1;
  for (int i = 0; i < count; i++) items[i] = i * 7 % count;
  qsort(items, (size_t)count, sizeof *items, by_host);
  return items[index];
}
