/* The first of several channel operations: the others have not happened. */
#include <stackful.h>
#include <stdio.h>

static stackful_channel jobs, stop;

static void *send(void *argument) {
  (void)argument;
  for (int job = 1; job <= 3; job++) {
    stackful_sleep_ms(20);
    stackful_send(jobs, &job);
  }
  stackful_sleep_ms(100);
  stackful_channel_close(stop);
  return NULL;
}

int main(void) {
  jobs = stackful_channel_new(0, sizeof(int));
  stop = stackful_channel_new(0, sizeof(int));
  stackful_detach(stackful_spawn(send, NULL));
  int job, nothing;
  stackful_case cases[] = {{.channel = jobs, .receive = &job}, {.channel = stop, .receive = &nothing}};
  for (;;) {
    int first = stackful_select(cases, 2, 60);
    if (first == STACKFUL_ETIMEDOUT) puts("nothing for 60 ms");
    if (first == 0) printf("job %d\n", job);
    if (first == 1) break;
  }
  puts(cases[1].status == STACKFUL_EPIPE ? "stopped" : "?");
  return 0;
}
/* Output:
job 1
job 2
job 3
nothing for 60 ms
stopped
*/
