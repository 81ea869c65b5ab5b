/** clang and lld: one WASI command with 66 MB of code. */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import type { Load } from "./guest.ts";
import type { Observation } from "./observation.ts";
import { installed } from "./program.ts";
import type { Program } from "./program.ts";
import { WasiHost } from "./wasi.ts";

/** Headers and libraries, which the package brings in an archive. */
function unpackedResources(): string {
  const folder = installed(".stackful-llvm-resources");
  if (!existsSync(folder)) {
    mkdirSync(folder);
    execFileSync("tar", ["-xf", installed("@yowasp/clang/gen/llvm-resources.tar"), "-C", folder]);
  }
  return folder;
}

function run(args: readonly string[], files: Readonly<Record<string, string>>) {
  return async (load: Load): Promise<Observation> => {
    const host = new WasiHost({ args: ["llvm", ...args], files, folders: { "/usr": unpackedResources() } });
    return host.start(load(host.imports));
  };
}

const TARGET = ["--target=wasm32-wasip1", "--sysroot=/usr"];

const PROGRAM = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
struct node { struct node *left, *right; int key; };
static struct node *insert(struct node *at, int key) {
  if (!at) { at = calloc(1, sizeof *at); at->key = key; return at; }
  if (key < at->key) at->left = insert(at->left, key); else at->right = insert(at->right, key);
  return at;
}
static int depth(const struct node *at) {
  if (!at) return 0;
  int left = depth(at->left), right = depth(at->right);
  return 1 + (left > right ? left : right);
}
static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
int main(int argc, char **argv) {
  struct node *root = 0;
  for (int i = 0; i < 1000; i++) root = insert(root, i * 7919 % 1009);
  double sum = 0;
  for (int i = 1; i < 100; i++) sum += sqrt(i) * sin(i) / (i % 7 + 1);
  qsort(argv, argc, sizeof *argv, compare);
  switch (argc) { case 1: puts("one"); break; case 2: puts("two"); case 3: puts("three"); break; default: printf("%d", argc); }
  printf("%d %f\\n", depth(root), sum);
  return 0;
}
`;

const TEMPLATES = `
#include <algorithm>
#include <map>
#include <string>
#include <vector>
#include <functional>
template <int N> struct fib { static constexpr int value = fib<N - 1>::value + fib<N - 2>::value; };
template <> struct fib<0> { static constexpr int value = 0; };
template <> struct fib<1> { static constexpr int value = 1; };
int run(const std::vector<std::string> &words) {
  std::map<std::string, int> counts;
  for (auto &word : words) counts[word]++;
  std::vector<std::pair<int, std::string>> sorted;
  std::transform(counts.begin(), counts.end(), std::back_inserter(sorted), [](auto &p) { return std::make_pair(p.second, p.first); });
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  std::function<int(int)> deep = [&](int n) { return n == 0 ? fib<20>::value : deep(n - 1) + sorted.size(); };
  return deep(10);
}
`;

const BROKEN = `
#include <stdio.h>
int f(int x) { return y; }
int main( { undeclared(1); int unused = "text"; return f("x") }
#error stop
`;

const IR = `
define i32 @f(i32 %x) { %y = mul i32 %x, 3  %z = add i32 %y, 7  ret i32 %z }
`;

export const program: Program = {
  name: "clang",
  wasm: "@yowasp/clang/gen/llvm.core.wasm",
  cases: {
    version: run(["clang", "--version"], {}),
    "C to assembly": run(["clang", ...TARGET, "-O0", "-S", "/work/main.c", "-o", "/work/main.s"], {
      "main.c": PROGRAM,
    }),
    "C to an object": run(["clang", ...TARGET, "-O2", "-g", "-c", "/work/main.c", "-o", "/work/main.o"], {
      "main.c": PROGRAM,
    }),
    "C++ templates": run(
      ["clang++", ...TARGET, "-O1", "-fno-exceptions", "-c", "/work/main.cpp", "-o", "/work/main.o"],
      {
        "main.cpp": TEMPLATES,
      },
    ),
    errors: run(["clang", ...TARGET, "-Wall", "-c", "/work/main.c", "-o", "/work/main.o"], { "main.c": BROKEN }),
    "intermediate code": run(["clang", ...TARGET, "-O2", "-S", "-emit-llvm", "/work/main.ll", "-o", "/work/out.ll"], {
      "main.ll": IR,
    }),
  },
};
