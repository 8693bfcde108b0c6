/* Time, figures, and the loop that collects them. */
#include "bench.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

struct series *series_new(unsigned count)
{
    struct series *series = calloc(count, sizeof(*series));

    if (!series) die("calloc");
    return series;
}

void series_name(struct series *series, const char *unit, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(series->name, sizeof(series->name), format, arguments);
    va_end(arguments);
    snprintf(series->unit, sizeof(series->unit), "%s", unit);
}

void series_add(struct series *series, double sample)
{
    if (series->sample_count < SAMPLES_MAX) series->sample[series->sample_count++] = sample;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Ends a repetition. */
static unsigned series_close(struct series *series)
{
    unsigned n = series->sample_count;

    if (!n) die_because("%s: no samples", series->name);
    qsort(series->sample, n, sizeof(double), compare);
    series->value[series->value_count++] =
        n % 2 ? series->sample[n / 2] : (series->sample[n / 2 - 1] + series->sample[n / 2]) / 2;
    series->sample_count = 0;
    return n;
}

static void series_print(const struct series *series, unsigned samples)
{
    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"samples\": %u, \"values\": [", series->name, series->unit,
           samples);
    for (unsigned i = 0; i < series->value_count; i++)
        printf("%s%.6g", i ? ", " : "", series->value[i]);
    puts("]}");
    fflush(stdout);
}

void measure(struct series *series, unsigned count, void (*slice)(struct series *series, void *context),
             void *context)
{
    unsigned *samples = calloc(count, sizeof(*samples));

    if (!samples) die("calloc");
    slice(series, context);
    for (unsigned i = 0; i < count; i++)
        series[i].sample_count = 0;
    for (unsigned r = 0; r < settings.repetitions; r++) {
        uint64_t end = now_ns() + settings.repetition_ns;
        do
            slice(series, context);
        while (now_ns() < end);
        for (unsigned i = 0; i < count; i++)
            samples[i] += series_close(&series[i]);
    }
    for (unsigned i = 0; i < count; i++)
        series_print(&series[i], samples[i]);
    free(samples);
}
