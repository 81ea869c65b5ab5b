/* Two tasks that each want what the other one has: both are told, and the program fails. */
#include <stackful.h>
#include <stdio.h>

static stackful_mutex a, b;

static void *take_a_then_b(void *argument) {
  (void)argument;
  stackful_mutex_lock(&a);
  stackful_sleep_ms(5);
  stackful_mutex_lock(&b);
  return NULL;
}

static void *take_b_then_a(void *argument) {
  (void)argument;
  stackful_mutex_lock(&b);
  stackful_sleep_ms(5);
  stackful_mutex_lock(&a);
  return NULL;
}

int main(void) {
  stackful_task first = stackful_spawn_named("first", take_a_then_b, NULL);
  stackful_task second = stackful_spawn_named("second", take_b_then_a, NULL);
  stackful_join(first, NULL);
  stackful_join(second, NULL);
  puts("never printed");
  return 0;
}
