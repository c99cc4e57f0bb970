/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static enum log_level log_threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    log_threshold = level;
}

enum log_level log_get_level(void)
{
    return log_threshold;
}

static size_t log_stamp(char *line, size_t size, enum log_level level)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + len, size - len, ".%03ldZ [%s] ", now.tv_nsec / 1000000,
                        names[level]);
    return len + (size_t)more;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level < log_threshold) {
        return;
    }
    char text[LOG_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    char line[LOG_LINE_MAX + 64];
    size_t len = log_stamp(line, sizeof line, level);
    for (const char *at = text; *at != '\0' && len + 6 < sizeof line; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == 0x7f) {
            len += (size_t)snprintf(line + len, sizeof line - len, "\\x%02x", c);
        } else {
            line[len++] = (char)c;
        }
    }
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nowhere left to say so */
}
