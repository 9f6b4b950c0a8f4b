/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataplane that stands still behind a live BGP session swallows traffic. So the process ends
 * itself when a worker stops turning: routes first, for the core dump may take long.
 */
#ifndef TVS_WATCHDOG_H
#define TVS_WATCHDOG_H

#include "host.h"

int tvs_watchdog_start(struct tvs_host *host);
void tvs_watchdog_stop(struct tvs_host *host);

#endif
