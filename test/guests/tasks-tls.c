/*
 * Thread-local variables of tasks, compiled for threads: each task has its own.
 */
#include <stackful.h>

#include "host.h"

static _Thread_local int counter = 7;
static _Thread_local int untouched = 3;

/* Adds `argument` to its own counter, in steps between which others run. */
static void *add(void *argument) {
  for (intptr_t i = 0; i < (intptr_t)argument; i++) {
    counter++;
    stackful_yield();
  }
  return (void *)(intptr_t)(untouched == 3 ? counter : -1);
}

static void *wait_long(void *argument) {
  counter = 1000;
  stackful_sleep_ms(3600000);
  return argument;
}

/* 7 + a, 7 + b and 8, as decimal digits two by two. */
EXPORT(count_apart) int count_apart(int a, int b) {
  counter++;
  void *first, *second;
  stackful_task cancelled = stackful_spawn(wait_long, NULL);
  stackful_task one = stackful_spawn(add, (void *)(intptr_t)a), two = stackful_spawn(add, (void *)(intptr_t)b);
  stackful_join(one, &first);
  stackful_cancel(cancelled);
  stackful_join(two, &second);
  stackful_join(cancelled, NULL);
  int result = (int)(intptr_t)first * 10000 + (int)(intptr_t)second * 100 + counter;
  counter = 7;
  return result;
}

/* Waits for what nobody sends, and only a thread could. */
EXPORT(wait_for_thread) int wait_for_thread(void) {
  int value;
  return stackful_receive(stackful_channel_new(0, sizeof value), &value);
}
