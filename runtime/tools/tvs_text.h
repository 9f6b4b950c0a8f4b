/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's answers as text for people. */
#ifndef TVS_TEXT_H
#define TVS_TEXT_H

#include <jansson.h>

/* Prints `answer` to the request `verb` on stdout. */
void tvs_text_print(const char *verb, const json_t *answer);

#endif
