/* Sleeps as many milliseconds as it is told, in four parts, and looks at the clock whether that is what has passed. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int main(int argc, char **argv) {
  long milliseconds = argc > 1 ? atol(argv[1]) : 1000;
  long part = milliseconds / 4;
  long long started = now_ms();
  for (int count = 0; count < 4; count++) {
    struct timespec nap = {.tv_sec = part / 1000, .tv_nsec = part % 1000 * 1000000};
    nanosleep(&nap, NULL);
  }
  long long slept = now_ms() - started;
  if (slept < part * 4) {
    printf("copy %s slept %lld ms only\n", getenv("STACKFUL_COPY"), slept);
    return 1;
  }
  return 0;
}
