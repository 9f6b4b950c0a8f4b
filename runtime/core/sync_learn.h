/* SPDX-License-Identifier: Apache-2.0 */
/* A peer's sessions become records here. */
#ifndef TVS_CORE_SYNC_LEARN_H
#define TVS_CORE_SYNC_LEARN_H

#include "core/sync.h"

/* n <= TVS_SYNC_SESSIONS, as they lie in a message that was checked as a whole. */
void tvs_sync_learn(struct tvs_sync *sync, struct tvs_worker *worker,
                    const struct tvs_sync_session *sessions, unsigned n);

#endif
