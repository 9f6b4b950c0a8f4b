/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the kernel's routing socket -> the struct that rtnl.h has for it. */
#ifndef TVS_RTNL_PARSE_H
#define TVS_RTNL_PARSE_H

#include "rtnl.h"

struct nlmsghdr;

/* Gives the message to the member of `sink` that takes its kind; others are ignored. */
void tvs_rtnl_parse(const struct nlmsghdr *header, const struct tvs_rtnl_sink *sink);

#endif
