/* Tasks are functions with stacks of their own; whoever joins one waits for its result. */
#include <stackful.h>
#include <stdio.h>

static void *square(void *argument) {
  intptr_t number = (intptr_t)argument;
  stackful_yield(); /* the others have their turn */
  return (void *)(number * number);
}

int main(void) {
  stackful_task tasks[5];
  for (intptr_t i = 0; i < 5; i++) tasks[i] = stackful_spawn(square, (void *)i);
  intptr_t sum = 0;
  for (int i = 0; i < 5; i++) {
    void *result;
    if (stackful_join(tasks[i], &result) != 0) return 1;
    sum += (intptr_t)result;
  }
  printf("sum of squares: %ld\n", (long)sum);
  printf("joined twice: %s\n", stackful_join(tasks[0], NULL) == STACKFUL_ESRCH ? "no such task" : "?");
  return 0;
}
/* Output:
sum of squares: 30
joined twice: no such task
*/
