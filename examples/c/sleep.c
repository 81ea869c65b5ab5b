/* Five tasks that sleep at the same time: all calls of the C library that wait do so for their task only. */
#include <stackful.h>
#include <stdio.h>
#include <unistd.h>

static void *sleep_task(void *argument) {
  (void)argument;
  puts("sleep_task enter");
  usleep(500 * 1000);
  puts("sleep_task exit");
  return NULL;
}

int main(void) {
  for (int i = 0; i < 5; i++) stackful_detach(stackful_spawn(sleep_task, NULL));
  sleep(1);
  puts("main exit");
  return 0;
}
/* Output:
sleep_task enter
sleep_task enter
sleep_task enter
sleep_task enter
sleep_task enter
sleep_task exit
sleep_task exit
sleep_task exit
sleep_task exit
sleep_task exit
main exit
*/
