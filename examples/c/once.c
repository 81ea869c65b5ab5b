/* The first one who comes prepares what all need; the others wait until it has. */
#include <stackful.h>
#include <stdio.h>
#include <unistd.h>

static stackful_once_flag prepared;
static int value;

static void prepare(void) {
  puts("preparing");
  usleep(10 * 1000);
  value = 42;
}

static void *use(void *argument) {
  stackful_once(&prepared, prepare);
  printf("%s: %d\n", (char *)argument, value);
  return NULL;
}

int main(void) {
  stackful_task a = stackful_spawn(use, "a"), b = stackful_spawn(use, "b");
  stackful_join(a, NULL);
  stackful_join(b, NULL);
  return 0;
}
/* Output:
preparing
a: 42
b: 42
*/
