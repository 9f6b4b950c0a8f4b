/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: one request per line, one line of JSON per answer. Who may open it is root,
 * but a broken client must not hold up the daemon either: every client has a bounded buffer, an
 * answer is written as far as the client takes it, and no further request is read before that.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control_answer.h"
#include "host.h"

enum { CLIENTS_MAX = 32, BACKLOG = 128 };

struct client {
    struct tvs_host *host;
    int fd; /* -1: free */
    uint64_t used_ms;
    bool at_end; /* the client sends no more: close when it has its answer */
    size_t in_bytes;
    char in[TVS_REQUEST_BYTES];
    char *out; /* the rest of an answer; NULL: none is pending */
    size_t out_bytes, out_done;
};

struct tvs_control {
    int fd;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct client client[CLIENTS_MAX];
};

static void client_close(struct client *client)
{
    tvs_loop_remove(client->host->loop, client->fd);
    close(client->fd);
    free(client->out);
    client->fd = -1;
    client->out = NULL;
}

/* True when everything is written. */
static bool client_flush(struct client *client)
{
    while (client->out_done < client->out_bytes) {
        ssize_t sent = send(client->fd, client->out + client->out_done,
                            client->out_bytes - client->out_done, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN)
            client->at_end = true; /* nobody reads it: drop the rest */
        if (sent < 0)
            return errno != EAGAIN;
        client->out_done += (size_t)sent;
    }
    return true;
}

static void client_answer(struct client *client, const char *line, size_t n)
{
    json_t *answer = tvs_control_answer(client->host, line, n);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    size_t bytes;

    json_decref(answer);
    if (!text)
        text = strdup("{\"format_version\":1,\"error\":\"out of memory\"}");
    if (!text) {
        client->at_end = true;
        return;
    }
    bytes = strlen(text);
    text[bytes] = '\n'; /* in the place of the zero byte: the length is kept beside it */
    client->out = text;
    client->out_bytes = bytes + 1;
    client->out_done = 0;
}

/* Answers line by line as long as the client takes the answers; false: it is closed. */
static bool client_work(struct client *client)
{
    char *end;

    for (;;) {
        if (client->out) {
            if (!client_flush(client))
                return tvs_loop_change(client->host->loop, client->fd, EPOLLOUT) == 0;
            free(client->out);
            client->out = NULL;
        }
        end = memchr(client->in, '\n', client->in_bytes);
        if (!end && client->in_bytes == sizeof(client->in)) {
            client_answer(client, client->in, client->in_bytes);
            client->in_bytes = 0;
            client->at_end = true; /* where its next request begins is not known */
            continue;
        }
        if (!end)
            break;
        client_answer(client, client->in, (size_t)(end - client->in));
        client->in_bytes -= (size_t)(end + 1 - client->in);
        memmove(client->in, end + 1, client->in_bytes);
    }
    return !client->at_end && tvs_loop_change(client->host->loop, client->fd, EPOLLIN) == 0;
}

static void client_ready(void *context, int fd, uint32_t events)
{
    struct client *client = context;
    ssize_t got;

    client->used_ms = tvs_loop_now_ms(client->host->loop);
    if (!client->out && events & (EPOLLIN | EPOLLHUP)) {
        got = recv(fd, client->in + client->in_bytes, sizeof(client->in) - client->in_bytes, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            client->at_end = true;
        else
            client->in_bytes += (size_t)got;
    } else if (events & (EPOLLERR | EPOLLHUP)) {
        client->at_end = true;
        client->out_done = client->out_bytes;
    }
    if (!client_work(client))
        client_close(client);
}

/* That of who has been silent for longest; NULL: nobody is connected. */
static struct client *client_oldest_close(struct tvs_control *control)
{
    struct client *oldest = NULL;

    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &control->client[i];

        if (client->fd >= 0 && (!oldest || client->used_ms < oldest->used_ms))
            oldest = client;
    }
    if (oldest)
        client_close(oldest);
    return oldest;
}

static struct client *client_place(struct tvs_control *control)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd < 0)
            return &control->client[i];
    return client_oldest_close(control);
}

static void connection_ready(void *context, int listener, uint32_t events)
{
    struct tvs_host *host = context;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *client;

    (void)events;
    if (fd < 0) {
        /* no descriptor left: free one, or the listener stays readable for ever */
        if (errno == EMFILE || errno == ENFILE)
            client_oldest_close(host->control);
        return;
    }
    client = client_place(host->control);
    client->host = host;
    client->fd = fd;
    client->used_ms = tvs_loop_now_ms(host->loop);
    client->at_end = false;
    client->in_bytes = 0;
    if (tvs_loop_add(host->loop, fd, EPOLLIN, client_ready, client) != 0) {
        close(fd);
        client->fd = -1;
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

static int socket_path(const struct tvs_host *host, struct tvs_control *control)
{
    int bytes;

    if (host->options.control_socket)
        bytes = snprintf(control->path, sizeof(control->path), "%s", host->options.control_socket);
    else
        bytes =
            snprintf(control->path, sizeof(control->path), "%s/tvsd.sock", host->options.run_dir);
    return bytes < 0 || (size_t)bytes >= sizeof(control->path) ? -ENAMETOOLONG : 0;
}

/* A socket that a dead daemon left behind is replaced; one that answers is not. */
static int socket_listen(struct tvs_control *control)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat other;
    mode_t mask;
    int err;

    if (lstat(control->path, &other) == 0 && !S_ISSOCK(other.st_mode))
        return -EEXIST; /* somebody's file: not ours to remove */
    memcpy(address.sun_path, control->path, sizeof(address.sun_path));
    control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (control->fd < 0)
        return -errno;
    if (connect(control->fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
        errno == EAGAIN) {
        close(control->fd);
        control->fd = -1;
        return -EADDRINUSE;
    }
    unlink(control->path);
    mask = umask(0177); /* never readable by others, not even for a moment */
    err = bind(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    umask(mask);
    if (!err && listen(control->fd, BACKLOG) < 0)
        err = -errno;
    if (err) {
        close(control->fd);
        control->fd = -1;
    }
    return err;
}

int tvs_control_start(struct tvs_host *host)
{
    struct tvs_control *control = calloc(1, sizeof(*control));
    int err;

    if (!control)
        return -ENOMEM;
    host->control = control;
    control->fd = -1;
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        control->client[i].fd = -1;
    if (!host->options.control_socket && host->options.run_dir)
        mkdir(host->options.run_dir, 0755);
    err = socket_path(host, control);
    if (!err)
        err = socket_listen(control);
    if (!err)
        err = tvs_loop_add(host->loop, control->fd, EPOLLIN, connection_ready, host);
    if (!err)
        return 0;
    tvs_error("control socket %s: %s", control->path, strerror(-err));
    tvs_control_stop(host);
    return err;
}

void tvs_control_stop(struct tvs_host *host)
{
    struct tvs_control *control = host->control;

    if (!control)
        return;
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (control->client[i].fd >= 0)
            client_close(&control->client[i]);
    if (control->fd >= 0) {
        tvs_loop_remove(host->loop, control->fd);
        close(control->fd);
        unlink(control->path);
    }
    free(control);
    host->control = NULL;
}
