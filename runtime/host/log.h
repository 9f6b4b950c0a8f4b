/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon tells its operator: one line per fact on stderr, where systemd picks it up with
 * the priority prefix that it understands.
 */
#ifndef TVS_LOG_H
#define TVS_LOG_H

enum tvs_log_level { TVS_LOG_ERROR = 3, TVS_LOG_WARNING = 4, TVS_LOG_INFO = 6, TVS_LOG_DEBUG = 7 };

void tvs_log_level_set(enum tvs_log_level level);
enum tvs_log_level tvs_log_level_get(void);

void tvs_log(enum tvs_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define tvs_error(...)   tvs_log(TVS_LOG_ERROR, __VA_ARGS__)
#define tvs_warning(...) tvs_log(TVS_LOG_WARNING, __VA_ARGS__)
#define tvs_info(...)    tvs_log(TVS_LOG_INFO, __VA_ARGS__)
#define tvs_debug(...)   tvs_log(TVS_LOG_DEBUG, __VA_ARGS__)

#endif
