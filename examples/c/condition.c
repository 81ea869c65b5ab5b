/* Waiting until others have changed something, and say so. */
#include <stackful.h>
#include <stdio.h>

static stackful_mutex mutex;
static stackful_condition changed;
static int queue[4], length;

static void *consumer(void *argument) {
  stackful_mutex_lock(&mutex);
  while (length == 0) stackful_condition_wait(&changed, &mutex);
  printf("consumer %s takes %d\n", (char *)argument, queue[--length]);
  stackful_mutex_unlock(&mutex);
  return NULL;
}

int main(void) {
  stackful_task a = stackful_spawn(consumer, "a"), b = stackful_spawn(consumer, "b");
  stackful_yield();
  for (int i = 1; i <= 2; i++) {
    stackful_mutex_lock(&mutex);
    queue[length++] = i;
    stackful_condition_signal(&changed);
    stackful_mutex_unlock(&mutex);
    stackful_sleep_ms(5);
  }
  stackful_join(a, NULL);
  stackful_join(b, NULL);
  stackful_mutex_lock(&mutex);
  int status = stackful_condition_wait_for(&changed, &mutex, 10);
  printf("nobody: %d, still locked: %d\n", status == STACKFUL_ETIMEDOUT, stackful_mutex_unlock(&mutex) == 0);
  return 0;
}
/* Output:
consumer a takes 1
consumer b takes 2
nobody: 1, still locked: 1
*/
