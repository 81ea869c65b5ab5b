/* A server as one writes it first: one client at a time, and every call waits. It has its listening socket as descriptor 3. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LISTENER 3

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  int clients = argc > 1 ? atoi(argv[1]) : 1;
  for (int client = 1; client <= clients; client++) {
    int connection = accept(LISTENER, NULL, NULL);
    if (connection < 0) {
      perror("accept");
      return 1;
    }
    char name[64], answer[128];
    ssize_t length = read(connection, name, sizeof name - 1);
    if (length < 0) length = 0;
    name[length] = '\0';
    name[strcspn(name, "\r\n")] = '\0';

    struct timespec thought = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&thought, NULL);
    snprintf(answer, sizeof answer, "hello %s, you are client %d\n", name, client);
    write(connection, answer, strlen(answer));
    close(connection);
  }
  printf("server: %d client%s served\n", clients, clients == 1 ? "" : "s");
  return 0;
}
