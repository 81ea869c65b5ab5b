/* A bounded channel: the sender waits when it is full, the receiver when it is empty. */
#include <stackful.h>
#include <stdio.h>

struct message {
  int number;
  char text[12];
};

static void *produce(void *argument) {
  stackful_channel channel = *(stackful_channel *)argument;
  for (int i = 1; i <= 4; i++) {
    struct message message = {.number = i};
    snprintf(message.text, sizeof message.text, "message %d", i);
    stackful_send(channel, &message); /* copied: this one may change */
    printf("sent %d\n", i);
  }
  stackful_channel_close(channel);
  return NULL;
}

int main(void) {
  stackful_channel channel = stackful_channel_new(2, sizeof(struct message));
  stackful_task producer = stackful_spawn(produce, &channel);
  stackful_sleep_ms(10);
  printf("%d are kept\n", stackful_channel_length(channel));
  struct message message;
  while (stackful_receive(channel, &message) == 0) printf("received %s\n", message.text);
  puts("closed");
  return stackful_join(producer, NULL);
}
/* Output:
sent 1
sent 2
2 are kept
received message 1
received message 2
received message 3
sent 3
sent 4
received message 4
closed
*/
