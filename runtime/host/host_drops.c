/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

const char *tvs_host_drop_name(unsigned reason)
{
    static const char *const names[] = {
#define TVS_HOST_DROP(name, text) #name,
#include "host_drops.def"
#undef TVS_HOST_DROP
    };

    return reason < TVS_N_HOST_DROPS ? names[reason] : "unknown";
}

const char *tvs_host_drop_text(unsigned reason)
{
    static const char *const texts[] = {
#define TVS_HOST_DROP(name, text) text,
#include "host_drops.def"
#undef TVS_HOST_DROP
    };

    return reason < TVS_N_HOST_DROPS ? texts[reason] : "unknown";
}
