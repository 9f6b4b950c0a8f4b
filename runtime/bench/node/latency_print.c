/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/node/latency_print.h"

#include <stdio.h>

const uint32_t bench_load_percent[BENCH_N_LOADS] = {10, 50, 90};

static double ns(const struct bench_report *report, uint64_t cycles)
{
    return (double)cycles / report->hz * 1e9;
}

static void print_histogram(const struct bench_report *report,
                            const struct bench_histogram *histogram)
{
    printf("{\"count\": %lu, \"p50_ns\": %.1f, \"p99_ns\": %.1f, \"p999_ns\": %.1f, "
           "\"max_ns\": %.1f}",
           histogram->total, ns(report, bench_histogram_at(histogram, 0.5)),
           ns(report, bench_histogram_at(histogram, 0.99)),
           ns(report, bench_histogram_at(histogram, 0.999)), ns(report, histogram->max));
}

static void print_rounds(const struct bench_report *report, const char *name,
                         const struct bench_rounds *rounds)
{
    printf("\"%s\": {\"rounds\": %u, \"seconds\": %.4f, \"packets\": %lu, "
           "\"longest_turn_ns\": %.1f, \"long_turns\": %lu, \"latency\": ",
           name, rounds->rounds, (double)rounds->cycles / report->hz, rounds->packets,
           ns(report, rounds->longest_turn), rounds->long_turns);
    print_histogram(report, &rounds->latency);
    printf(", \"own\": ");
    print_histogram(report, &rounds->own);
    printf("}");
}

static void print_result(const struct bench_report *report, const struct bench_result *result,
                         bool first)
{
    printf("%s\n    {\"burst\": %u, \"capacity_pps\": %.0f, \"capacity_quiet_rounds\": %u, "
           "\"service\": ",
           first ? "" : ",", result->burst, result->packets_per_cycle * report->hz,
           result->capacity_rounds);
    print_histogram(report, result->capacity.quiet.latency.total > 0
                                ? &result->capacity.quiet.latency
                                : &result->capacity.disturbed.latency);
    printf(", \"loads\": [");
    for (unsigned i = 0; i < BENCH_N_LOADS; i++) {
        const struct bench_phase *phase = &result->load[i];

        printf("%s\n      {\"load_percent\": %u, \"capacity_pps\": %.0f, ", i == 0 ? "" : ",",
               bench_load_percent[i], result->load_packets_per_cycle[i] * report->hz);
        print_rounds(report, "quiet", &phase->quiet);
        printf(", ");
        print_rounds(report, "disturbed", &phase->disturbed);
        printf(", ");
        print_rounds(report, "floor_quiet", &phase->floor_quiet);
        printf(", ");
        print_rounds(report, "floor_disturbed", &phase->floor_disturbed);
        printf("}");
    }
    printf("]}");
}

static void print_events(const struct bench_report *report, const char *name,
                         const struct bench_phase *phase, uint32_t made)
{
    struct bench_histogram flip = phase->quiet.flip;

    bench_histogram_merge(&flip, &phase->disturbed.flip);
    printf(",\n  \"%s\": {\"events\": %u, \"flips_seen\": %lu, ", name, made, phase->flips);
    print_rounds(report, "quiet", &phase->quiet);
    printf(", ");
    print_rounds(report, "disturbed", &phase->disturbed);
    printf(", \"turns_quiet\": ");
    print_histogram(report, &phase->quiet.flip);
    printf(", \"turns\": ");
    print_histogram(report, &flip);
    printf("}");
}

void bench_report_print(const struct bench_report *report)
{
    const struct bench_latency_options *options = report->options;

    printf("{\"format_version\": 1, \"generation\": \"%s\", \"tsc_hz\": %.0f, "
           "\"sessions\": %u, \"protocol\": \"%s\", \"frame_bytes\": %u, \"pages\": \"%s\", "
           "\"round_us\": %u, \"long_turn_us\": %u, \"received\": %lu, \"sent\": %lu, \"starved\": "
           "%lu,\n"
           "  \"results\": [",
           report->id, report->hz, options->sessions, options->proto == TVS_TCP ? "tcp" : "udp",
           (unsigned)BENCH_MIN_FRAME, options->huge ? "2 MB" : "4 KB", options->round_us,
           (unsigned)BENCH_LONG_TURN_US, report->received, report->sent, report->starved);
    for (unsigned b = 0; b < BENCH_N_BURSTS; b++)
        print_result(report, &report->result[b], b == 0);
    printf("\n  ]");
    print_events(report, "flip_idle", &report->idle_flip, report->idle_flips);
    print_events(report, "flip_loaded", &report->flip, report->flips);
    print_events(report, "backend_changes", &report->change, report->changes);
    printf(",\n  \"events_floor\": {");
    print_rounds(report, "quiet", &report->floor.quiet);
    printf(", ");
    print_rounds(report, "disturbed", &report->floor.disturbed);
    printf("},\n  \"steps\": [");
    for (unsigned i = 0; i < BENCH_N_STEPS; i++) {
        const struct bench_step *step = &report->step[i];

        printf("%s\n    {\"name\": \"%s\", \"bound\": \"%s\", \"records\": %u, "
               "\"freed\": %u, \"disturbed\": %u, \"spent\": ",
               i == 0 ? "" : ",", step->name, step->bound, step->records, step->freed,
               step->disturbed);
        print_histogram(report, &step->spent);
        printf("}");
    }
    printf("\n  ]\n}\n");
}
