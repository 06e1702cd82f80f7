/* Preloaded into a command (LD_PRELOAD): counts its file operations below $STOP_UNDER, notes each in $STOP_LOG, and at
 * number $STOP_AT sends the process $STOP_SIGNAL: before the operation, within it (half of a write is done), or after
 * it. A kill thus falls between any two operations, whichever library makes them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *under, *how;
static int notes = -1, sig;
static long at, count;
static pid_t self;

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("STOP_LOG");
    unsetenv("LD_PRELOAD"); /* not for its children */
    if (!file || !(under = getenv("STOP_UNDER"))) return;
    at = atol(getenv("STOP_AT"));
    sig = atoi(getenv("STOP_SIGNAL"));
    how = getenv("STOP_HOW");
    self = getpid();
    notes = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* Returns the full name of a path in a folder, or of an open file (no path). */
static const char *full(int dir, const char *path, char *out) {
    char link[64] = "/proc/self/cwd";
    if (path[0] == '/') return path;
    if (dir != AT_FDCWD) snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
    ssize_t n = syscall(SYS_readlink, link, out, PATH_MAX);
    n = n < 0 ? 0 : n;
    snprintf(out + n, 2 * PATH_MAX - n, path[0] ? "/%s" : "%s", path);
    return out;
}

/* Returns whether this is the operation to stop at. */
static int reached(const char *what, int dir, const char *path) {
    char held[2 * PATH_MAX], line[2 * PATH_MAX + 64];
    struct timespec now;
    if (notes < 0 || !path) return 0;
    const char *name = full(dir, path, held);
    if (strncmp(name, under, strlen(under)) || getpid() != self) return 0;
    long n = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int length = snprintf(line, sizeof line, "%ld.%09ld %s %s\n", (long)now.tv_sec, now.tv_nsec, what, name);
    syscall(SYS_write, notes, line, (size_t)length);
    return n == at;
}

/* The name for large files, where that is a function of its own. */
#define SAME(name, of) extern __typeof(of) name __attribute__((alias(#of)))

static void stop(void) { kill(self, sig); }

#define AROUND(what, dir, path, call)                                               \
    int now = reached(what, dir, path), after = *how == 'a';                        \
    if (now && !after) stop();                                                      \
    long result = call;                                                             \
    if (now && after) stop();                                                       \
    return result

#define OPEN()                                                                      \
    va_list list;                                                                   \
    va_start(list, flags);                                                          \
    int mode = flags & O_CREAT ? va_arg(list, int) : 0;                             \
    va_end(list);                                                                   \
    if (notes < 0 || !(flags & (O_WRONLY | O_RDWR | O_CREAT)))                      \
        return syscall(SYS_openat, dir, path, flags, mode);                         \
    AROUND(flags & O_TRUNC ? "truncate" : "open", dir, path, syscall(SYS_openat, dir, path, flags, mode))

int openat(int dir, const char *path, int flags, ...) { OPEN(); }
int open(const char *path, int flags, ...) { const int dir = AT_FDCWD; OPEN(); }
SAME(open64, open);
SAME(openat64, openat);

#define WRITE(whole, half)                                                          \
    if (notes < 0) return whole;                                                    \
    int now = reached("write", fd, ""), within = now && *how == 'w';                \
    if (within) half;                                                               \
    if (now && *how != 'a') stop();                                                 \
    long result = whole;                                                            \
    if (now && *how == 'a') stop();                                                 \
    return result

ssize_t write(int fd, const void *b, size_t n) {
    WRITE(syscall(SYS_write, fd, b, n), syscall(SYS_write, fd, b, n / 2));
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) {
    WRITE(syscall(SYS_pwrite64, fd, b, n, o), syscall(SYS_pwrite64, fd, b, n / 2, o));
}
SAME(pwrite64, pwrite);
ssize_t writev(int fd, const struct iovec *v, int n) {
    WRITE(syscall(SYS_writev, fd, v, n), syscall(SYS_write, fd, v->iov_base, v->iov_len / 2));
}
ssize_t copy_file_range(int in, off_t *i, int fd, off_t *o, size_t n, unsigned flags) {
    WRITE(syscall(SYS_copy_file_range, in, i, fd, o, n, flags), syscall(SYS_copy_file_range, in, i, fd, o, n / 2, flags));
}
ssize_t sendfile(int fd, int in, off_t *o, size_t n) {
    WRITE(syscall(SYS_sendfile, fd, in, o, n), syscall(SYS_sendfile, fd, in, o, n / 2));
}
SAME(sendfile64, sendfile);

int fsync(int fd) { AROUND("sync", fd, "", syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { AROUND("sync", fd, "", syscall(SYS_fdatasync, fd)); }
int ftruncate(int fd, off_t n) { AROUND("truncate", fd, "", syscall(SYS_ftruncate, fd, n)); }
SAME(ftruncate64, ftruncate);
int truncate(const char *p, off_t n) { AROUND("truncate", AT_FDCWD, p, syscall(SYS_truncate, p, n)); }
SAME(truncate64, truncate);
int mkdir(const char *p, mode_t m) { AROUND("mkdir", AT_FDCWD, p, syscall(SYS_mkdirat, AT_FDCWD, p, m)); }
int mkdirat(int d, const char *p, mode_t m) { AROUND("mkdir", d, p, syscall(SYS_mkdirat, d, p, m)); }
int rmdir(const char *p) { AROUND("rmdir", AT_FDCWD, p, syscall(SYS_unlinkat, AT_FDCWD, p, AT_REMOVEDIR)); }
int unlink(const char *p) { AROUND("unlink", AT_FDCWD, p, syscall(SYS_unlinkat, AT_FDCWD, p, 0)); }
int unlinkat(int d, const char *p, int f) { AROUND(f ? "rmdir" : "unlink", d, p, syscall(SYS_unlinkat, d, p, f)); }
int rename(const char *p, const char *q) {
    AROUND("rename", AT_FDCWD, q, syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, q, 0));
}
int renameat(int d, const char *p, int e, const char *q) { AROUND("rename", e, q, syscall(SYS_renameat2, d, p, e, q, 0)); }
int renameat2(int d, const char *p, int e, const char *q, unsigned f) {
    AROUND("rename", e, q, syscall(SYS_renameat2, d, p, e, q, f));
}
