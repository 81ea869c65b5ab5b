/* A channel that the host offers: whoever else has it, JavaScript or another program, is at its other end. */
#include <stackful.h>
#include <stdio.h>

int main(void) {
  stackful_channel numbers = stackful_channel_open("numbers", sizeof(int));
  if (numbers == STACKFUL_ENOENT) {
    fputs("the host offers no channel of this name\n", stderr);
    return 1;
  }
  int number, sum = 0;
  while (stackful_receive(numbers, &number) == 0) {
    printf("received %d\n", number);
    sum += number;
  }
  printf("closed, the sum is %d\n", sum);
  return 0;
}
