/*
 * Servers that know nothing of events, on the listening socket that is open as descriptor 3 or as the second argument says.
 *
 *   wasi-server echo       sends back what it is sent, one connection at a time
 *   wasi-server http       answers requests, one connection at a time, for as long as it is kept alive
 *   wasi-server poll       answers requests of many connections, with poll()
 *
 * A request for /stop ends the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4096, MAX_CONNECTIONS = 64 };

static const char RESPONSE[] =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain\r\n"
    "Content-Length: 14\r\n"
    "\r\n"
    "Hello, world!\n";

static int send_all(int socket, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(socket, bytes, length, 0);
    if (sent < 0) return -1;
    bytes += sent;
    length -= sent;
  }
  return 0;
}

static int echo(int listener) {
  for (;;) {
    char bytes[BUFFER_BYTES];
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return errno == EINVAL ? 0 : 1;
    ssize_t length;
    while ((length = recv(connection, bytes, sizeof bytes, 0)) > 0) {
      if (send_all(connection, bytes, length) != 0) break;
    }
    shutdown(connection, SHUT_RDWR);
    close(connection);
  }
}

/* What has come of a request, and not been answered yet. */
struct connection {
  int socket;
  size_t length;
  char request[BUFFER_BYTES];
};

static int stopping;

/* Answers all requests that are whole. Returns -1 when the connection is to be closed. */
static int answer(struct connection *connection) {
  for (;;) {
    connection->request[connection->length] = 0;
    char *end = strstr(connection->request, "\r\n\r\n");
    if (end == NULL) return connection->length < BUFFER_BYTES - 1 ? 0 : -1;
    if (strncmp(connection->request, "GET /stop", 9) == 0) stopping = 1;
    if (send_all(connection->socket, RESPONSE, sizeof RESPONSE - 1) != 0) return -1;
    size_t used = end + 4 - connection->request;
    connection->length -= used;
    memmove(connection->request, end + 4, connection->length);
    if (stopping) return -1;
  }
}

/* Reads more. Returns -1 when the connection is to be closed. */
static int receive(struct connection *connection) {
  size_t room = BUFFER_BYTES - 1 - connection->length;
  ssize_t length = recv(connection->socket, connection->request + connection->length, room, 0);
  if (length <= 0) return -1;
  connection->length += length;
  return answer(connection);
}

static int http(int listener) {
  while (!stopping) {
    struct connection connection = {.length = 0};
    connection.socket = accept(listener, NULL, NULL);
    if (connection.socket < 0) return errno == EINVAL ? 0 : 1;
    while (receive(&connection) == 0) continue;
    close(connection.socket);
  }
  return 0;
}

static int http_with_poll(int listener) {
  static struct connection connections[MAX_CONNECTIONS];
  int count = 0;
  while (!stopping) {
    struct pollfd polled[MAX_CONNECTIONS + 1] = {{.fd = listener, .events = POLLIN}};
    for (int i = 0; i < count; i++) {
      polled[i + 1].fd = connections[i].socket;
      polled[i + 1].events = POLLIN;
    }
    if (poll(polled, count + 1, -1) < 0) return 1;
    for (int i = count - 1; i >= 0; i--) {
      if (polled[i + 1].revents == 0 || receive(&connections[i]) == 0) continue;
      close(connections[i].socket);
      connections[i] = connections[--count];
    }
    if ((polled[0].revents & POLLIN) != 0 && count < MAX_CONNECTIONS) {
      connections[count].socket = accept(listener, NULL, NULL);
      connections[count].length = 0;
      if (connections[count].socket < 0) return errno == EINVAL ? 0 : 1;
      count++;
    }
  }
  return 0;
}

int main(int argument_count, char **arguments) {
  if (argument_count < 2) return 2;
  int listener = argument_count < 3 ? 3 : atoi(arguments[2]);
  if (strcmp(arguments[1], "echo") == 0) return echo(listener);
  if (strcmp(arguments[1], "http") == 0) return http(listener);
  return http_with_poll(listener);
}

/* One of many in the same program: serves until the listener is closed. */
__attribute__((export_name("serve"))) int serve(int listener) { return http(listener); }
