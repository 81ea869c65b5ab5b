/* Runs a script with print(...), sleep(milliseconds) and readLine(). Nothing here knows that it does not block. */
#include "quickjs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static JSValue js_print(JSContext *context, JSValueConst self, int count, JSValueConst *arguments) {
  for (int i = 0; i < count; i++) {
    const char *text = JS_ToCString(context, arguments[i]);
    if (!text) return JS_EXCEPTION;
    printf(i > 0 ? " %s" : "%s", text);
    JS_FreeCString(context, text);
  }
  putchar('\n');
  fflush(stdout);
  return JS_UNDEFINED;
}

static JSValue js_sleep(JSContext *context, JSValueConst self, int count, JSValueConst *arguments) {
  int64_t milliseconds;
  if (JS_ToInt64(context, &milliseconds, arguments[0])) return JS_EXCEPTION;
  struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  nanosleep(&time, NULL);
  return JS_UNDEFINED;
}

static JSValue js_read_line(JSContext *context, JSValueConst self, int count, JSValueConst *arguments) {
  char line[1024];
  if (!fgets(line, sizeof line, stdin)) return JS_NULL;
  return JS_NewStringLen(context, line, strcspn(line, "\n"));
}

static void define(JSContext *context, JSValue global, const char *name, JSCFunction *function, int parameters) {
  JS_SetPropertyStr(context, global, name, JS_NewCFunction(context, function, name, parameters));
}

static char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  *length = ftell(file);
  rewind(file);
  char *text = calloc(*length + 1, 1);
  if (fread(text, 1, *length, file) != *length) exit(2);
  fclose(file);
  return text;
}

int main(int count, char **arguments) {
  size_t length;
  char *text = read_file(arguments[1], &length);
  JSContext *context = JS_NewContext(JS_NewRuntime());
  JSValue global = JS_GetGlobalObject(context);
  define(context, global, "print", js_print, 1);
  define(context, global, "sleep", js_sleep, 1);
  define(context, global, "readLine", js_read_line, 0);
  if (!JS_IsException(JS_Eval(context, text, length, arguments[1], 0))) return 0;
  fprintf(stderr, "%s\n", JS_ToCString(context, JS_GetException(context)));
  return 1;
}
