/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node in memory as a shared library, for programs that speak plain C types only: Python's cffi
 * reads this very file, so it has no macro and no type of another header below the includes.
 */
#ifndef TVS_MEMORY_H
#define TVS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct tvs_memory_packet {
    const uint8_t *data;
    uint32_t len;
    uint16_t rx_worker; /* 65535: as the NIC steers; set on return */
    uint8_t port_in;
    uint8_t verdict;       /* enum tvs_verdict; 0: of another VLAN than its port's */
    uint8_t arg;           /* port or drop reason */
    uint8_t unchanged;     /* the result is what came in, but for a tag that was taken off */
    uint16_t worker;       /* who decided */
    const uint8_t *result; /* the node's, until the next run */
    uint32_t result_len;
};

/* A session: addresses and ports in host byte order. */
struct tvs_memory_session {
    uint32_t record;
    uint32_t client, vip, local, server;
    uint16_t client_port, vip_port, local_port, server_port;
    uint8_t proto, state;
    uint16_t service;       /* index in the generation; 65535: none */
    uint32_t pool, backend; /* index in the generation, index in the pool */
    uint32_t expires_tick, opened_tick;
};

struct tvs_memory;

/* NULL: `error` says why. */
struct tvs_memory *tvs_memory_open(const char *path, uint64_t seed, char *error,
                                   size_t error_bytes);
void tvs_memory_close(struct tvs_memory *memory);
uint32_t tvs_memory_workers(const struct tvs_memory *memory);

/* 0 or a negative errno; -EPROTO: a verdict that the contract does not allow. */
int tvs_memory_run(struct tvs_memory *memory, struct tvs_memory_packet *packets, uint32_t n);
void tvs_memory_tick(struct tvs_memory *memory, uint32_t tick);
/* Budget 0: every record once. */
uint32_t tvs_memory_sweep(struct tvs_memory *memory, uint32_t worker, uint32_t budget);

/* State: 0 down, 1 up, 2 draining. */
int tvs_memory_set_backend(struct tvs_memory *memory, uint32_t pool, uint32_t index, uint8_t state,
                           uint32_t weight);
int tvs_memory_set_nexthop(struct tvs_memory *memory, uint8_t port, uint8_t valid);
void tvs_memory_renew_routes(struct tvs_memory *memory);
int tvs_memory_remove_service(struct tvs_memory *memory, uint32_t service);

/* Live sessions of a worker in order of record number, at most `max`; returns how many. */
uint32_t tvs_memory_sessions(const struct tvs_memory *memory, uint32_t worker,
                             struct tvs_memory_session *sessions, uint32_t max);
uint32_t tvs_memory_free_ports(const struct tvs_memory *memory, uint32_t worker);
/* Entries of the forward table, counted one by one. */
uint32_t tvs_memory_table_entries(const struct tvs_memory *memory, uint32_t worker);

/* Counters are numbered from 0; a name of NULL ends them. */
const char *tvs_memory_counter_name(uint32_t counter);
uint64_t tvs_memory_counter(const struct tvs_memory *memory, uint32_t worker, uint32_t counter);
const char *tvs_memory_drop_name(uint32_t reason);
const char *tvs_memory_state_name(uint32_t state);

#endif
