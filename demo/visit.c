/* A program as one writes it in C: it waits for its input, for time, for files and for a server, one after the other. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int count_lines(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  int lines = 0;
  for (int c; (c = fgetc(file)) != EOF;)
    if (c == '\n') lines++;
  fclose(file);
  return lines;
}

/* Sends a line, and reads one. */
static int ask(const char *address, const char *question, char *answer, size_t size) {
  char path[128];
  snprintf(path, sizeof path, "/dev/tcp/%s", address);
  int server = open(path, O_RDWR);
  if (server < 0) return -1;
  write(server, question, strlen(question));
  ssize_t length = read(server, answer, size - 1);
  close(server);
  if (length < 0) return -1;
  answer[length] = '\0';
  return 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc != 3) {
    fprintf(stderr, "usage: visit FILE HOST/PORT\n");
    return 2;
  }
  char name[64];
  printf("visit: what is your name?\n");
  if (fgets(name, sizeof name, stdin) == NULL) return 1;
  name[strcspn(name, "\n")] = '\0';

  printf("visit: good morning, %s; I sleep for 300 ms\n", name);
  struct timespec nap = {.tv_nsec = 300 * 1000 * 1000};
  nanosleep(&nap, NULL);

  int lines = count_lines(argv[1]);
  if (lines < 0) {
    perror(argv[1]);
    return 1;
  }
  printf("visit: %s has %d lines; I ask the server\n", argv[1], lines);

  char question[96], answer[128];
  snprintf(question, sizeof question, "%s\n", name);
  if (ask(argv[2], question, answer, sizeof answer) != 0) {
    perror(argv[2]);
    return 1;
  }
  printf("visit: it says: %s", answer);
  return 0;
}
