/* Threads of the proposal wasi-threads for musl: in place of its pthread_create.c, which needs clone() and mmap(). */
#define _GNU_SOURCE
#include "libc.h"
#include "lock.h"
#include "pthread_impl.h"
#include "stdio_impl.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

/* One block of memory for each thread: stack (which grows down), thread-local storage, this. */
struct start {
  char *stack_top; /* the first word: start.s reads it */
  void *tls;
  void *(*entry)(void *);
  void *argument;
  int is_c11;
  struct pthread thread;
  void *values[PTHREAD_KEYS_MAX];
};

__attribute__((import_module("wasi"), import_name("thread-spawn"))) int __wasi_thread_spawn(struct start *start);
void __wasm_init_tls(void *memory);

/* Has the linker take start.s along. */
void wasi_thread_start(int id, struct start *start);
__attribute__((used)) static void (*const first_function)(int, struct start *) = wasi_thread_start;

static struct pthread main_thread = {
  .self = &main_thread,
  .next = &main_thread,
  .prev = &main_thread,
  .tid = 0x3ffffffe, /* larger than any that the host gives; 0x3fffffff means something else to musl */
  .detach_state = DT_JOINABLE,
  .locale = &libc.global_locale,
};
_Thread_local struct pthread *__wasi_thread_self = &main_thread;

volatile int __thread_list_lock;
volatile int __eintr_valid_flag;

void __acquire_ptc(void) {}
void __release_ptc(void) {}
void __inhibit_ptc(void) {}
void __block_app_sigs(void *set) {}
void __block_all_sigs(void *set) {}
void __restore_sigs(void *set) {}

static void no_destructors(void) {}
weak_alias(no_destructors, __pthread_tsd_run_dtors);
static void no_orphans(void) {}
weak_alias(no_orphans, __do_orphaned_stdio_locks);
static FILE *volatile no_file;
weak_alias(no_file, __stdin_used);
weak_alias(no_file, __stdout_used);
weak_alias(no_file, __stderr_used);

static int list_waiters;

void __tl_lock(void) {
  int tid = __pthread_self()->tid, holder;
  while ((holder = a_cas(&__thread_list_lock, 0, tid))) __wait(&__thread_list_lock, &list_waiters, holder, 0);
}

void __tl_unlock(void) {
  a_store(&__thread_list_lock, 0);
  if (list_waiters) __wake(&__thread_list_lock, 1, 0);
}

void __tl_sync(pthread_t thread) {
  __tl_lock();
  __tl_unlock();
}

__attribute__((constructor(1))) static void prepare_main_thread(void) {
  main_thread.robust_list.head = &main_thread.robust_list.head;
  libc.can_do_threads = 1;
}

static void use_file_lock(FILE *file) {
  if (file && file->lock < 0) file->lock = 0;
}

static void become_threaded(void) {
  for (FILE *file = *__ofl_lock(); file; file = file->next) use_file_lock(file);
  __ofl_unlock();
  use_file_lock(__stdin_used);
  use_file_lock(__stdout_used);
  use_file_lock(__stderr_used);
  if (!main_thread.tsd) main_thread.tsd = __pthread_tsd_main;
  libc.threaded = 1;
}

/* The block of a detached thread that has ended: its last function may still be on it, so that the next one frees it. */
static volatile int garbage;

static void free_later(void *block) {
  void *last = (void *)a_swap(&garbage, (int)block);
  free(last);
}

static void finish(struct pthread *self, void *result) {
  self->canceldisable = 1;
  self->result = result;
  while (self->cancelbuf) {
    struct __ptcb *handler = self->cancelbuf;
    self->cancelbuf = handler->__next;
    handler->__f(handler->__x);
  }
  __pthread_tsd_run_dtors();
  int state = a_cas(&self->detach_state, DT_JOINABLE, DT_EXITING);
  __vm_lock();
  volatile void *volatile *lock;
  while ((lock = self->robust_list.head) && lock != &self->robust_list.head) {
    pthread_mutex_t *mutex = (void *)((char *)lock - offsetof(pthread_mutex_t, _m_next));
    int waiters = mutex->_m_waiters;
    self->robust_list.head = *lock;
    if (a_swap(&mutex->_m_lock, 0x40000000) < 0 || waiters) __wake(&mutex->_m_lock, 1, 1);
  }
  __vm_unlock();
  __do_orphaned_stdio_locks();
  __tl_lock();
  if (!--libc.threads_minus_1) libc.need_locks = -1;
  self->next->prev = self->prev;
  self->prev->next = self->next;
  __tl_unlock();
  if (state == DT_DETACHED) {
    free_later(self->map_base);
    return;
  }
  a_store(&self->detach_state, DT_EXITED);
  __wake(&self->detach_state, 1, 1);
}

void __wasi_thread_main(int id, struct start *start) {
  __wasm_init_tls(start->tls);
  struct pthread *self = &start->thread;
  __wasi_thread_self = self;
  a_store(&self->tid, id);
  void *result;
  if (start->is_c11) result = (void *)(intptr_t)((int (*)(void *))start->entry)(start->argument);
  else result = start->entry(start->argument);
  finish(self, result);
}

void __do_cleanup_push(struct __ptcb *handler) {
  struct pthread *self = __pthread_self();
  handler->__next = self->cancelbuf;
  self->cancelbuf = handler;
}

void __do_cleanup_pop(struct __ptcb *handler) {
  __pthread_self()->cancelbuf = handler->__next;
}

#define ROUND(size) (((size) + 15) & ~15u)

int __pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, void *(*entry)(void *),
                     void *restrict argument) {
  int is_c11 = attributes == __ATTRP_C11_THREAD;
  pthread_attr_t own = {0};
  if (attributes && !is_c11) own = *attributes;
  else own._a_stacksize = __default_stacksize;
  if (!libc.threaded) become_threaded();
  size_t stack_bytes = ROUND(own._a_stacksize);
  size_t alignment = __builtin_wasm_tls_align() > 16 ? __builtin_wasm_tls_align() : 16;
  size_t tls_bytes = ROUND(__builtin_wasm_tls_size() + alignment);
  char *block = malloc(stack_bytes + tls_bytes + ROUND(sizeof(struct start)));
  if (!block) return EAGAIN;
  struct start *start = (void *)(block + stack_bytes + tls_bytes);
  memset(start, 0, sizeof *start);
  start->stack_top = block + stack_bytes;
  start->tls = (void *)(((uintptr_t)block + stack_bytes + alignment - 1) & -alignment);
  start->entry = entry;
  start->argument = argument;
  start->is_c11 = is_c11;
  struct pthread *self = __pthread_self(), *new = &start->thread;
  new->self = new;
  new->map_base = (unsigned char *)block;
  new->map_size = stack_bytes;
  new->stack = start->stack_top;
  new->stack_size = stack_bytes;
  new->tsd = start->values;
  new->locale = &libc.global_locale;
  new->detach_state = own._a_detach ? DT_DETACHED : DT_JOINABLE;
  new->robust_list.head = &new->robust_list.head;

  __tl_lock();
  if (!libc.threads_minus_1++) libc.need_locks = 1;
  new->next = self->next;
  new->prev = self;
  new->next->prev = new;
  new->prev->next = new;
  __tl_unlock();
  /* It may have ended, and been freed if it is detached, when this returns. */
  *thread = new;
  int id = __wasi_thread_spawn(start);
  if (id > 0) return 0;
  __tl_lock();
  if (!--libc.threads_minus_1) libc.need_locks = -1;
  new->next->prev = new->prev;
  new->prev->next = new->next;
  __tl_unlock();
  free(block);
  return EAGAIN;
}

static int timed_join(pthread_t thread, void **result, const struct timespec *limit) {
  int state, error = 0;
  while ((state = thread->detach_state) && error != ETIMEDOUT && error != EINVAL) {
    if (state >= DT_DETACHED) a_crash();
    error = __timedwait_cp(&thread->detach_state, state, CLOCK_REALTIME, limit, 1);
  }
  if (error == ETIMEDOUT || error == EINVAL) return error;
  if (result) *result = thread->result;
  free(thread->map_base);
  return 0;
}

int __pthread_join(pthread_t thread, void **result) { return timed_join(thread, result, 0); }

static int try_join(pthread_t thread, void **result) {
  return thread->detach_state == DT_JOINABLE ? EBUSY : __pthread_join(thread, result);
}

void thrd_yield(void) { sched_yield(); }

int thrd_sleep(const struct timespec *duration, struct timespec *left) { return nanosleep(duration, left); }

weak_alias(__pthread_create, pthread_create);
weak_alias(__pthread_join, pthread_join);
weak_alias(timed_join, pthread_timedjoin_np);
weak_alias(try_join, pthread_tryjoin_np);
