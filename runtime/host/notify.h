/* SPDX-License-Identifier: Apache-2.0 */
/* Tells systemd (Type=notify) how far the daemon is; nothing when it was not started by systemd. */
#ifndef TVS_NOTIFY_H
#define TVS_NOTIFY_H

void tvs_notify(const char *state); /* "READY=1", "STOPPING=1", "STATUS=..." */

#endif
