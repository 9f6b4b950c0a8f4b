/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Returns 0, or -EINVAL when the text is no key. */
static int parse(const char *text, uint64_t key[2])
{
    const char *end = text + strlen(text);

    while (isspace((unsigned char)*text))
        text++;
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    if (end - text != KEY_DIGITS)
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

static int read_file(const char *dir, const char *name, char text[TEXT_MAX])
{
    char path[4096];
    FILE *file;
    size_t n;
    int error;

    if (snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : dir, name[0] == '/' ? "" : "/",
                 name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    file = fopen(path, "re");
    if (file == NULL) {
        error = -errno;
        tvs_error("session sync: the key cannot be read from %s: %s", path, strerror(-error));
        return error;
    }
    n = fread(text, 1, TEXT_MAX - 1, file);
    error = ferror(file) ? -EIO : 0;
    fclose(file);
    text[n] = '\0';
    if (error < 0)
        tvs_error("session sync: the key cannot be read from %s", path);
    return error;
}

int tvs_secret_key(const struct tvs_gen_sync *sync, const char *secrets_dir, uint64_t key[2])
{
    char text[TEXT_MAX] = "";
    int error = 0;

    if (sync->key_is_env) {
        const char *value = getenv(sync->key);

        if (value == NULL) {
            tvs_error("session sync: the environment has no %s, where the site says the key is",
                      sync->key);
            return -ENOENT;
        }
        error = strlen(value) < sizeof text ? 0 : -EINVAL;
        if (error == 0)
            strcpy(text, value);
    } else {
        error = read_file(secrets_dir, sync->key, text);
        if (error < 0)
            return error;
    }
    if (error == 0)
        error = parse(text, key);
    explicit_bzero(text, sizeof text);
    if (error < 0)
        tvs_error("session sync: the key in %s is not 32 hexadecimal digits, such as `openssl rand "
                  "-hex 16` prints",
                  sync->key);
    return error;
}
