/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exception path: one TAP per NIC port that carries to the kernel what is not for a VIP or a
 * local IP, and back what the kernel sends. The TAP is not persistent: it ends with the process,
 * and with it every route that hangs on it. host.h has start, stop, receive, announce, withdraw.
 */
#ifndef TVS_EXCEPTION_H
#define TVS_EXCEPTION_H

#include <stdint.h>

struct tvs_host;

enum {
    TVS_EXCEPTION_TABLE = 100,  /* the kernel table that BIRD exports */
    TVS_EXCEPTION_METRIC = 1024 /* of the default route: an operator's own default stays better */
};

struct tvs_exception_port {
    char name[16]; /* tvs0, tvs1 ... */
    int fd;
    unsigned ifindex;
    uint64_t to_kernel;        /* packets written to the TAP */
    uint64_t to_kernel_lost;   /* the TAP took no more, or not this one */
    uint64_t from_kernel;      /* packets given to worker 0 */
    uint64_t from_kernel_lost; /* no buffer, or longer than one */
};

/* NULL: there is no such port or the module does not run. */
const struct tvs_exception_port *tvs_exception_port(const struct tvs_host *host, unsigned port);
/* The port whose TAP has this index in the kernel; negative: none. */
int tvs_exception_port_of(const struct tvs_host *host, unsigned ifindex);
/* Routes that the kernel has dropped with the link go back on it, if they are announced. */
void tvs_exception_restore(struct tvs_host *host);

#endif
