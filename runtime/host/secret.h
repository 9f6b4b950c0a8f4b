/* SPDX-License-Identifier: Apache-2.0 */
/* The cluster's shared key, read on the node: the site only says where it is. */
#ifndef TVS_HOST_SECRET_H
#define TVS_HOST_SECRET_H

#include "tvs/generation.h"

/*
 * 32 hexadecimal digits, white space around them allowed, from a file, relative to `secrets_dir`,
 * or from the environment. Returns 0, or negative errno after a logged reason without the secret.
 */
int tvs_secret_key(const struct tvs_gen_sync *sync, const char *secrets_dir, uint64_t key[2]);

#endif
