/* A thousand tasks change a value in two steps, between which others run: one after the other. */
#include <stackful.h>
#include <stdio.h>

static stackful_mutex mutex; /* zeros: ready for use */
static int total;

static void *add(void *argument) {
  (void)argument;
  stackful_mutex_lock(&mutex);
  int before = total;
  stackful_yield();
  total = before + 1;
  stackful_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  static stackful_task tasks[1000];
  for (int i = 0; i < 1000; i++) tasks[i] = stackful_spawn(add, NULL);
  for (int i = 0; i < 1000; i++) stackful_join(tasks[i], NULL);
  printf("total: %d\n", total);

  stackful_mutex_lock(&mutex);
  printf("taken: %d\n", stackful_mutex_try_lock(&mutex) == STACKFUL_EAGAIN);
  printf("after 10 ms: %d\n", stackful_mutex_lock_for(&mutex, 10) == STACKFUL_ETIMEDOUT);
  printf("in use: %d\n", stackful_mutex_destroy(&mutex) == STACKFUL_EBUSY);
  stackful_mutex_unlock(&mutex);
  printf("not mine: %d\n", stackful_mutex_unlock(&mutex) == STACKFUL_EPERM);
  return stackful_mutex_destroy(&mutex);
}
/* Output:
total: 1000
taken: 1
after 10 ms: 1
in use: 1
not mine: 1
*/
