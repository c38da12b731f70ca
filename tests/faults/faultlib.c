/* Stands between a process and the files below one folder: counts what changes them, makes it fail, stops or kills
   the process at it, and writes down everything that was done.

   Not by names of library functions, which C++ streams, Rust and the C library itself go around, but at the border
   to the system: a seccomp filter turns each call that can change a file into a signal, whose handler makes the
   call in its place, or does not. The filter lets through what comes from one instruction, real_call. Loaded into
   the process by faultlib.py; faults_begin cannot be undone and ends with the process. Linux on x86-64.

   Where it is preloaded, it can also set the clock of the process forward or back. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>

#if !defined(__linux__) || !defined(__x86_64__)
#error "only for Linux on x86-64"
#endif

/* -- calls that the filter lets through ------------------------------------------------------------------------ */

long real_call(long number, long a, long b, long c, long d, long e, long f);
extern const char real_call_done[];
__asm__(".text\n"
        ".type real_call, @function\n"
        ".globl real_call\n"
        "real_call:\n"
        "  movq %rdi, %rax\n  movq %rsi, %rdi\n  movq %rdx, %rsi\n  movq %rcx, %rdx\n"
        "  movq %r8, %r10\n  movq %r9, %r8\n  movq 8(%rsp), %r9\n"
        "  syscall\n"
        ".globl real_call_done\n"
        "real_call_done:\n"
        "  ret\n");

#define CALL(number, ...) CALL_(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(number, a, b, c, d, e, f, ...) \
    real_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* -- orders ----------------------------------------------------------------------------------------------------- */

/* Kinds of calls and actions: the same numbers stand in faultlib.py. */
enum { CREATE = 1, WRITE = 2, SYNC = 4, RENAME = 8, UNLINK = 16, LINK = 32, MKDIR = 64, TRUNCATE = 128, OPEN = 256,
       MAPPED = 512, MARK = 1024 };
enum { LOG_ONLY, KILL_BEFORE, KILL_AFTER, KILL_TORN, STOP, FAIL, SHORT };

static char root[PATH_MAX];
static size_t root_length;
static int log_file = -1;
static int action, failure;
static unsigned kinds;
static long first, last;
static volatile long counted;
static volatile int locked;

struct record {
    uint32_t kind, path_length, other_length, data_length;
    int64_t result;
    uint64_t file;
    int64_t offset;
};

static void lock(void) {
    while (__sync_lock_test_and_set(&locked, 1)) CALL(SYS_sched_yield, 0);
}

static void unlock(void) { __sync_lock_release(&locked); }

static void write_all(const void *bytes, size_t length) {
    while (length) {
        long written = CALL(SYS_write, log_file, bytes, length);
        if (written <= 0) return;
        bytes = (const char *)bytes + written;
        length -= (size_t)written;
    }
}

static void tell(struct record record, const char *path, const char *other, const struct iovec *data, int parts) {
    if (log_file < 0) return;
    record.path_length = (uint32_t)strlen(path);
    record.other_length = (uint32_t)strlen(other);
    write_all(&record, sizeof record);
    write_all(path, record.path_length);
    write_all(other, record.other_length);
    size_t left = record.data_length;
    for (int i = 0; i < parts && left; i++) {
        size_t length = data[i].iov_len < left ? data[i].iov_len : left;
        write_all(data[i].iov_base, length);
        left -= length;
    }
}

/* -- what a call is about --------------------------------------------------------------------------------------- */

struct call {
    long number, arguments[6];
    unsigned kind;
    int descriptor;             /* of an open file, or -1 */
    int of_path;                /* whether `path` names what the call is about; else it is `descriptor` */
    long offset;                /* where a write begins; -1 where the file stands */
    char path[PATH_MAX], other[PATH_MAX];
    struct iovec one, *data;
    int parts;
};

static int below_root(const char *path) {
    return !strncmp(path, root, root_length) && (path[root_length] == '/' || !path[root_length]);
}

static void path_of_descriptor(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    long length = CALL(SYS_readlink, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

static void absolute(int folder, const char *name, char *path) {
    size_t length = 0;
    if (name[0] != '/') {
        if (folder == AT_FDCWD) {
            if (CALL(SYS_getcwd, path, PATH_MAX) <= 0) path[0] = 0;
        } else {
            path_of_descriptor(folder, path);
        }
        length = strlen(path);
        if (length < PATH_MAX - 1) path[length++] = '/';
    }
    size_t room = PATH_MAX - 1 - length, size = strlen(name) < room ? strlen(name) : room;
    memcpy(path + length, name, size);
    path[length + size] = 0;
}

static void about_path(struct call *call, unsigned kind, long folder, long name) {
    call->kind = kind;
    call->of_path = 1;
    absolute((int)folder, (const char *)name, call->path);
}

static void about_two(struct call *call, unsigned kind, long folder, long name, long other_folder, long other) {
    about_path(call, kind, folder, name);
    absolute((int)other_folder, (const char *)other, call->other);
}

static void about_descriptor(struct call *call, unsigned kind, long descriptor) {
    call->kind = kind;
    call->descriptor = (int)descriptor;
    path_of_descriptor((int)descriptor, call->path);
}

static void about_bytes(struct call *call, long bytes, long length, long offset) {
    about_descriptor(call, WRITE, call->arguments[0]);
    call->one = (struct iovec){(void *)bytes, (size_t)length};
    call->data = &call->one;
    call->parts = 1;
    call->offset = offset;
}

static void about_parts(struct call *call, long data, long parts, long offset) {
    about_descriptor(call, WRITE, call->arguments[0]);
    call->data = (struct iovec *)data;
    call->parts = (int)parts;
    call->offset = offset;
}

static void about_open(struct call *call, long folder, long name, long flags) {
    about_path(call, OPEN, folder, name);
    struct stat before;
    int exists = CALL(SYS_stat, call->path, &before) == 0;
    if (exists ? (flags & O_TRUNC) && before.st_size > 0 : flags & O_CREAT) call->kind = exists ? TRUNCATE : CREATE;
    call->offset = 0;
}

/* Fills in what the call is about; its kind is 0 where that is nothing of ours. */
static void understand(struct call *call) {
    const long *a = call->arguments;
    switch (call->number) {
    case SYS_open: about_open(call, AT_FDCWD, a[0], a[1]); break;
    case SYS_creat: about_open(call, AT_FDCWD, a[0], O_CREAT | O_TRUNC | O_WRONLY); break;
    case SYS_openat: about_open(call, a[0], a[1], a[2]); break;
    case SYS_write: about_bytes(call, a[1], a[2], -1); break;
    case SYS_pwrite64: about_bytes(call, a[1], a[2], a[3]); break;
    case SYS_writev: about_parts(call, a[1], a[2], -1); break;
    case SYS_pwritev: about_parts(call, a[1], a[2], a[3]); break;
    case SYS_fsync: case SYS_fdatasync: about_descriptor(call, SYNC, a[0]); break;
    case SYS_rename: about_two(call, RENAME, AT_FDCWD, a[0], AT_FDCWD, a[1]); break;
    case SYS_renameat: case SYS_renameat2: about_two(call, RENAME, a[0], a[1], a[2], a[3]); break;
    case SYS_link: about_two(call, LINK, AT_FDCWD, a[0], AT_FDCWD, a[1]); break;
    case SYS_linkat: about_two(call, LINK, a[0], a[1], a[2], a[3]); break;
    case SYS_unlink: case SYS_rmdir: about_path(call, UNLINK, AT_FDCWD, a[0]); break;
    case SYS_unlinkat: about_path(call, UNLINK, a[0], a[1]); break;
    case SYS_mkdir: about_path(call, MKDIR, AT_FDCWD, a[0]); break;
    case SYS_mkdirat: about_path(call, MKDIR, a[0], a[1]); break;
    case SYS_truncate: about_path(call, TRUNCATE, AT_FDCWD, a[0]); call->offset = a[1]; break;
    case SYS_ftruncate: about_descriptor(call, TRUNCATE, a[0]); call->offset = a[1]; break;
    case SYS_mmap: about_descriptor(call, MAPPED, a[4]); break;
    /* Whoever is told that there is no such call writes in another way. */
    case SYS_sendfile: case SYS_copy_file_range: case SYS_fallocate: case SYS_pwritev2: case SYS_io_uring_setup:
        call->kind = 0; break;
    }
    if (call->kind && !below_root(call->path) && !(call->other[0] && below_root(call->other))) call->kind = 0;
}

static long performed(const struct call *call) {
    const long *a = call->arguments;
    return real_call(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static int is_refused(const struct call *call) {
    switch (call->number) {
    case SYS_fallocate: case SYS_copy_file_range: case SYS_sendfile: case SYS_pwritev2: case SYS_io_uring_setup:
        return 1;
    }
    return 0;
}

static size_t length_of(const struct call *call) {
    size_t length = 0;
    for (int i = 0; i < call->parts; i++) length += call->data[i].iov_len;
    return length;
}

static long write_half(const struct call *call) {
    size_t half = call->data[0].iov_len / 2;
    if (call->offset >= 0) return CALL(SYS_pwrite64, call->descriptor, call->data[0].iov_base, half, call->offset);
    return CALL(SYS_write, call->descriptor, call->data[0].iov_base, half);
}

/* Does the call and writes it down. */
static long recorded(const struct call *call, int only_half) {
    struct record record = {.kind = call->kind, .offset = call->offset};
    struct stat state = {0};
    if (call->kind == WRITE && call->offset < 0) {
        long flags = CALL(SYS_fcntl, call->descriptor, F_GETFL);
        if (flags & O_APPEND && CALL(SYS_fstat, call->descriptor, &state) == 0) record.offset = state.st_size;
        else record.offset = CALL(SYS_lseek, call->descriptor, 0, SEEK_CUR);
    }
    if (call->kind == RENAME || call->kind == LINK) CALL(SYS_lstat, call->path, &state);
    long result = only_half ? write_half(call) : performed(call);
    record.result = result;
    if (call->kind == CREATE || call->kind == OPEN || (call->kind == TRUNCATE && call->of_path))
        CALL(SYS_stat, call->path, &state);
    else if (!call->of_path)
        CALL(SYS_fstat, call->descriptor, &state);
    record.file = state.st_ino;
    if (call->kind == WRITE) record.data_length = result > 0 ? (uint32_t)result : 0;
    if (call->kind != OPEN) tell(record, call->path, call->other, call->data, call->parts);
    return result;
}

static long refused(const struct call *call, long error) {
    struct record record = {.kind = call->kind, .offset = call->offset, .result = -error};
    struct stat state = {0};
    if (!call->of_path) CALL(SYS_fstat, call->descriptor, &state);
    record.file = state.st_ino;
    if (call->kind != OPEN) tell(record, call->path, call->other, call->data, call->parts);
    return -error;
}

static void die(void) {
    CALL(SYS_kill, CALL(SYS_getpid, 0), SIGKILL);
    for (;;) CALL(SYS_pause, 0);
}

/* What comes of a call to a file of ours; the lock is held. */
static long answer(const struct call *call) {
    if (call->kind == MAPPED && strlen(call->path) > 4 && !strcmp(call->path + strlen(call->path) - 4, "-shm"))
        return performed(call);  /* SQLite makes this one anew after a crash */
    if (!(call->kind & kinds)) return recorded(call, 0);
    long turn = ++counted;
    int due = turn >= first && turn <= last;
    if (!due) return recorded(call, 0);
    switch (action) {
    case KILL_BEFORE: die(); break;
    case KILL_TORN:
        if (call->kind == WRITE && length_of(call) > 1) recorded(call, 1);
        die(); break;
    case KILL_AFTER: recorded(call, 0); die(); break;
    case STOP:
        unlock();
        CALL(SYS_kill, CALL(SYS_getpid, 0), SIGSTOP);
        lock();
        break;
    case FAIL: return refused(call, failure);
    case SHORT:
        if (call->kind == WRITE && turn == first && call->data[0].iov_len > 1) return recorded(call, 1);
        if (turn > first) return refused(call, failure);
        break;
    }
    return recorded(call, 0);
}

static void on_call(int signal, siginfo_t *info, void *context) {
    (void)signal;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    struct call call;
    memset(&call, 0, offsetof(struct call, path));
    call.path[0] = call.other[0] = 0;
    call.data = 0, call.parts = 0;
    call.number = info->si_syscall;
    const int order[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    for (int i = 0; i < 6; i++) call.arguments[i] = registers[order[i]];
    call.descriptor = -1, call.offset = -1;
    if (is_refused(&call)) {
        registers[REG_RAX] = call.number == SYS_fallocate ? -EOPNOTSUPP : -ENOSYS;
        return;
    }
    lock();
    understand(&call);
    registers[REG_RAX] = call.kind ? answer(&call) : performed(&call);
    unlock();
}

/* -- what faultlib.py calls ------------------------------------------------------------------------------------- */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, field)))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define TRAP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP)
#define CATCH(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), TRAP
#define CATCH_WITH(number, argument, bits) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4), LOAD(args[argument]), \
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), TRAP, ALLOW

static int install(void) {
    uint64_t here = (uint64_t)(uintptr_t)real_call_done;
    struct sock_filter filter[] = {
        LOAD(arch), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), ALLOW,
        LOAD(instruction_pointer), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)here, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, instruction_pointer) + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(here >> 32), 0, 1), ALLOW,
        LOAD(nr),
        CATCH(SYS_write), CATCH(SYS_pwrite64), CATCH(SYS_writev), CATCH(SYS_pwritev), CATCH(SYS_pwritev2),
        CATCH(SYS_fsync), CATCH(SYS_fdatasync), CATCH(SYS_rename), CATCH(SYS_renameat), CATCH(SYS_renameat2),
        CATCH(SYS_link), CATCH(SYS_linkat), CATCH(SYS_unlink), CATCH(SYS_unlinkat), CATCH(SYS_rmdir),
        CATCH(SYS_mkdir), CATCH(SYS_mkdirat), CATCH(SYS_truncate), CATCH(SYS_ftruncate), CATCH(SYS_fallocate),
        CATCH(SYS_sendfile), CATCH(SYS_copy_file_range), CATCH(SYS_io_uring_setup), CATCH(SYS_creat),
        CATCH_WITH(SYS_open, 1, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
        CATCH_WITH(SYS_openat, 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC),
        /* Shared and writable: the one way to change a file without a call. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 7), LOAD(args[3]),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 5, 0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 4),
        LOAD(args[2]), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 2), TRAP, ALLOW,
        ALLOW,
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    struct sigaction handler;
    memset(&handler, 0, sizeof handler);
    handler.sa_sigaction = on_call;
    handler.sa_flags = SA_SIGINFO | SA_RESTART;
    sigfillset(&handler.sa_mask);
    if (sigaction(SIGSYS, &handler, 0)) return errno;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ? errno : 0;
}

/* From now on, calls about what is below `folder` are seen. Returns 0 or an errno. */
int faults_begin(const char *folder, int log, int action_, unsigned kinds_, long first_, long last_, int failure_) {
    strncpy(root, folder, sizeof root - 1);
    root_length = strlen(root);
    log_file = log, action = action_, kinds = kinds_, first = first_, last = last_, failure = failure_;
    counted = 0;
    return install();
}

/* How many calls of the kinds in question there were. */
long faults_counted(void) { return counted; }

/* Puts a line among what is written down. */
void faults_mark(const char *line) {
    struct record record = {.kind = MARK};
    lock();
    tell(record, line, "", 0, 0);
    unlock();
}

/* -- the clock, where preloaded --------------------------------------------------------------------------------- */

static volatile long seconds_ahead;

void faults_set_clock(long seconds) { seconds_ahead = seconds; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += seconds_ahead;
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec precise;
    int result = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec, now->tv_usec = precise.tv_nsec / 1000;
    return result;
}

time_t time(time_t *stored) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (stored) *stored = precise.tv_sec;
    return precise.tv_sec;
}
