/*
 * What the C library asks of a system, answered without one: output goes to the trace, time and
 * random numbers are those of the operation, everything else fails.
 *
 * A plug-in imports no WASI. The definitions are weak: a program that needs more than these gets the
 * library's own, and its build is refused with the name of what it imports.
 */
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "internal.h"

#define LINE_MAX 1024
#define NANOSECONDS_PER_MILLISECOND 1000000ull

/* Standard output and error share one line, which is traced when it ends. */
static char line[LINE_MAX];
static size_t line_length;

static void trace_line(void) {
    plugin_string_t text = {(uint8_t *)line, line_length};
    offstage_plugin_tracing_trace(&text);
    line_length = 0;
}

__attribute__((weak)) __wasi_errno_t __wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t *parts,
                                                     size_t count, __wasi_size_t *written) {
    if (fd != 1 && fd != 2) return __WASI_ERRNO_BADF;
    *written = 0;
    for (size_t part = 0; part < count; part++) {
        for (size_t at = 0; at < parts[part].buf_len; at++) {
            char byte = (char)parts[part].buf[at];
            if (byte != '\n') line[line_length++] = byte;
            if (byte == '\n' || line_length == LINE_MAX) trace_line();
        }
        *written += parts[part].buf_len;
    }
    return __WASI_ERRNO_SUCCESS;
}

__attribute__((weak)) __wasi_errno_t __wasi_clock_time_get(__wasi_clockid_t id,
                                                           __wasi_timestamp_t precision,
                                                           __wasi_timestamp_t *time) {
    (void)id, (void)precision;
    *time = (uint64_t)offstage_now() * NANOSECONDS_PER_MILLISECOND;
    return __WASI_ERRNO_SUCCESS;
}

__attribute__((weak)) __wasi_errno_t __wasi_random_get(uint8_t *buffer, __wasi_size_t length) {
    for (__wasi_size_t at = 0; at < length; at += 8) {
        uint64_t random = offstage_random();
        memcpy(buffer + at, &random, length - at < 8 ? length - at : 8);
    }
    return __WASI_ERRNO_SUCCESS;
}

__attribute__((weak)) __wasi_errno_t __wasi_fd_close(__wasi_fd_t fd) {
    (void)fd;
    return __WASI_ERRNO_BADF;
}

__attribute__((weak)) __wasi_errno_t __wasi_fd_seek(__wasi_fd_t fd, __wasi_filedelta_t offset,
                                                    __wasi_whence_t whence,
                                                    __wasi_filesize_t *position) {
    (void)fd, (void)offset, (void)whence, (void)position;
    return __WASI_ERRNO_BADF;
}

/* A terminal, as far as the C library is concerned: then it writes line by line. */
__attribute__((weak)) __wasi_errno_t __wasi_fd_fdstat_get(__wasi_fd_t fd, __wasi_fdstat_t *stat) {
    (void)fd;
    memset(stat, 0, sizeof *stat);
    stat->fs_filetype = __WASI_FILETYPE_CHARACTER_DEVICE;
    return __WASI_ERRNO_SUCCESS;
}

__attribute__((weak, noreturn)) void __wasi_proc_exit(__wasi_exitcode_t code) {
    (void)code;
    __builtin_trap();
}
