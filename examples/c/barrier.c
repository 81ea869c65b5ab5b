/* Nobody begins the second round before all have ended the first. */
#include <stackful.h>
#include <stdio.h>

static stackful_barrier barrier;

static void *work(void *argument) {
  int number = (int)(intptr_t)argument;
  for (int round = 1; round <= 2; round++) {
    stackful_sleep_ms(number * 20);
    printf("%d has done round %d\n", number, round);
    if (stackful_barrier_wait(barrier) == 1) printf("all have done round %d\n", round);
  }
  return NULL;
}

int main(void) {
  barrier = stackful_barrier_new(3);
  stackful_task tasks[3];
  for (intptr_t i = 0; i < 3; i++) tasks[i] = stackful_spawn(work, (void *)i);
  for (int i = 0; i < 3; i++) stackful_join(tasks[i], NULL);
  return stackful_free(barrier);
}
/* Output:
0 has done round 1
1 has done round 1
2 has done round 1
all have done round 1
0 has done round 2
1 has done round 2
2 has done round 2
all have done round 2
*/
