/* A library to preload: it counts what a process does to the files below some directories, and makes one of these
   operations fail, or all from it on, or kills the process instead. It sleeps until `arm` is called. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { READS = 1, TAKES_SPACE = 2 };

static char directories[8][PATH_MAX];
static int known, failure, is_sticky, journal;
static long at, count;
static pid_t armed;

/* Watch the directories, one a line: let the operation number `from` (none for 0) fail with `error`, or kill for 0, or
   interrupt for EINTR, and do it; tell all of them to the file `told`. */
void arm(const char *below, int error, int sticky, long from, int told) {
    const char *end;
    for (known = 0; *below && known < 8; below = *end ? end + 1 : end) {
        end = strchrnul(below, '\n');
        snprintf(directories[known++], PATH_MAX, "%.*s", (int)(end - below), below);
    }
    failure = error, is_sticky = sticky, at = from, journal = told, count = 0;
    armed = getpid();
}

static const char *past;

/* Set this process's clock back by an hour as soon as the file is there. */
void turn_back(const char *once) { past = strdup(once); }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int error = syscall(SYS_clock_gettime, clock, now) ? -1 : 0;
    if (!error && past && clock == CLOCK_REALTIME && !syscall(SYS_faccessat, AT_FDCWD, past, F_OK)) now->tv_sec -= 3600;
    return error;
}

static const char *held;

/* Let nobody remove the file. */
void hold(const char *file) { held = strdup(file); }

static int is_below(const char *path) {
    for (int i = 0; i < known; i++) {
        size_t length = strlen(directories[i]);
        if (!strncmp(path, directories[i], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

static void place_of(int descriptor, char *place) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, place, PATH_MAX - 1);
    place[length > 0 ? length : 0] = 0;
}

/* Tell whether this operation is to fail: then errno is set. Only those count that such a fault can come to: a disk that
   is full still reads and removes, and a death while reading is one before the next change. */
static int fails(const char *operation, int folder, const char *path, int kind) {
    char place[2 * PATH_MAX], line[2 * PATH_MAX + 64];
    if (!armed || getpid() != armed) return 0;
    if (path && path[0] == '/') snprintf(place, sizeof place, "%s", path);
    else if (folder == AT_FDCWD) { if (!getcwd(place, PATH_MAX)) return 0; }
    else place_of(folder, place);
    if (path && path[0] && path[0] != '/') { strcat(place, "/"); strncat(place, path, PATH_MAX - 1); }
    if (held && !strncmp(operation, "unlink", 6) && !strcmp(place, held)) return errno = EACCES, 1;
    if (!is_below(place)) return 0;
    int space = failure == ENOSPC || failure == EDQUOT;
    if (at > 0 && (space ? !(kind & TAKES_SPACE) : !failure && (kind & READS))) return 0;
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    int hit = at > 0 && (number == at || (is_sticky && number > at));
    snprintf(line, sizeof line, "%s%s %s\n", hit ? "!" : "", operation, place);
    syscall(SYS_write, journal, line, strlen(line));
    if (!hit) return 0;
    if (!failure) syscall(SYS_kill, armed, SIGKILL);
    if (failure == EINTR) return syscall(SYS_kill, armed, SIGINT), 0;
    errno = failure;
    return 1;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define NEW(flags) ((flags) & O_CREAT ? TAKES_SPACE : ((flags) & O_ACCMODE) == O_RDONLY ? READS : 0)
#define OPENED(flags) ((flags) & O_CREAT ? "create" : ((flags) & O_ACCMODE) == O_RDONLY ? "open" : "reopen")
#define MODE(flags) mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

#define OPEN(name) int name(const char *path, int flags, ...) { \
    MODE(flags) return fails(OPENED(flags), AT_FDCWD, path, NEW(flags)) ? -1 : REAL(name)(path, flags, mode); }
OPEN(open)
OPEN(open64)
#define OPENAT(name) int name(int folder, const char *path, int flags, ...) { \
    MODE(flags) return fails(OPENED(flags), folder, path, NEW(flags)) ? -1 : REAL(name)(folder, path, flags, mode); }
OPENAT(openat)
OPENAT(openat64)

#define ON_FILE(type, name, kind, parameters, ...) type name parameters { \
    return fails(#name, descriptor, NULL, kind) ? -1 : REAL(name)(__VA_ARGS__); }
ON_FILE(ssize_t, write, TAKES_SPACE, (int descriptor, const void *bytes, size_t size), descriptor, bytes, size)
ON_FILE(ssize_t, pwrite64, TAKES_SPACE, (int descriptor, const void *bytes, size_t size, off64_t to), descriptor, bytes, size, to)
ON_FILE(ssize_t, writev, TAKES_SPACE, (int descriptor, const struct iovec *parts, int size), descriptor, parts, size)
ON_FILE(int, fsync, TAKES_SPACE, (int descriptor), descriptor)
ON_FILE(int, fdatasync, TAKES_SPACE, (int descriptor), descriptor)
ON_FILE(int, ftruncate64, TAKES_SPACE, (int descriptor, off64_t size), descriptor, size)
ON_FILE(int, fchmod, 0, (int descriptor, mode_t mode), descriptor, mode)
ON_FILE(int, futimens, 0, (int descriptor, const struct timespec times[2]), descriptor, times)

ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *target, size_t size, unsigned flags) {
    return fails("write", to, NULL, TAKES_SPACE) ? -1 : REAL(copy_file_range)(from, start, to, target, size, flags);
}

int close(int descriptor) {  /* the descriptor is gone, whatever is said of its last bytes */
    int flags = armed == getpid() ? fcntl(descriptor, F_GETFL) : O_RDONLY;
    int failed = flags != -1 && (flags & O_ACCMODE) != O_RDONLY && fails("close", descriptor, NULL, TAKES_SPACE);
    int answer = REAL(close)(descriptor);
    return failed ? (errno = failure, -1) : answer;
}

#define ON_PATH(name, kind, parameters, ...) int name parameters { \
    return fails(#name, AT_FDCWD, path, kind) ? -1 : REAL(name)(__VA_ARGS__); }
ON_PATH(mkdir, TAKES_SPACE, (const char *path, mode_t mode), path, mode)
ON_PATH(rmdir, 0, (const char *path), path)
ON_PATH(unlink, 0, (const char *path), path)
ON_PATH(chmod, 0, (const char *path, mode_t mode), path, mode)
ON_PATH(symlink, TAKES_SPACE, (const char *origin, const char *path), origin, path)
ON_PATH(link, TAKES_SPACE, (const char *origin, const char *path), origin, path)
int rename(const char *origin, const char *path) {
    if (fails("rename", AT_FDCWD, path, TAKES_SPACE)) return -1;
    int answer = REAL(rename)(origin, path), error = errno;
    if (!answer && armed == getpid() && is_below(path)) dprintf(journal, "from %s\n", origin);
    return errno = error, answer;
}

#define BELOW(name, kind, parameters, ...) int name parameters { \
    return fails(#name, folder, path, kind) ? -1 : REAL(name)(__VA_ARGS__); }
BELOW(mkdirat, TAKES_SPACE, (int folder, const char *path, mode_t mode), folder, path, mode)
BELOW(unlinkat, 0, (int folder, const char *path, int flags), folder, path, flags)
BELOW(fchmodat, 0, (int folder, const char *path, mode_t mode, int flags), folder, path, mode, flags)
BELOW(symlinkat, TAKES_SPACE, (const char *origin, int folder, const char *path), origin, folder, path)
BELOW(linkat, TAKES_SPACE, (int from, const char *origin, int folder, const char *path, int flags), from, origin, folder, path, flags)
BELOW(renameat, TAKES_SPACE, (int from, const char *origin, int folder, const char *path), from, origin, folder, path)
BELOW(utimensat, 0, (int folder, const char *path, const struct timespec times[2], int flags), folder, path, times, flags)

DIR *opendir(const char *path) {
    return fails("opendir", AT_FDCWD, path, READS) ? NULL : REAL(opendir)(path);
}
