/* Three at a time. */
#include <stackful.h>
#include <stdio.h>

static stackful_semaphore places;
static int inside, most;

static void *visit(void *argument) {
  (void)argument;
  stackful_semaphore_acquire(places, 1);
  if (++inside > most) most = inside;
  stackful_sleep_ms(5);
  inside--;
  stackful_semaphore_release(places, 1);
  return NULL;
}

int main(void) {
  places = stackful_semaphore_new(3);
  stackful_task tasks[10];
  for (int i = 0; i < 10; i++) tasks[i] = stackful_spawn(visit, NULL);
  for (int i = 0; i < 10; i++) stackful_join(tasks[i], NULL);
  printf("at most %d of 10 at once\n", most);
  stackful_semaphore_acquire(places, 3);
  printf("full: %d\n", stackful_semaphore_acquire_for(places, 1, 10) == STACKFUL_ETIMEDOUT);
  return stackful_free(places);
}
/* Output:
at most 3 of 10 at once
full: 1
*/
