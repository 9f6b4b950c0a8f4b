/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pcap.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

enum { SNAP_BYTES = 262144, NS_PER_S = 1000000000 };

struct tvs_pcap_reader {
    pcap_t *pcap;
};

struct tvs_pcap_writer {
    pcap_t *pcap;
    pcap_dumper_t *dumper;
};

struct tvs_pcap_reader *tvs_pcap_open(const char *path, char *error, size_t error_bytes)
{
    char why[PCAP_ERRBUF_SIZE] = "";
    struct tvs_pcap_reader *reader = calloc(1, sizeof(*reader));
    int link;

    if (!reader) {
        snprintf(error, error_bytes, "not enough memory");
        return NULL;
    }
    reader->pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!reader->pcap) {
        snprintf(error, error_bytes, "%s", why);
        free(reader);
        return NULL;
    }
    link = pcap_datalink(reader->pcap);
    if (link != DLT_EN10MB) {
        const char *name = pcap_datalink_val_to_name(link);

        snprintf(error, error_bytes, "link type is %s (%d), only Ethernet can be replayed",
                 name ? name : "unknown", link);
        tvs_pcap_close(reader);
        return NULL;
    }
    return reader;
}

int tvs_pcap_read(struct tvs_pcap_reader *reader, struct tvs_pcap_packet *packet, char *error,
                  size_t error_bytes)
{
    struct pcap_pkthdr *header;
    const u_char *data;
    int rc = pcap_next_ex(reader->pcap, &header, &data);

    if (rc == PCAP_ERROR_BREAK)
        return 0;
    if (rc != 1) {
        snprintf(error, error_bytes, "%s", pcap_geterr(reader->pcap));
        return -EBADMSG;
    }
    *packet = (struct tvs_pcap_packet){
        .time_ns = (int64_t)((uint64_t)header->ts.tv_sec * NS_PER_S + (uint64_t)header->ts.tv_usec),
        .len = header->caplen,
        .wire_len = header->len,
        .data = data,
    };
    return 1;
}

void tvs_pcap_close(struct tvs_pcap_reader *reader)
{
    if (!reader)
        return;
    pcap_close(reader->pcap);
    free(reader);
}

struct tvs_pcap_writer *tvs_pcap_create(const char *path, char *error, size_t error_bytes)
{
    struct tvs_pcap_writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        snprintf(error, error_bytes, "not enough memory");
        return NULL;
    }
    writer->pcap =
        pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAP_BYTES, PCAP_TSTAMP_PRECISION_NANO);
    writer->dumper = writer->pcap ? pcap_dump_open(writer->pcap, path) : NULL;
    if (writer->dumper)
        return writer;
    snprintf(error, error_bytes, "%s", writer->pcap ? pcap_geterr(writer->pcap) : "no memory");
    if (writer->pcap)
        pcap_close(writer->pcap);
    free(writer);
    return NULL;
}

void tvs_pcap_write(struct tvs_pcap_writer *writer, int64_t time_ns, const uint8_t *data,
                    uint32_t len)
{
    int64_t below = time_ns % NS_PER_S;
    struct pcap_pkthdr header = {.caplen = len, .len = len};

    if (below < 0)
        below += NS_PER_S;
    header.ts.tv_sec = (time_ns - below) / NS_PER_S;
    header.ts.tv_usec = below;
    pcap_dump((u_char *)writer->dumper, &header, data);
}

int tvs_pcap_finish(struct tvs_pcap_writer *writer)
{
    int rc = pcap_dump_flush(writer->dumper) || ferror(pcap_dump_file(writer->dumper)) ? -EIO : 0;

    pcap_dump_close(writer->dumper);
    pcap_close(writer->pcap);
    free(writer);
    return rc;
}
