/* Readers have the lock together, a writer alone. First come, first served: readers that come later wait for the writer. */
#include <stackful.h>
#include <stdio.h>

static stackful_rwlock lock;
static int value, readers, most;

static void *reader(void *argument) {
  stackful_rwlock_read(&lock);
  if (++readers > most) most = readers;
  stackful_sleep_ms(10);
  readers--;
  printf("reader %s: %d\n", (char *)argument, value);
  stackful_rwlock_unlock(&lock);
  return NULL;
}

static void *writer(void *argument) {
  stackful_rwlock_write(&lock);
  printf("writer %s, %d readers\n", (char *)argument, readers);
  value++;
  stackful_rwlock_unlock(&lock);
  return NULL;
}

int main(void) {
  stackful_task tasks[] = {stackful_spawn(reader, "a"), stackful_spawn(reader, "b"), stackful_spawn(writer, "w"),
                           stackful_spawn(reader, "c")};
  for (int i = 0; i < 4; i++) stackful_join(tasks[i], NULL);
  printf("at most %d at once\n", most);
  return stackful_rwlock_destroy(&lock);
}
/* Output:
reader a: 0
reader b: 0
writer w, 0 readers
reader c: 1
at most 2 at once
*/
