/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the packet path of one generation is specialised with. The generated source defines these as
 * constants and passes their address to always-inline functions, so that the compiler sees every
 * field. The host reads the site's tables when it is bound and when a peer's sessions arrive.
 */
#ifndef TVS_SITE_H
#define TVS_SITE_H

#include "tvs/base.h"
#include "tvs/record.h"

/* Services that share all of these share one copy of the packet path. */
struct tvs_class {
    uint8_t mode;           /* enum tvs_mode */
    uint8_t proto;          /* enum tvs_proto */
    uint8_t scheduler;      /* enum tvs_scheduler */
    uint8_t client_address; /* enum tvs_client_address */
    uint8_t on_down;        /* enum tvs_on_down */
    bool is_synced;         /* peers are told of its sessions */
    bool has_sorry;         /* each of its services has an entry in the site's `sorry`: */
    uint8_t sorry_schedule; /* enum tvs_scheduler of that pool */
    bool has_limits;        /* its services are in the site's table of limits */
    uint32_t timeout_ticks[TVS_N_STATES];
};

/* Whether a server is told its client's address by an option of TCP. */
TVS_INLINE bool tvs_class_has_toa(const struct tvs_class *class)
{
    return class->proto == TVS_TCP && class->client_address == TVS_CLIENT_TOA;
}

/* Who owns an address of the local-IP range. */
enum { TVS_LIP_NOBODY = 0xff };
enum { TVS_LIP_NO_SLOT = 0xffff };
struct tvs_lip_entry {
    uint8_t worker; /* TVS_LIP_NOBODY: not a local IP */
    uint8_t node;   /* owner, by index in the cluster */
    uint16_t slot;  /* in that worker's records; TVS_LIP_NO_SLOT when its sessions are not here */
};
_Static_assert(sizeof(struct tvs_lip_entry) == 4, "sixteen local IPs per line");

/*
 * Open addressing with linear probing over (VIP, port, protocol); one more entry per VIP with port
 * 0 and protocol 0 says that the address is a VIP at all. `service` is the generation's index.
 */
enum { TVS_VIP_EMPTY = 0xffff, TVS_VIP_ADDRESS = 0xfffe };
struct tvs_vip_entry {
    uint32_t vip;
    uint16_t port;
    uint8_t proto;
    uint8_t class_id;
    uint16_t service;
    uint16_t pool; /* index into the generation's pools */
};
_Static_assert(sizeof(struct tvs_vip_entry) == 12, "five per line");

/* Of a service that has none. */
enum { TVS_NO_POOL = 0xffff };

/*
 * Sources that are kept out, as disjoint ranges: `edges` has where each begins and where the next
 * address after it is, ascending; a range that ends with the last address of all has one edge only.
 * `index[part]` is how many edges are below the addresses of a part, so that a search has to look
 * at the edges of one part alone.
 */
struct tvs_access {
    uint8_t shift;         /* an address's part is what is left of it after this shift: 16 to 31 */
    const uint32_t *index; /* [(1 << (32 - shift)) + 1] */
    const uint32_t *edges;
};

/* Limits of a service as one worker keeps them; all zero: none. */
struct tvs_limit {
    uint16_t group;       /* listeners and VIPs of one service are counted together: their first */
    uint32_t connections; /* sessions at a time; 0: any number */
    uint64_t interval;    /* of new sessions of one source, in 2^-32 ticks; 0: no limit */
    uint64_t most_debt;   /* how far a source may be ahead, in the same unit: the burst less one */
    const struct tvs_access *access; /* NULL: nobody is kept out */
};

struct tvs_site {
    uint8_t steering; /* enum tvs_steering_mode */
    uint16_t n_workers;
    uint16_t reta_mask; /* reta size - 1 */
    const uint16_t *reta;

    uint32_t lip_base;  /* the first address of the local-IP range */
    uint32_t lip_count; /* addresses in the range = rows of `lips` */
    const struct tvs_lip_entry *lips;

    uint64_t flow_key[2]; /* of the hashes by which servers are picked: the whole site's */

    uint32_t vip_mask;   /* table size - 1 */
    uint32_t vip_probes; /* longest probe that any key needs */
    const struct tvs_vip_entry *vips;

    /*
     * By the generation's service: the pool that serves while the service's own has no server that
     * takes new sessions, or TVS_NO_POOL. NULL: no service has one.
     */
    const uint16_t *sorry;

    const struct tvs_limit *limits; /* by the generation's service; NULL: no class has any */
};

/*
 * The hash of the VIP table: a multiplication, because it runs once per new session. The compiler
 * places the entries with the same arithmetic; a test compares the two.
 */
TVS_INLINE uint32_t tvs_vip_hash(uint32_t vip, uint16_t port, uint8_t proto)
{
    uint64_t key = (uint64_t)vip << 32 | (uint32_t)port << 8 | proto;

    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

#endif
