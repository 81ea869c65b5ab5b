__attribute__((import_module("host"), import_name("sleep"))) void host_sleep(int milliseconds);

__attribute__((export_name("run"))) int run(int id) {
  volatile int squares[4];
  for (int i = 0; i < 4; i++) {
    squares[i] = (id + i) * (id + i);
    host_sleep(25);
  }
  return squares[0];
}
