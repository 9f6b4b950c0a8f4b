/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum tvs_log_level threshold = TVS_LOG_INFO;

void tvs_log_level_set(enum tvs_log_level level)
{
    threshold = level;
}

enum tvs_log_level tvs_log_level_get(void)
{
    return threshold;
}

/*
 * systemd says by JOURNAL_STREAM that stderr is its journal; elsewhere "<6>" would only be noise.
 */
static bool journal(void)
{
    static int known = -1;

    if (known < 0)
        known = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
    return known;
}

void tvs_log(enum tvs_log_level level, const char *format, ...)
{
    char line[1024];
    size_t n = 0;
    va_list args;
    int length;

    if (level > threshold)
        return;
    if (journal())
        n = (size_t)snprintf(line, sizeof line, "<%d>", (int)level);
    else
        n = (size_t)snprintf(line, sizeof line, "tvsd: %s",
                             level == TVS_LOG_ERROR     ? "error: "
                             : level == TVS_LOG_WARNING ? "warning: "
                                                        : "");
    va_start(args, format);
    length = vsnprintf(line + n, sizeof line - n - 1, format, args);
    va_end(args);
    if (length > 0)
        n += (size_t)length < sizeof line - n - 1 ? (size_t)length : sizeof line - n - 2;
    line[n++] = '\n';
    /* one write per line: lines of two threads do not mix; nothing can be done when it fails */
    if (write(STDERR_FILENO, line, n) < 0)
        return;
}
