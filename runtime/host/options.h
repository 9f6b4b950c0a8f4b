/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line. Everything about the site is in the generation, nothing is here. */
#ifndef TVS_OPTIONS_H
#define TVS_OPTIONS_H

#include <stdbool.h>

#include "log.h"

struct tvs_options {
    const char *generation;     /* path of generation.so */
    const char *control_socket; /* path, or NULL: RUN_DIR/tvsd.sock */
    const char *run_dir;        /* default /run/tvsd */
    const char *secrets_dir;    /* where the site's secrets are, default /etc/tvs */
    enum tvs_log_level log_level;
    bool check;   /* load, judge, print, exit */
    int eal_argc; /* arguments after --, for EAL */
    char **eal_argv;
};

/* 0: go on. 1: done (help, version). Negative: bad command line, said on stderr. */
int tvs_options_parse(struct tvs_options *options, int argc, char **argv);

#endif
