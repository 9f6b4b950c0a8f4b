/* SPDX-License-Identifier: Apache-2.0 */
#include "rtnl_parse.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

/* The first next hop of a multipath route that is not dead. */
static void parse_multipath(const struct nlattr *list, struct tvs_rtnl_route *route)
{
    const struct rtnexthop *hop = mnl_attr_get_payload(list);
    int left = mnl_attr_get_payload_len(list);

    for (; RTNH_OK(hop, left); left -= (int)RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
        int bytes = (int)hop->rtnh_len - (int)RTNH_LENGTH(0);
        const struct nlattr *attr = (const void *)RTNH_DATA(hop);

        if (hop->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
            continue;
        route->ifindex = (unsigned)hop->rtnh_ifindex;
        for (; mnl_attr_ok(attr, bytes);
             bytes -= MNL_ALIGN(attr->nla_len), attr = mnl_attr_next(attr))
            if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
                mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
                route->gateway = ntohl(mnl_attr_get_u32(attr));
        return;
    }
}

static void parse_route(const struct nlmsghdr *header, const struct tvs_rtnl_sink *sink)
{
    const struct rtmsg *message = mnl_nlmsg_get_payload(header);
    struct tvs_rtnl_route route = {0};
    const struct nlattr *attr;

    if (message->rtm_family != AF_INET || message->rtm_dst_len > 32 ||
        message->rtm_flags & RTM_F_CLONED)
        return;
    route.prefix_len = message->rtm_dst_len;
    route.type = message->rtm_type;
    route.table = message->rtm_table;
    mnl_attr_for_each(attr, header, sizeof(*message))
    {
        unsigned type = mnl_attr_get_type(attr);

        if (type == RTA_MULTIPATH) {
            parse_multipath(attr, &route);
            continue;
        }
        if (mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
            continue;
        if (type == RTA_DST)
            route.address = ntohl(mnl_attr_get_u32(attr));
        else if (type == RTA_GATEWAY)
            route.gateway = ntohl(mnl_attr_get_u32(attr));
        else if (type == RTA_OIF)
            route.ifindex = mnl_attr_get_u32(attr);
        else if (type == RTA_TABLE)
            route.table = mnl_attr_get_u32(attr);
        else if (type == RTA_PRIORITY)
            route.priority = mnl_attr_get_u32(attr);
    }
    sink->route(sink->context, &route, header->nlmsg_type == RTM_DELROUTE,
                header->nlmsg_flags & NLM_F_REPLACE);
}

static void parse_neighbour(const struct nlmsghdr *header, const struct tvs_rtnl_sink *sink)
{
    const struct ndmsg *message = mnl_nlmsg_get_payload(header);
    struct tvs_rtnl_neighbour neighbour = {0};
    const struct nlattr *attr;

    if (message->ndm_family != AF_INET)
        return;
    neighbour.ifindex = (unsigned)message->ndm_ifindex;
    neighbour.state = header->nlmsg_type == RTM_DELNEIGH ? 0 : message->ndm_state;
    mnl_attr_for_each(attr, header, sizeof(*message))
    {
        if (mnl_attr_get_type(attr) == NDA_DST && mnl_attr_get_payload_len(attr) == 4) {
            neighbour.address = ntohl(mnl_attr_get_u32(attr));
        } else if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6) {
            neighbour.has_mac = true;
            memcpy(neighbour.mac, mnl_attr_get_payload(attr), 6);
        }
    }
    if (neighbour.address)
        sink->neighbour(sink->context, &neighbour);
}

static void parse_link(const struct nlmsghdr *header, const struct tvs_rtnl_sink *sink)
{
    const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
    struct tvs_rtnl_link link = {
        .ifindex = (unsigned)message->ifi_index,
        .up = (message->ifi_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING),
        .gone = header->nlmsg_type == RTM_DELLINK,
    };

    if (message->ifi_family == AF_UNSPEC)
        sink->link(sink->context, &link);
}

void tvs_rtnl_parse(const struct nlmsghdr *header, const struct tvs_rtnl_sink *sink)
{
    switch (header->nlmsg_type) {
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (sink->route)
            parse_route(header, sink);
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        if (sink->neighbour)
            parse_neighbour(header, sink);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        if (sink->link)
            parse_link(header, sink);
        break;
    default:
        break;
    }
}
