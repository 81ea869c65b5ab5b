/* A channel of capacity 0 hands each element over: both sides have come then. An unbounded one never lets its sender wait. */
#include <stackful.h>
#include <stdio.h>

static stackful_channel ping, pong, log_;

static void *player(void *argument) {
  (void)argument;
  int ball;
  while (stackful_receive(ping, &ball) == 0) {
    stackful_send(log_, &ball);
    ball++;
    stackful_send(pong, &ball);
  }
  return NULL;
}

int main(void) {
  ping = stackful_channel_new(0, sizeof(int));
  pong = stackful_channel_new(0, sizeof(int));
  log_ = stackful_channel_new(STACKFUL_UNBOUNDED, sizeof(int));
  stackful_task task = stackful_spawn(player, NULL);
  int ball = 0;
  while (ball < 10000) {
    stackful_send(ping, &ball);
    stackful_receive(pong, &ball);
  }
  printf("the ball was hit %d times, %d are logged\n", ball, stackful_channel_length(log_));
  stackful_channel_close(ping);
  return stackful_join(task, NULL);
}
/* Output:
the ball was hit 10000 times, 10000 are logged
*/
