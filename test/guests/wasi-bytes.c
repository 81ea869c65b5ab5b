/*
 * Moves bytes: for benchmarks of calls that need not wait.
 *
 *   wasi-bytes write COUNT LENGTH    so many calls of write() of that length, to standard output
 *   wasi-bytes read LENGTH           calls of read() of that length, until the end of standard input; prints how many bytes there were
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LENGTH = 1 << 20 };
static char bytes[MAX_LENGTH];

static int write_many(long count, size_t length) {
  memset(bytes, 'x', length - 1);
  bytes[length - 1] = '\n';
  for (long i = 0; i < count; i++) {
    for (size_t done = 0; done < length;) {
      ssize_t written = write(1, bytes + done, length - done);
      if (written < 0) return 1;
      done += written;
    }
  }
  return 0;
}

static int read_all(size_t length) {
  unsigned long long total = 0;
  ssize_t got;
  while ((got = read(0, bytes, length)) > 0) total += got;
  printf("%llu\n", total);
  return got < 0 ? 1 : 0;
}

int main(int count, char **arguments) {
  if (count < 3) return 2;
  if (strcmp(arguments[1], "read") == 0) return read_all(atol(arguments[2]));
  return count < 4 ? 2 : write_many(atol(arguments[2]), atol(arguments[3]));
}
