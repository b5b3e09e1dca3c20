/* Preloaded: every flush to the disk takes DELAY_MS longer, and with DELAY_WRITES every write too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_for(const char *asked) {
  const char *text = getenv("DELAY_MS");
  if (text && (!asked || getenv(asked))) usleep(1000 * atoi(text));
}

int fsync(int file) {
  wait_for(NULL);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
  wait_for(NULL);
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

ssize_t pwrite(int file, const void *from, size_t size, off_t at) {
  wait_for("DELAY_WRITES");
  return ((ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite"))(file, from, size, at);
}

ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) {
  wait_for("DELAY_WRITES");
  return ((ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(file, from, size, at);
}
