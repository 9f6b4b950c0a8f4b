/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exception.h"
#include "health_probe.h"
#include "host.h"
#include "netlink.h"

int tvs_probe_bind(struct tvs_host *host, int fd, uint32_t address)
{
    int route = tvs_netlink_port_of(host, address), one = 1;
    unsigned index = route < 0 ? 0 : (unsigned)route;
    const struct tvs_exception_port *port = tvs_exception_port(host, index);
    struct sockaddr_in own = {.sin_family = AF_INET};

    if (!port)
        return 0;
    own.sin_addr.s_addr = htonl(host->ports[index].config->address);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, port->name, (socklen_t)strlen(port->name)) < 0)
        return -errno;
    /* the local port is picked at connect(), where it only has to differ per backend */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ? -errno : 0;
}

static void finish(struct tvs_probe *probe, int err)
{
    tvs_probe_cancel(probe);
    probe->done(probe, err == 0, err ? strerror(-err) : "connected");
}

static void timed_out(void *context)
{
    struct tvs_probe *probe = context;

    /* fd holds the reason when the attempt could not even start */
    finish(probe, probe->fd < 0 ? probe->fd : -ETIMEDOUT);
}

/* The server took the connection: that is all, or the request follows in the time that is left. */
static void connected(struct tvs_probe *probe)
{
    uint64_t now = tvs_loop_now_ms(probe->host->loop);
    int err = 0;

    if (probe->http) {
        probe->left_ms = now < probe->end_ms ? (uint32_t)(probe->end_ms - now) : 1;
        tvs_loop_remove(probe->host->loop, probe->fd);
        tvs_timer_unset(probe->host->loop, &probe->timer);
        err = tvs_http_start(probe);
    }
    if (err || !probe->http)
        finish(probe, err);
}

static void writable(void *context, int fd, uint32_t events)
{
    int err = 0;
    socklen_t bytes = sizeof(err);

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &bytes) < 0)
        err = errno;
    if (err)
        finish(context, -err);
    else
        connected(context);
}

static int tcp_start(struct tvs_probe *probe)
{
    struct sockaddr_in peer = {.sin_family = AF_INET,
                               .sin_port = htons(probe->port),
                               .sin_addr.s_addr = htonl(probe->address)};
    int err;

    probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        return -errno;
    err = tvs_probe_bind(probe->host, probe->fd, probe->address);
    if (err)
        goto close_fd;
    if (connect(probe->fd, (struct sockaddr *)&peer, sizeof(peer)) < 0 && errno != EINPROGRESS) {
        err = -errno;
        goto close_fd;
    }
    err = tvs_loop_add(probe->host->loop, probe->fd, EPOLLOUT, writable, probe);
    if (!err)
        return 0;

close_fd:
    close(probe->fd);
    return err;
}

void tvs_probe_start(struct tvs_probe *probe)
{
    int err;

    probe->running = true;
    probe->body_bytes = 0;
    probe->easy = NULL;
    probe->headers = NULL;
    probe->end_ms = tvs_loop_now_ms(probe->host->loop) + probe->timeout_ms;
    tvs_timer_init(&probe->timer, timed_out, probe);
    err = tcp_start(probe);
    if (err)
        probe->fd = err;
    tvs_timer_set(probe->host->loop, &probe->timer, err ? 1 : probe->timeout_ms, 0);
}

void tvs_probe_cancel(struct tvs_probe *probe)
{
    if (!probe->running)
        return;
    probe->running = false;
    tvs_timer_unset(probe->host->loop, &probe->timer);
    if (probe->http)
        tvs_http_cancel(probe);
    if (probe->fd >= 0) {
        tvs_loop_remove(probe->host->loop, probe->fd);
        close(probe->fd);
    }
    probe->fd = -1;
}
