/* A task is ended from outside where it waits: in a sleep, in a call of WASI, for a lock, anywhere. */
#include <stackful.h>
#include <stdio.h>
#include <unistd.h>

static stackful_mutex mutex;

static void *work(void *argument) {
  (void)argument;
  char name[16];
  stackful_name(stackful_self(), name, sizeof name);
  stackful_mutex_lock(&mutex);
  printf("%s begins\n", name);
  sleep(3600);
  puts("never printed");
  return NULL;
}

int main(void) {
  stackful_task task = stackful_spawn_named("worker", work, NULL);
  stackful_sleep_ms(10);
  stackful_cancel(task);
  if (stackful_join(task, NULL) == STACKFUL_ECANCELED) puts("it was cancelled");
  /* Its locks do not outlive it. */
  if (stackful_mutex_try_lock(&mutex) == 0) puts("the mutex is free");
  return 0;
}
/* Output:
worker begins
it was cancelled
the mutex is free
*/
