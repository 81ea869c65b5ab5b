/*
 * A plug-in as a user would write it: blocking style, no word about suspension.
 * Strings are UTF-8 and end with 0; the host allocates and frees them with malloc and free.
 */
#include <stdlib.h>
#include <string.h>

#include "host.h"

/* Fetches a URL; writes at most `capacity` bytes and returns how many, negative on failure. */
HOST(fetch) int host_fetch(const char *url, int url_length, char *out, int capacity);

enum { PART = 512 };

static int get(const char *path, const char *name, char *out) {
  char url[PART];
  size_t length = strlen(path), name_length = strlen(name);
  if (length + name_length > sizeof url) return -1;
  memcpy(url, path, length);
  memcpy(url + length, name, name_length);
  return host_fetch(url, (int)(length + name_length), out, PART);
}

/* Fetches /greeting/<name> and /weather/<name>; returns "<greeting> <weather>" in memory from
   malloc (the caller frees it), or 0 if a fetch failed. */
EXPORT(report) char *report(const char *name) {
  char greeting[PART], weather[PART];
  int greeting_length = get("/greeting/", name, greeting);
  int weather_length = get("/weather/", name, weather);
  if (greeting_length < 0 || weather_length < 0) return 0;

  char *text = malloc((size_t)greeting_length + 1 + (size_t)weather_length + 1);
  if (text == 0) return 0;
  memcpy(text, greeting, (size_t)greeting_length);
  text[greeting_length] = ' ';
  memcpy(text + greeting_length + 1, weather, (size_t)weather_length);
  text[greeting_length + 1 + weather_length] = 0;
  return text;
}
