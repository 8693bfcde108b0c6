/*
 * A thousand cyclic jobs of CAN_BCM, each the next frame of a sequence of 64 every 10 ms. The n-th frame of a job is due n intervals after its first; how late it is
 * is told by its time stamp.
 */
#include "bench.h"
#include <linux/can/bcm.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define JOBS        1000u
#define SEQUENCE    64u
#define INTERVAL_US 10000u
#define FRAMES      100u /* of each job in a slice: a second */

struct job {
    _Alignas(8) uint8_t head[sizeof(struct bcm_msg_head)];
    struct can_frame frames[SEQUENCE];
};

enum { MEDIAN = JOBS * FRAMES / 2, PERCENTILE_99 = JOBS * FRAMES / 100 * 99 };

struct jobs {
    int raw;
    int64_t first_ns[JOBS]; /* stamp of the first frame */
    uint32_t seen[JOBS];
    uint32_t next[JOBS]; /* in the sequence */
    int32_t late_us[JOBS * FRAMES];
};

static void start_jobs(int bcm)
{
    struct bcm_msg_head head = {
        .opcode = TX_SETUP, .flags = SETTIMER | STARTTIMER, .nframes = SEQUENCE, .ival2 = { 0, INTERVAL_US }
    };
    struct job job;

    for (uint32_t i = 0; i < JOBS; i++) {
        head.can_id = i | CAN_EFF_FLAG;
        memcpy(job.head, &head, sizeof(head));
        for (uint32_t n = 0; n < SEQUENCE; n++)
            job.frames[n] =
                (struct can_frame){ .can_id = i | CAN_EFF_FLAG, .len = 8, .data = { (uint8_t)n } };
        if (write(bcm, &job, sizeof(job)) != sizeof(job)) die("write(TX_SETUP)");
    }
}

/* The next frame: which job, and when. A sequence that goes back is the end. */
static uint32_t receive(struct jobs *jobs, int64_t *stamp_ns)
{
    struct can_frame frame;
    struct iovec iov = { &frame, sizeof(frame) };
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct timespec at;
    uint32_t job;

    if (recvmsg(jobs->raw, &msg, 0) != sizeof(frame)) die("recvmsg");
    if (!CMSG_FIRSTHDR(&msg)) die_because("a frame without a time stamp");
    memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(at));
    *stamp_ns = (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
    job = frame.can_id & CAN_EFF_MASK;
    if (job >= JOBS) die_because("a frame of no job");
    if ((frame.data[0] - jobs->next[job]) % SEQUENCE > SEQUENCE / 2) die_because("a sequence went back");
    jobs->next[job] = (frame.data[0] + 1u) % SEQUENCE; /* we may have been too late to see some */
    return job;
}

static int compare(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b);
}

/* How late a frame of this time is. One that is late by more than an interval takes the place of those that were left out. */
static int64_t lateness_us(struct jobs *jobs, uint32_t job, int64_t stamp_ns, uint32_t *left_out)
{
    int64_t late_us, places;

    if (!jobs->seen[job]) jobs->first_ns[job] = stamp_ns;
    late_us = (stamp_ns - jobs->first_ns[job]) / 1000 - (int64_t)jobs->seen[job]++ * INTERVAL_US;
    places = late_us > 0 ? late_us / INTERVAL_US : 0;
    jobs->seen[job] += (uint32_t)places;
    *left_out += (uint32_t)places;
    return late_us - places * INTERVAL_US;
}

/* A slice is as many frames as a second has. */
static void slice(struct series *series, void *context)
{
    struct jobs *jobs = context;
    uint32_t left_out = 0;

    for (uint32_t i = 0; i < JOBS * FRAMES; i++) {
        int64_t stamp;
        uint32_t job = receive(jobs, &stamp);
        jobs->late_us[i] = (int32_t)lateness_us(jobs, job, stamp, &left_out);
    }
    qsort(jobs->late_us, JOBS * FRAMES, sizeof(*jobs->late_us), compare);
    series_add(&series[0], jobs->late_us[MEDIAN]);
    series_add(&series[1], jobs->late_us[PERCENTILE_99]);
    series_add(&series[2], left_out * 100.0 / (JOBS * FRAMES + left_out));
}

void bench_jobs(void)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(settings.link) };
    struct series *series = series_new(3);
    struct jobs *jobs = calloc(1, sizeof(*jobs));
    int on = 1, bcm = socket(PF_CAN, SOCK_DGRAM, CAN_BCM);

    if (!jobs) die("calloc");
    if (bcm < 0) die("socket(CAN_BCM)");
    jobs->raw = can_open();
    if (setsockopt(jobs->raw, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on))) die("setsockopt(SO_TIMESTAMPNS)");
    if (connect(bcm, (struct sockaddr *)&address, sizeof(address))) die("connect");
    start_jobs(bcm);
    series_name(&series[0], "us", "jobs.late.p50");
    series_name(&series[1], "us", "jobs.late.p99");
    series_name(&series[2], "%", "jobs.left_out");
    measure(series, 3, slice, jobs);
    free(jobs);
}
