/*
 * A client without socket calls: opens /dev/tcp/HOST/PORT like a file. Sends its third argument, prints what comes until the end.
 *
 *   wasi-connect HOST PORT TEXT
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
  char path[512], bytes[4096];
  if (count < 4) return 2;
  snprintf(path, sizeof path, "/dev/tcp/%s/%s", arguments[1], arguments[2]);
  int connection = open(path, O_RDWR);
  if (connection < 0) {
    printf("%s: %s\n", path, strerror(errno));
    return 1;
  }
  if (write(connection, arguments[3], strlen(arguments[3])) < 0) return 1;
  ssize_t length;
  while ((length = read(connection, bytes, sizeof bytes)) > 0) fwrite(bytes, 1, length, stdout);
  close(connection);
  return length < 0 ? 1 : 0;
}
