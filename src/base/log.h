/* SPDX-License-Identifier: Apache-2.0 */
/* One line a fact, on stderr: time, level, words, then key=value. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Lines below `level` are dropped. Default LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* `2026-01-01T00:00:00.000Z [INFO] text\n`, in one write(2). Control characters of the
 * text are written as \xNN, so that no client can forge a line. */
void log_write(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_debug(...)                                                                 \
    do {                                                                               \
        if (log_get_level() <= LOG_LEVEL_DEBUG) {                                      \
            log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                   \
        }                                                                              \
    } while (0)
#define log_info(...)  log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
