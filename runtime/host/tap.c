/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

int tvs_tap_open(const char *name, unsigned *ifindex)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int err, fd;

    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        goto fail;
    *ifindex = if_nametoindex(name);
    if (!*ifindex)
        goto fail;
    return fd;

fail:
    err = -errno;
    close(fd);
    return err;
}
