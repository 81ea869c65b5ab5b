// What C programs do with files, through wasi-libc: check_*() return 0, or the line of the first thing that was not as POSIX has it;
// the others are for benchmarks. `/` and `/read-only` are preopened.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT(name) __attribute__((export_name(#name))) int name

#define CHECK(condition) \
  if (!(condition)) return __LINE__
#define FAILS(call, code) CHECK((errno = 0, (call) == -1) && errno == (code))

static int make(const char *path, const char *content) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (fd < 0) return -1;
  ssize_t length = (ssize_t)strlen(content);
  return write(fd, content, length) == length ? close(fd) : -1;
}

EXPORT(check_stdio)(void) {
  FILE *file = fopen("/text", "w+");
  CHECK(file != NULL);
  CHECK(fprintf(file, "line %d\n", 1) == 7);
  for (int i = 0; i < 2000; i++) CHECK(fputs("0123456789", file) >= 0);
  CHECK(ftell(file) == 20007);
  CHECK(fseek(file, 3, SEEK_SET) == 0);
  char word[16];
  CHECK(fscanf(file, "%*s %15s", word) == 1 && strcmp(word, "1") == 0);
  CHECK(fseek(file, -10, SEEK_END) == 0);
  CHECK(fread(word, 1, 16, file) == 10 && feof(file));
  CHECK(fclose(file) == 0);

  CHECK((file = fopen("/text", "a")) != NULL);
  CHECK(fputs("end", file) >= 0 && fclose(file) == 0);
  struct stat found;
  CHECK(stat("/text", &found) == 0 && found.st_size == 20010 && S_ISREG(found.st_mode));
  CHECK((file = fopen("/text", "r+")) != NULL);
  CHECK(fputs("LINE", file) >= 0 && fclose(file) == 0);
  CHECK((file = fopen("/text", "r")) != NULL);
  CHECK(fgets(word, 16, file) != NULL && strcmp(word, "LINE 1\n") == 0);
  CHECK(fputs("x", file) < 0 || fflush(file) != 0);
  fclose(file);
  CHECK(fopen("/text", "wx") == NULL && errno == EEXIST);
  CHECK(fopen("/missing", "r") == NULL && errno == ENOENT);
  CHECK(fopen("/text/", "r") == NULL && errno == ENOTDIR);
  CHECK(remove("/text") == 0);
  FAILS(stat("/text", &found), ENOENT);
  return 0;
}

EXPORT(check_descriptors)(void) {
  int fd = open("/file", O_RDWR | O_CREAT | O_TRUNC, 0666);
  CHECK(fd > 2);
  struct iovec parts[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
  CHECK(writev(fd, parts, 3) == 7);
  CHECK(lseek(fd, 0, SEEK_CUR) == 7);
  CHECK(pwrite(fd, "X", 1, 1) == 1 && lseek(fd, 0, SEEK_CUR) == 7);
  char buffer[16];
  CHECK(pread(fd, buffer, 16, 0) == 7 && memcmp(buffer, "aXcdefg", 7) == 0);
  FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK(lseek(fd, 100, SEEK_SET) == 100 && read(fd, buffer, 1) == 0);
  CHECK(ftruncate(fd, 3) == 0 && pread(fd, buffer, 16, 0) == 3);
  CHECK(posix_fallocate(fd, 0, 10) == 0);
  struct stat found;
  CHECK(fstat(fd, &found) == 0 && found.st_size == 10 && found.st_nlink == 1);
  CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND) != 0);
  CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "end", 3) == 3 && lseek(fd, 0, SEEK_CUR) == 13);
  CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
  CHECK(close(fd) == 0);
  FAILS(close(fd), EBADF);
  FAILS(read(fd, buffer, 1), EBADF);

  CHECK((fd = open("/file", O_RDONLY)) > 2);
  FAILS(write(fd, "x", 1), EBADF);
  FAILS(ftruncate(fd, 0), ENOTCAPABLE);
  CHECK(close(fd) == 0);
  CHECK((fd = open("/file", O_WRONLY)) > 2);
  FAILS(read(fd, buffer, 1), EBADF);
  CHECK(close(fd) == 0 && unlink("/file") == 0);
  FAILS(open("/file/x", O_RDONLY), ENOENT);
  FAILS(open("/", O_RDWR), EISDIR);
  CHECK(isatty(open("/", O_RDONLY)) == 0 && errno == ENOTTY);
  return 0;
}

EXPORT(check_directories)(void) {
  CHECK(mkdir("/folder", 0777) == 0);
  FAILS(mkdir("/folder", 0777), EEXIST);
  char name[32];
  for (int i = 0; i < 300; i++) {
    snprintf(name, sizeof name, "/folder/a-name-%d", i);
    CHECK(make(name, name) == 0);
  }
  FAILS(rmdir("/folder"), ENOTEMPTY);
  FAILS(unlink("/folder"), EISDIR);
  // Removing what was read does not disturb the reading.
  DIR *folder = opendir("/folder");
  CHECK(folder != NULL);
  int files = 0, dots = 0;
  struct dirent *entry;
  while ((errno = 0, entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] == '.') {
      dots++;
      continue;
    }
    struct stat found;
    CHECK(fstatat(dirfd(folder), entry->d_name, &found, 0) == 0 && found.st_ino == entry->d_ino);
    CHECK(entry->d_type == DT_REG);
    CHECK(unlinkat(dirfd(folder), entry->d_name, 0) == 0);
    files++;
  }
  CHECK(errno == 0 && files == 300 && dots == 2);
  rewinddir(folder);
  for (files = 0; readdir(folder) != NULL;) files++;
  CHECK(files == 2 && closedir(folder) == 0);
  CHECK(rmdir("/folder/") == 0);
  CHECK(opendir("/folder") == NULL && errno == ENOENT);
  FAILS(rmdir("/folder"), ENOENT);
  return 0;
}

EXPORT(check_names)(void) {
  CHECK(mkdir("/a", 0777) == 0 && make("/a/file", "abc") == 0);
  CHECK(symlink("file", "/a/link") == 0);
  char target[16];
  CHECK(readlink("/a/link", target, sizeof target) == 4 && memcmp(target, "file", 4) == 0);
  struct stat found, other;
  CHECK(lstat("/a/link", &found) == 0 && S_ISLNK(found.st_mode));
  CHECK(stat("/a/link", &found) == 0 && S_ISREG(found.st_mode));
  CHECK(link("/a/file", "/second") == 0 && stat("/second", &other) == 0);
  CHECK(found.st_ino == other.st_ino && other.st_nlink == 2);
  FAILS(link("/a/file", "/second"), EEXIST);
  CHECK(rename("/second", "/a/third") == 0 && access("/second", F_OK) == -1 && errno == ENOENT);
  FAILS(rename("/a", "/a/b"), EINVAL);
  CHECK(rename("/a", "/b") == 0 && access("/b/third", R_OK | W_OK) == 0);

  struct timespec times[2] = {{.tv_sec = 1000000000, .tv_nsec = 123456789}, {.tv_nsec = UTIME_OMIT}};
  CHECK(stat("/b/file", &other) == 0 && utimensat(AT_FDCWD, "/b/file", times, 0) == 0);
  CHECK(stat("/b/file", &found) == 0 && found.st_atim.tv_nsec == 123456789 && found.st_atim.tv_sec == 1000000000);
  CHECK(found.st_mtim.tv_nsec == other.st_mtim.tv_nsec && found.st_mtim.tv_sec == other.st_mtim.tv_sec);

  CHECK(symlink("/etc", "/out") == -1);
  CHECK(symlink("../../etc", "/out") == 0 && stat("/out/passwd", &found) == -1 && unlink("/out") == 0);
  CHECK(unlink("/b/file") == 0 && unlink("/b/link") == 0 && unlink("/b/third") == 0 && rmdir("/b") == 0);
  return 0;
}

EXPORT(check_read_only)(void) {
  FILE *file = fopen("/read-only/file", "r");
  char text[16];
  CHECK(file != NULL && fgets(text, 16, file) != NULL && strcmp(text, "fixed") == 0 && fclose(file) == 0);
  FAILS(open("/read-only/file", O_RDWR), EROFS);
  FAILS(open("/read-only/file", O_WRONLY | O_TRUNC), EROFS);
  FAILS(open("/read-only/new", O_WRONLY | O_CREAT, 0666), EROFS);
  int fd = open("/read-only/file", O_RDONLY | O_CREAT, 0666);
  CHECK(fd > 2 && close(fd) == 0);
  FAILS(mkdir("/read-only/new", 0777), EROFS);
  FAILS(unlink("/read-only/file"), EROFS);
  FAILS(rename("/read-only/file", "/stolen"), EROFS);
  return 0;
}

// -- Benchmarks: each does all its work in one call.

static char block[1 << 20];

/** Writes so many megabytes to /large. @returns megabytes */
EXPORT(write_large)(int megabytes) {
  int fd = open("/large", O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd < 0) return -1;
  int written = 0;
  while (written < megabytes && write(fd, block, sizeof block) == sizeof block) written++;
  return close(fd) == 0 ? written : -1;
}

/** Reads all of /large. @returns megabytes */
EXPORT(read_large)(void) {
  int fd = open("/large", O_RDONLY);
  if (fd < 0) return -1;
  long long bytes = 0;
  for (ssize_t part; (part = read(fd, block, sizeof block)) > 0;) bytes += part;
  return close(fd) == 0 ? (int)(bytes >> 20) : -1;
}

/** Writes 32 bytes so many times. @returns how often it could */
EXPORT(write_small)(int count) {
  int fd = open("/small", O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (fd < 0) return -1;
  int written = 0;
  while (written < count && write(fd, block, 32) == 32) written++;
  return close(fd) == 0 ? written : -1;
}

/** Reads 32 bytes so many times from where they are always the same. */
EXPORT(read_small)(int count) {
  int fd = open("/small", O_RDONLY);
  if (fd < 0) return -1;
  int done = 0;
  while (done < count && pread(fd, block, 32, 0) == 32) done++;
  return close(fd) == 0 ? done : -1;
}

/** Opens and closes a file so many times, three directories deep if `is_deep`. */
EXPORT(open_files)(int count, int is_deep) {
  mkdir("/1", 0777);
  mkdir("/1/2", 0777);
  mkdir("/1/2/3", 0777);
  const char *path = is_deep ? "/1/2/3/file" : "/file";
  int opened = 0;
  while (opened < count) {
    int fd = open(path, O_RDONLY | O_CREAT, 0666);
    if (fd < 0 || close(fd) != 0) return -1;
    opened++;
  }
  return opened;
}

EXPORT(stat_files)(int count) {
  struct stat found;
  int done = 0;
  while (done < count && stat("/file", &found) == 0) done++;
  return done;
}

/** Reads a directory of so many files. @returns how many there were */
EXPORT(list_files)(int count) {
  char name[64];
  if (mkdir("/list", 0777) == 0) {
    for (int i = 0; i < count; i++) {
      snprintf(name, sizeof name, "/list/a-rather-ordinary-name-%d", i);
      if (make(name, "") != 0) return -1;
    }
  }
  DIR *folder = opendir("/list");
  if (folder == NULL) return -1;
  int files = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) files += entry->d_name[0] != '.';
  closedir(folder);
  return files;
}
