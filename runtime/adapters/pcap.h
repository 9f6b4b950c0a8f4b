/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files in and out: pcap and pcapng, micro- and nanoseconds, "-" for stdin and stdout. */
#ifndef TVS_PCAP_H
#define TVS_PCAP_H

#include <stddef.h>
#include <stdint.h>

struct tvs_pcap_reader;
struct tvs_pcap_writer;

struct tvs_pcap_packet {
    int64_t time_ns;     /* since 1970 */
    uint32_t len;        /* bytes at `data` */
    uint32_t wire_len;   /* bytes that the packet had */
    const uint8_t *data; /* valid until the next read */
};

/* NULL: `error` says why. Only Ethernet captures are taken. */
struct tvs_pcap_reader *tvs_pcap_open(const char *path, char *error, size_t error_bytes);
/* 1: a packet; 0: the end; -EBADMSG: the file is damaged, `error` says how. */
int tvs_pcap_read(struct tvs_pcap_reader *reader, struct tvs_pcap_packet *packet, char *error,
                  size_t error_bytes);
void tvs_pcap_close(struct tvs_pcap_reader *reader);

/* Writes nanosecond pcap, so that no timestamp loses a digit. */
struct tvs_pcap_writer *tvs_pcap_create(const char *path, char *error, size_t error_bytes);
void tvs_pcap_write(struct tvs_pcap_writer *writer, int64_t time_ns, const uint8_t *data,
                    uint32_t len);
/* 0, or -EIO when not everything reached the file. */
int tvs_pcap_finish(struct tvs_pcap_writer *writer);

#endif
