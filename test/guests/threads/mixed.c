// Tasks of stackful.h and a POSIX thread in one program, who want one mutex. A task that has it waits for something else than memory.
#include <pthread.h>
#include <stackful.h>
#include <stdio.h>
#include <unistd.h>

enum { ROUNDS = 10 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;
static _Thread_local long own = 5;

static void *add(void *unused) {
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&mutex);
    long before = total;
    usleep(1000);
    total = before + 1;
    own++;
    pthread_mutex_unlock(&mutex);
  }
  return (void *)own;
}

int main(void) {
  stackful_task tasks[2];
  pthread_t thread;
  void *results[3];
  for (int i = 0; i < 2; i++) tasks[i] = stackful_spawn(add, NULL);
  pthread_create(&thread, NULL, add, NULL);
  for (int i = 0; i < 2; i++) stackful_join(tasks[i], &results[i]);
  pthread_join(thread, &results[2]);
  printf("total %ld, own %ld %ld %ld %ld\n", total, own, (long)results[0], (long)results[1], (long)results[2]);
}
