/* Preloaded into the processes under test: fails, or ends the process, at the n-th system call that changes a folder.

   arm(folder, code, number, lasting): code 0 = SIGKILL; -1 = only count; else the errno that the call fails with.
   ENOSPC strikes only calls that may need room. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char folder[4096];
static long number, seen;
static int code = -1, lasting;

void arm(const char *where, int what, long which, int stays) {
    strncpy(folder, where, sizeof folder - 1);
    code = what, number = which, lasting = stays, seen = 0;
}

long calls_seen(void) { return seen; }

static int struck(const char *path, int needs_room) {
    if (!folder[0] || strncmp(path, folder, strlen(folder)) != 0) return 0;
    if (code == ENOSPC && !needs_room) return 0;
    seen++;
    if (code < 0 || !(seen == number || (lasting && seen > number))) return 0;
    if (code == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = code;
    return 1;
}

static int struck_at(int file, int needs_room) {
    char link[64], path[4096];
    if (!folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return struck(path, needs_room);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int f, const void *data, size_t size) { return struck_at(f, 1) ? -1 : REAL(write)(f, data, size); }
ssize_t pwrite(int f, const void *d, size_t n, off_t at) { return struck_at(f, 1) ? -1 : REAL(pwrite)(f, d, n, at); }
ssize_t pwrite64(int f, const void *d, size_t n, off64_t at) {
    return struck_at(f, 1) ? -1 : REAL(pwrite64)(f, d, n, at);
}
int ftruncate(int f, off_t size) { return struck_at(f, size > 0) ? -1 : REAL(ftruncate)(f, size); }
int ftruncate64(int f, off64_t size) { return struck_at(f, size > 0) ? -1 : REAL(ftruncate64)(f, size); }
int fsync(int f) { return struck_at(f, 0) ? -1 : REAL(fsync)(f); }
int fdatasync(int f) { return struck_at(f, 0) ? -1 : REAL(fdatasync)(f); }
int rename(const char *from, const char *to) { return struck(to, 1) ? -1 : REAL(rename)(from, to); }
int unlink(const char *path) { return struck(path, 0) ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return struck(path, 1) ? -1 : REAL(mkdir)(path, mode); }
