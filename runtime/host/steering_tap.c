/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A multi-queue TAP as a NIC with RSS and flow director: the kernel asks an eBPF program for the
 * queue of each packet that it sends into the TAP (TUNSETSTEERINGEBPF). Key, table and rules are in
 * maps, so that they are set and read back like those of a device.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "steering.h"
#include "steering_tap.h"

enum { KEY_ROOM = 64, LOG_BYTES = 1 << 16 };

static struct tvs_tap_steering *taps[TVS_MAX_PORTS];

/* Any attached descriptor of the TAP will do; the driver keeps them to itself, so look for one. */
static int find_queue(const char *interface)
{
    DIR *directory = opendir("/proc/self/fd");
    const struct dirent *entry;
    int found = -ENODEV;

    if (directory == NULL)
        return -errno;
    while (found < 0 && (entry = readdir(directory)) != NULL) {
        struct ifreq request = {0};
        char path[64] = "";
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.' ||
            readlinkat(dirfd(directory), entry->d_name, path, sizeof path - 1) < 0 ||
            strcmp(path, "/dev/net/tun") != 0)
            continue;
        /* a detached one, which the driver keeps so that the TAP stays, does not answer this */
        if (ioctl(fd, TUNGETIFF, &request) == 0 &&
            strncmp(request.ifr_name, interface, IFNAMSIZ) == 0)
            found = fd;
    }
    closedir(directory);
    return found;
}

static int refused(const struct tvs_host_port *port, const char *what, int error)
{
    tvs_error("port %s: %s: %s", port->config->name, what, strerror(-error));
    if (error == -EPERM || error == -EACCES)
        tvs_error("port %s: steering a TAP needs CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN); "
                  "`steering software` in the site needs neither",
                  port->config->name);
    return error;
}

static int open_maps(struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering)
{
    tap->key_map = tvs_bpf_map(BPF_MAP_TYPE_ARRAY, "tvs_rss_key", 4, KEY_ROOM, 1);
    if (tap->key_map < 0)
        return tap->key_map;
    tap->reta_map = tvs_bpf_map(BPF_MAP_TYPE_ARRAY, "tvs_reta", 4, 4, steering->reta_size);
    if (tap->reta_map < 0)
        return tap->reta_map;
    tap->rules_map = tvs_bpf_map(BPF_MAP_TYPE_HASH, "tvs_rules", sizeof(struct tvs_tap_key), 4,
                                 steering->n_rules + 1);
    return tap->rules_map < 0 ? tap->rules_map : 0;
}

static struct tvs_tap_key key_of(const struct tvs_tap_steering *tap,
                                 const struct tvs_gen_rule *rule)
{
    return (struct tvs_tap_key){
        .address_be = rte_cpu_to_be_32(rule->address & rule->mask),
        .group = tvs_tap_group_of(tap, rule),
    };
}

static int fill_maps(const struct tvs_tap_steering *tap, const struct tvs_gen_steering *steering)
{
    uint8_t key[KEY_ROOM] = {0};
    uint32_t zero = 0;
    int error;

    memcpy(key, steering->key, steering->key_bytes);
    error = tvs_bpf_set(tap->key_map, &zero, key);
    for (uint32_t i = 0; error == 0 && i < steering->reta_size; i++) {
        uint32_t queue = steering->reta[i];

        error = tvs_bpf_set(tap->reta_map, &i, &queue);
    }
    for (uint32_t i = 0; error == 0 && i < steering->n_rules; i++) {
        struct tvs_tap_key rule = key_of(tap, &steering->rules[i]);
        uint32_t queue = steering->rules[i].worker;

        error = tvs_bpf_set(tap->rules_map, &rule, &queue);
    }
    return error;
}

static int load(struct tvs_tap_steering *tap, const struct tvs_host_port *port,
                const struct tvs_gen_steering *steering)
{
    struct tvs_bpf_code *code = malloc(sizeof *code);
    char *log = malloc(LOG_BYTES);
    int error = code == NULL || log == NULL ? -ENOMEM : 0;

    if (error == 0)
        error = tvs_tap_program(tap, steering, code);
    if (error == 0) {
        tap->program = tvs_bpf_load(code->insn, code->n, "tvs_steering", log, LOG_BYTES);
        error = tap->program < 0 ? tap->program : 0;
    }
    if (error < 0) {
        refused(port, "the kernel does not take the steering program", error);
        if (log != NULL && log[0] != '\0')
            tvs_debug("verifier: %s", log);
    }
    free(code);
    free(log);
    return error;
}

static int attach(const struct tvs_tap_steering *tap, const struct tvs_host_port *port)
{
    struct rte_eth_dev_info info;
    char interface[IF_NAMESIZE];
    int error = rte_eth_dev_info_get(port->dpdk_id, &info);
    int queue;

    if (error < 0)
        return error;
    if (if_indextoname(info.if_index, interface) == NULL) {
        tvs_error("port %s: device `%s` is no TAP of this network namespace", port->config->name,
                  port->config->device);
        return -ENODEV;
    }
    queue = find_queue(interface);
    if (queue < 0)
        return refused(port, "no open queue of the TAP found", queue);
    if (ioctl(queue, TUNSETSTEERINGEBPF, &tap->program) < 0)
        return refused(port, "the TAP does not take the steering program", -errno);
    return 0;
}

static int start(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    struct tvs_tap_steering *tap = calloc(1, sizeof *tap);
    int error;

    if (tap == NULL)
        return -ENOMEM;
    taps[port - host->ports] = tap;
    tap->key_map = tap->reta_map = tap->rules_map = tap->program = -1;
    if (steering->key_bytes > KEY_ROOM || steering->key_bytes < 16 || steering->reta_size == 0 ||
        (steering->reta_size & (steering->reta_size - 1)) != 0) {
        tvs_error("port %s: RSS key of %u bytes or RETA of %u is outside what a TAP's steering "
                  "takes (16 to %u bytes, a power of two)",
                  port->config->name, steering->key_bytes, steering->reta_size, KEY_ROOM);
        return -EINVAL;
    }
    tap->tagged = port->config->vlan != 0;
    error = tvs_tap_group(tap, steering);
    if (error < 0) {
        tvs_error("port %s: flow rules have more than %u shapes of mask and protocol",
                  port->config->name, TVS_TAP_MAX_GROUPS);
        return error;
    }
    error = open_maps(tap, steering);
    if (error < 0)
        return refused(port, "bpf() makes no map", error);
    error = fill_maps(tap, steering);
    if (error < 0)
        return refused(port, "bpf() does not fill the maps", error);
    error = load(tap, port, steering);
    if (error == 0)
        error = attach(tap, port);
    return error;
}

static int differs(const struct tvs_host_port *port, const char *what, uint32_t at)
{
    tvs_error("port %s: %s %u of the TAP's steering is not what was written", port->config->name,
              what, at);
    return -EIO;
}

static int verify(struct tvs_host *host, struct tvs_host_port *port)
{
    const struct tvs_gen_steering *steering = &host->bound->generation->steering;
    const struct tvs_tap_steering *tap = taps[port - host->ports];
    uint8_t key[KEY_ROOM];
    uint32_t zero = 0, queue;

    if (tap == NULL || tap->program < 0)
        return -ENOENT;
    if (tvs_bpf_get(tap->key_map, &zero, key) < 0 ||
        memcmp(key, steering->key, steering->key_bytes) != 0)
        return differs(port, "RSS key", 0);
    for (uint32_t i = 0; i < steering->reta_size; i++)
        if (tvs_bpf_get(tap->reta_map, &i, &queue) < 0 || queue != steering->reta[i])
            return differs(port, "RETA entry", i);
    for (uint32_t i = 0; i < steering->n_rules; i++) {
        struct tvs_tap_key rule = key_of(tap, &steering->rules[i]);

        if (tvs_bpf_get(tap->rules_map, &rule, &queue) < 0 || queue != steering->rules[i].worker)
            return differs(port, "flow rule", i);
    }
    return tvs_tap_test(tap, steering);
}

/* The TAP keeps the program, and that its maps, until it goes itself. */
static void stop(struct tvs_host *host, struct tvs_host_port *port)
{
    struct tvs_tap_steering *tap = taps[port - host->ports];

    if (tap == NULL)
        return;
    taps[port - host->ports] = NULL;
    for (unsigned i = 0; i < 4; i++) {
        int fd = (int[]){tap->program, tap->rules_map, tap->reta_map, tap->key_map}[i];

        if (fd >= 0)
            close(fd);
    }
    free(tap);
}

const struct tvs_steering_ops tvs_steering_tap = {
    .name = "an eBPF program on the TAP",
    .start = start,
    .verify = verify,
    .stop = stop,
};
