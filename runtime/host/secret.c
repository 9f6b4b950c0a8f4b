/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { KEY_DIGITS = 32, TEXT_MAX = 256 };

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Without the white space around it: how long it is; `*text` moves to its beginning. */
static size_t trimmed(const char **text)
{
    size_t n;

    while (isspace((unsigned char)**text))
        (*text)++;
    n = strlen(*text);
    while (n > 0 && isspace((unsigned char)(*text)[n - 1]))
        n--;
    return n;
}

/* What is wrong with a text that is no key, without a word of it. */
static const char *why_not(const char *text)
{
    size_t n = trimmed(&text);

    if (n == 0)
        return "it is empty";
    if (n != KEY_DIGITS)
        return n < KEY_DIGITS ? "it is shorter" : "it is longer";
    return "it has another character";
}

/* Returns 0, or -EINVAL when the text is no key. */
static int parse(const char *text, uint64_t key[2])
{
    if (trimmed(&text) != KEY_DIGITS)
        return -EINVAL;
    key[0] = key[1] = 0;
    for (unsigned i = 0; i < KEY_DIGITS; i++) {
        int digit = digit_of(text[i]);

        if (digit < 0)
            return -EINVAL;
        key[i / 16] = key[i / 16] << 4 | (uint64_t)digit;
    }
    return 0;
}

/* Where the site says that the key is, for messages; the path, when it is in a file. */
static int where(const struct tvs_gen_sync *sync, const char *secrets_dir, char text[PATH_MAX])
{
    const char *name = sync->key;
    int n;

    if (sync->key_is_env)
        n = snprintf(text, PATH_MAX, "the environment's %s", name);
    else if (name[0] == '/')
        n = snprintf(text, PATH_MAX, "%s", name);
    else
        n = snprintf(text, PATH_MAX, "%s/%s", secrets_dir, name);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int read_file(const char *path, char text[TEXT_MAX])
{
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error;

    if (fd >= 0)
        n = read(fd, text, TEXT_MAX - 1);
    error = fd < 0 || n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return error;
}

static int read_variable(const char *name, char text[TEXT_MAX])
{
    const char *value = getenv(name);

    if (value == NULL)
        return -ENOENT;
    snprintf(text, TEXT_MAX, "%s", value);
    return 0;
}

int tvs_secret_key(const struct tvs_gen_sync *sync, const char *secrets_dir, uint64_t key[2])
{
    char text[TEXT_MAX] = "", place[PATH_MAX];
    int error = where(sync, secrets_dir, place);

    if (error < 0) {
        tvs_error("session sync: the path of the key is too long: %.64s...", place);
        return error;
    }
    error = sync->key_is_env ? read_variable(sync->key, text) : read_file(place, text);
    if (error < 0 && sync->key_is_env)
        tvs_error("session sync: the environment has no %s, where the site says the key is",
                  sync->key);
    else if (error < 0)
        tvs_error("session sync: the key cannot be read from %s: %s", place, strerror(-error));
    if (error < 0)
        return error;
    error = parse(text, key);
    if (error < 0)
        tvs_error("session sync: the key in %s is not 32 hexadecimal digits, such as `openssl rand "
                  "-hex 16` prints: %s",
                  place, why_not(text));
    explicit_bzero(text, sizeof text);
    return error;
}
