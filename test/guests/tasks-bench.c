/*
 * Messages, locks and tasks in loops, to be measured: what tasks of guests cost (bench/guest-tasks.ts).
 */
#include <stackful.h>
#include <string.h>

#include "host.h"

/* Sends `count` to 1 through the channel "numbers" of the host; elements have `bytes`. */
EXPORT(send) int send_all(int bytes, int count) {
  stackful_channel channel = stackful_channel_open("numbers", bytes);
  for (int i = count; i > 0; i--) {
    if (stackful_send(channel, &i) != 0) return -1;
  }
  return stackful_free(channel);
}

/* Their sum. */
EXPORT(receive) double receive_all(int bytes, int count) {
  stackful_channel channel = stackful_channel_open("numbers", bytes);
  double sum = 0;
  for (int i = 0; i < count; i++) {
    int value;
    if (stackful_receive(channel, &value) != 0) return -1;
    sum += value;
  }
  stackful_free(channel);
  return sum;
}

static stackful_channel inner;
static int to_send;

static void *produce(void *argument) {
  (void)argument;
  char element[256] = {0};
  for (int i = to_send; i > 0; i--) {
    memcpy(element, &i, sizeof i);
    stackful_send(inner, element);
  }
  return NULL;
}

/* The same between two tasks. */
EXPORT(pass) double pass(int capacity, int bytes, int count) {
  inner = stackful_channel_new(capacity, bytes);
  to_send = count;
  stackful_task producer = stackful_spawn(produce, NULL);
  double sum = 0;
  char element[256];
  for (int i = 0; i < count; i++) {
    int value;
    stackful_receive(inner, element);
    memcpy(&value, element, sizeof value);
    sum += value;
  }
  stackful_join(producer, NULL);
  stackful_free(inner);
  return sum;
}

EXPORT(lock) int lock(int count) {
  static stackful_mutex mutex;
  int locked = 0;
  for (int i = 0; i < count; i++) {
    locked += stackful_mutex_lock(&mutex) == 0;
    stackful_mutex_unlock(&mutex);
  }
  return locked;
}

static void *count_one(void *counter) {
  ++*(int *)counter;
  return NULL;
}

EXPORT(spawn) int spawn(int count) {
  int ended = 0;
  for (int i = 0; i < count; i++) stackful_join(stackful_spawn(count_one, &ended), NULL);
  return ended;
}
