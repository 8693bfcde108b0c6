/* can/bittiming.c - the search for time segments; see bittiming.h.
 *
 * Programs and people compare bit timings with those of their cars, so the search is Linux's in every truncation: candidates in the order in which
 * it tries them, errors in its units, the first best one wins. Sample points are in 1/1000. */
#include "can/bittiming.h"

#include <errno.h>

#define BITRATE_ERROR_MAX 50u /* 1/1000 of the bit rate */
#define SYNC_SEG          1u
#define SAMPLE_POINT_ONE  1000u

static uint32_t difference(uint32_t a, uint32_t b) { return a > b ? a - b : b - a; }

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* What CiA recommends. */
static uint32_t usual_sample_point(uint32_t bitrate)
{
    return bitrate > 800000 ? 750 : bitrate > 500000 ? 800 : 875;
}

struct candidate {
    uint32_t brp, tseg1, tseg2, sample_point;
    uint32_t rate_error, point_error;
};

/* Splits tseg = tseg1 + tseg2 so that the sample point comes as close to the wanted one as it can without passing it. Leaves
 * point_error at UINT32_MAX where it must pass it. */
static void split(struct candidate *out, const struct can_bittiming_const *limits, uint32_t wanted,
                  uint32_t tseg)
{
    uint32_t quanta = tseg + SYNC_SEG;

    out->point_error = UINT32_MAX;
    for (uint32_t i = 0; i <= 1; i++) {
        uint32_t tseg2 =
            quanta - wanted * quanta / SAMPLE_POINT_ONE - i; /* may wrap: clamped as Linux does */
        tseg2 = clamp(tseg2, limits->tseg2_min, limits->tseg2_max);
        uint32_t tseg1 = tseg - tseg2;
        if (tseg1 > limits->tseg1_max) {
            tseg1 = limits->tseg1_max;
            tseg2 = tseg - tseg1;
        }
        uint32_t point = SAMPLE_POINT_ONE * (quanta - tseg2) / quanta;
        if (point > wanted || wanted - point >= out->point_error) continue;
        out->point_error = wanted - point;
        out->sample_point = point;
        out->tseg1 = tseg1;
        out->tseg2 = tseg2;
    }
}

/* The prescaler for a bit of that many quanta. Where none fits exactly, `up` tells which side. 0: out of range. */
static uint32_t prescaler(const struct can_bittiming_const *limits, uint32_t clock_hz, uint32_t bitrate,
                          uint32_t quanta, uint32_t up)
{
    uint64_t product = (uint64_t)quanta * bitrate;
    uint32_t brp = (uint32_t)(clock_hz / product) + up;

    if (limits->brp_inc > 1) brp = brp / limits->brp_inc * limits->brp_inc;
    return brp < limits->brp_min || brp > limits->brp_max ? 0 : brp;
}

static struct candidate search(const struct can_bittiming *bt, const struct can_bittiming_const *limits,
                               uint32_t clock_hz)
{
    uint32_t wanted = bt->sample_point ? bt->sample_point : usual_sample_point(bt->bitrate);
    struct candidate best = { .rate_error = UINT32_MAX, .point_error = UINT32_MAX };
    uint32_t last = 2 * (limits->tseg1_min + limits->tseg2_min);

    for (uint32_t k = 2 * (limits->tseg1_max + limits->tseg2_max) + 1; k >= last; k--) {
        uint32_t quanta = k / 2 + SYNC_SEG;
        struct candidate now = { .brp = prescaler(limits, clock_hz, bt->bitrate, quanta, k & 1) };
        if (!now.brp) continue;
        now.rate_error = difference(bt->bitrate, clock_hz / (now.brp * quanta));
        if (now.rate_error > best.rate_error) continue;
        if (now.rate_error < best.rate_error) best.point_error = UINT32_MAX;
        split(&now, limits, wanted, k / 2);
        if (now.point_error >= best.point_error) continue;
        best = now;
        if (!now.rate_error && !now.point_error) break;
    }
    return best;
}

static int from_bitrate(struct can_bittiming *bt, const struct can_bittiming_const *limits, uint32_t clock_hz)
{
    struct candidate best = search(bt, limits, clock_hz);

    if (!best.brp || (uint64_t)best.rate_error * 1000 / bt->bitrate > BITRATE_ERROR_MAX) return -EDOM;
    uint32_t sjw = !bt->sjw ? 1 : bt->sjw > limits->sjw_max ? limits->sjw_max : bt->sjw;
    bt->sjw = sjw > best.tseg2 ? best.tseg2 : sjw;
    bt->prop_seg = best.tseg1 / 2;
    bt->phase_seg1 = best.tseg1 - bt->prop_seg;
    bt->phase_seg2 = best.tseg2;
    bt->brp = best.brp;
    bt->tq = (uint32_t)((uint64_t)best.brp * 1000000000u / clock_hz);
    bt->sample_point = best.sample_point;
    bt->bitrate = clock_hz / (best.brp * (best.tseg1 + best.tseg2 + SYNC_SEG));
    return 0;
}

static int from_quanta(struct can_bittiming *bt, const struct can_bittiming_const *limits, uint32_t clock_hz)
{
    uint32_t tseg1 = bt->prop_seg + bt->phase_seg1, sjw = bt->sjw ? bt->sjw : 1;

    if (sjw > limits->sjw_max || tseg1 < limits->tseg1_min || tseg1 > limits->tseg1_max ||
        bt->phase_seg2 < limits->tseg2_min || bt->phase_seg2 > limits->tseg2_max)
        return -ERANGE;
    uint64_t brp = (uint64_t)clock_hz * bt->tq;
    if (limits->brp_inc > 1) brp /= limits->brp_inc;
    brp = (brp + 499999999u) / 1000000000u;
    if (limits->brp_inc > 1) brp *= limits->brp_inc;
    if (brp < limits->brp_min || brp > limits->brp_max) return -EINVAL;
    bt->sjw = sjw;
    bt->brp = (uint32_t)brp;
    bt->bitrate = clock_hz / (bt->brp * bittiming_quanta(bt));
    bt->sample_point = (tseg1 + SYNC_SEG) * SAMPLE_POINT_ONE / bittiming_quanta(bt);
    return 0;
}

/* ISO 11898-1 has it for data phases with a prescaler of 1 or 2 only. */
bool bittiming_tdc_auto(struct bittiming_tdc *tdc, const struct can_bittiming *data,
                        const struct bittiming_tdc_limits *limits)
{
    uint32_t point = (SYNC_SEG + data->prop_seg + data->phase_seg1) * data->brp;

    *tdc = (struct bittiming_tdc){ 0 };
    if ((data->brp != 1 && data->brp != 2) || point < limits->min.offset) return false;
    tdc->offset = point < limits->max.offset ? point : limits->max.offset;
    return true;
}

int bittiming_complete(struct can_bittiming *bt, const struct can_bittiming_const *limits, uint32_t clock_hz)
{
    if (!bt->tq == !bt->bitrate) return -EINVAL;
    return bt->tq ? from_quanta(bt, limits, clock_hz) : from_bitrate(bt, limits, clock_hz);
}
