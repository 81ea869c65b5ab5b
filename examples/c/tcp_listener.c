/* A server with one task per connection, all of them blocking: stackful run --listen 127.0.0.1:9781 tcp_listener.wasm */
#include <stackful.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENER = 3 };

static void *greet(void *argument) {
  int connection = (int)(intptr_t)argument;
  char name[64];
  /* Whoever says nothing keeps only this task waiting. */
  ssize_t length = read(connection, name, sizeof name);
  if (length > 0) write(connection, "Hello world\n", 12);
  close(connection);
  return NULL;
}

static void *start(void *argument) {
  (void)argument;
  for (;;) {
    int connection = accept(LISTENER, NULL, NULL);
    if (connection < 0) break;
    stackful_detach(stackful_spawn(greet, (void *)(intptr_t)connection));
  }
  perror("accept");
  return NULL;
}

int main(void) { return stackful_join(stackful_spawn(start, NULL), NULL); }
