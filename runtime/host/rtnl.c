/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>

#include "rtnl_parse.h"

enum { REQUEST_BYTES = 512, REPLY_BYTES = 65536, EVENT_SOCKET_BYTES = 4 << 20 };

struct tvs_rtnl {
    struct mnl_socket *socket;
    uint32_t sequence;
    _Alignas(8) char reply[REPLY_BYTES];
};

int tvs_rtnl_open(struct tvs_rtnl **out, bool events)
{
    /* an answer comes at once or never: the control thread does not wait for it for ever */
    static const struct timeval limit = {.tv_sec = 2};
    unsigned groups =
        events ? RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_IFADDR : 0;
    struct tvs_rtnl *rtnl = calloc(1, sizeof(*rtnl));
    int bytes = EVENT_SOCKET_BYTES, err;

    if (!rtnl)
        return -ENOMEM;
    rtnl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | (events ? SOCK_NONBLOCK : 0));
    if (!rtnl->socket) {
        err = -errno;
        goto free_rtnl;
    }
    if (mnl_socket_bind(rtnl->socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        err = -errno;
        goto close_socket;
    }
    setsockopt(tvs_rtnl_fd(rtnl), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    setsockopt(tvs_rtnl_fd(rtnl), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    *out = rtnl;
    return 0;

close_socket:
    mnl_socket_close(rtnl->socket);
free_rtnl:
    free(rtnl);
    return err;
}

void tvs_rtnl_close(struct tvs_rtnl *rtnl)
{
    if (!rtnl)
        return;
    mnl_socket_close(rtnl->socket);
    free(rtnl);
}

int tvs_rtnl_fd(const struct tvs_rtnl *rtnl)
{
    return mnl_socket_get_fd(rtnl->socket);
}

/* ---- requests -------------------------------------------------------------------------------- */

static struct nlmsghdr *request(char *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *header;

    memset(buffer, 0, REQUEST_BYTES);
    header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    return header;
}

/*
 * True when the tables changed under a dump. The mark is taken away, because libmnl would stop at
 * it and leave the rest of the dump in the socket, where it blocks the next one.
 */
static bool interrupted(char *reply, ssize_t bytes)
{
    struct nlmsghdr *header = (void *)reply;
    int left = (int)bytes;
    bool found = false;

    for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
        found |= header->nlmsg_flags & NLM_F_DUMP_INTR;
        header->nlmsg_flags &= (uint16_t)~NLM_F_DUMP_INTR;
    }
    return found;
}

/* Sends, and runs every message of the answer through `each` until the kernel says it is done. */
static int transact(struct tvs_rtnl *rtnl, struct nlmsghdr *header, mnl_cb_t each, void *context)
{
    unsigned port = mnl_socket_get_portid(rtnl->socket);
    bool torn = false;
    int more = MNL_CB_OK;

    header->nlmsg_seq = ++rtnl->sequence;
    if (mnl_socket_sendto(rtnl->socket, header, header->nlmsg_len) < 0)
        return -errno;
    while (more > MNL_CB_STOP) {
        ssize_t got = mnl_socket_recvfrom(rtnl->socket, rtnl->reply, sizeof(rtnl->reply));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        torn |= interrupted(rtnl->reply, got);
        more = mnl_cb_run(rtnl->reply, (size_t)got, header->nlmsg_seq, port, each, context);
        /* the answer to a request that timed out earlier */
        if (more < 0 && errno == EPROTO)
            more = MNL_CB_OK;
    }
    if (more < 0)
        return -errno;
    return torn ? -EINTR : 0;
}

int tvs_rtnl_link_set(struct tvs_rtnl *rtnl, unsigned ifindex, const uint8_t mac[6], uint16_t mtu,
                      bool up)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, RTM_NEWLINK, NLM_F_ACK);
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(header, sizeof(*link));

    link->ifi_family = AF_UNSPEC;
    link->ifi_index = (int)ifindex;
    link->ifi_flags = up ? IFF_UP : 0;
    link->ifi_change = IFF_UP;
    if (mac)
        mnl_attr_put(header, IFLA_ADDRESS, 6, mac);
    if (mtu)
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
    return transact(rtnl, header, NULL, NULL);
}

int tvs_rtnl_address_add(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address,
                         uint8_t prefix_len)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

    message->ifa_family = AF_INET;
    message->ifa_prefixlen = prefix_len;
    message->ifa_index = ifindex;
    mnl_attr_put_u32(header, IFA_LOCAL, htonl(address));
    mnl_attr_put_u32(header, IFA_ADDRESS, htonl(address));
    return transact(rtnl, header, NULL, NULL);
}

static int route_change(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route, uint16_t type,
                        uint16_t flags)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, type, NLM_F_ACK | flags);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

    message->rtm_family = AF_INET;
    message->rtm_dst_len = route->prefix_len;
    message->rtm_table = route->table < 256 ? (uint8_t)route->table : RT_TABLE_UNSPEC;
    message->rtm_protocol = RTPROT_STATIC;
    message->rtm_scope = route->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    message->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(header, RTA_TABLE, route->table);
    mnl_attr_put_u32(header, RTA_DST, htonl(route->address));
    mnl_attr_put_u32(header, RTA_OIF, route->ifindex);
    if (route->gateway)
        mnl_attr_put_u32(header, RTA_GATEWAY, htonl(route->gateway));
    if (route->priority)
        mnl_attr_put_u32(header, RTA_PRIORITY, route->priority);
    return transact(rtnl, header, NULL, NULL);
}

int tvs_rtnl_route_add(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    return route_change(rtnl, route, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
}

int tvs_rtnl_route_del(struct tvs_rtnl *rtnl, const struct tvs_rtnl_route *route)
{
    return route_change(rtnl, route, RTM_DELROUTE, 0);
}

static int neighbour_change(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address,
                            const uint8_t *mac, uint16_t state, uint8_t neighbour_flags,
                            uint16_t flags)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, RTM_NEWNEIGH, NLM_F_ACK | flags);
    struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

    message->ndm_family = AF_INET;
    message->ndm_ifindex = (int)ifindex;
    message->ndm_state = state;
    message->ndm_flags = neighbour_flags;
    mnl_attr_put_u32(header, NDA_DST, htonl(address));
    if (mac)
        mnl_attr_put(header, NDA_LLADDR, 6, mac);
    return transact(rtnl, header, NULL, NULL);
}

int tvs_rtnl_neighbour_set(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address,
                           const uint8_t mac[6])
{
    return neighbour_change(rtnl, ifindex, address, mac, NUD_PERMANENT, 0,
                            NLM_F_CREATE | NLM_F_REPLACE);
}

int tvs_rtnl_neighbour_use(struct tvs_rtnl *rtnl, unsigned ifindex, uint32_t address)
{
    return neighbour_change(rtnl, ifindex, address, NULL, NUD_NONE, NTF_USE, NLM_F_CREATE);
}

/* ---- dumps and events ------------------------------------------------------------------------ */

static int each_message(const struct nlmsghdr *header, void *context)
{
    tvs_rtnl_parse(header, context);
    return MNL_CB_OK;
}

int tvs_rtnl_dump_routes(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

    message->rtm_family = AF_INET;
    return transact(rtnl, header, each_message, (void *)(uintptr_t)sink);
}

int tvs_rtnl_dump_neighbours(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink)
{
    _Alignas(8) char buffer[REQUEST_BYTES];
    struct nlmsghdr *header = request(buffer, RTM_GETNEIGH, NLM_F_DUMP);
    struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

    message->ndm_family = AF_INET;
    return transact(rtnl, header, each_message, (void *)(uintptr_t)sink);
}

int tvs_rtnl_events(struct tvs_rtnl *rtnl, const struct tvs_rtnl_sink *sink, unsigned budget)
{
    while (budget--) {
        ssize_t got = mnl_socket_recvfrom(rtnl->socket, rtnl->reply, sizeof(rtnl->reply));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        /* broadcasts carry the sequence number and port of whoever caused them: check neither */
        mnl_cb_run(rtnl->reply, (size_t)got, 0, 0, each_message, (void *)(uintptr_t)sink);
    }
    return 0;
}
