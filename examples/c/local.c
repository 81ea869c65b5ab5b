/* A variable of which each task has its own; a global one is that of all. */
#include <stackful.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void forget(void *user) {
  printf("bye %s\n", (char *)user);
  free(user);
}

static stackful_local user = {.destructor = forget};
static const char *global;

static void *serve(void *argument) {
  stackful_local_set(&user, strdup(argument));
  global = argument;
  stackful_sleep_ms(10); /* the others log in */
  printf("%s is served, the last one was %s\n", (char *)stackful_local_get(&user), global);
  return NULL;
}

int main(void) {
  stackful_task ada = stackful_spawn(serve, "ada"), bob = stackful_spawn(serve, "bob");
  stackful_join(ada, NULL);
  stackful_join(bob, NULL);
  printf("main has none: %d\n", stackful_local_get(&user) == NULL);
  return 0;
}
/* Output:
ada is served, the last one was bob
bye ada
bob is served, the last one was bob
bye bob
main has none: 1
*/
