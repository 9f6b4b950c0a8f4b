/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control socket says, as JSON. Each answer is a new object that the caller owns, or NULL
 * when memory is short. Addresses are text, times are milliseconds, counters are since start.
 */
#ifndef TVS_CONTROL_ANSWER_H
#define TVS_CONTROL_ANSWER_H

#include <jansson.h>

#include "control_request.h"

struct tvs_host;

enum { TVS_CONTROL_FORMAT_VERSION = 1 };

/* Does what the line asks for; never NULL but for want of memory. */
json_t *tvs_control_answer(struct tvs_host *host, const char *line, size_t n);

json_t *tvs_answer_status(struct tvs_host *host);
json_t *tvs_answer_counters(struct tvs_host *host);
json_t *tvs_answer_metrics(struct tvs_host *host);
json_t *tvs_answer_backends(struct tvs_host *host);
json_t *tvs_answer_nexthops(struct tvs_host *host);
json_t *tvs_answer_routes(struct tvs_host *host);
json_t *tvs_answer_sessions(struct tvs_host *host, const struct tvs_request *request);

/* ---- for those who write answers ------------------------------------------------------------- */

json_t *tvs_json_address(uint32_t address);
json_t *tvs_json_endpoint(uint32_t address, uint16_t port);
json_t *tvs_json_mac(const uint8_t mac[6]);

#endif
