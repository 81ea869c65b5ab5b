/* The thread control block lies outside of the thread's own storage, which has a pointer to it. */
extern _Thread_local struct __pthread *__wasi_thread_self;

static inline uintptr_t __get_tp(void) { return (uintptr_t)__wasi_thread_self; }

#define TP_ADJ(p) (p)
#define tls_mod_off_t unsigned long long
