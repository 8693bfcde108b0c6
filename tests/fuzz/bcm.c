/*
 * Fuzz target: the broadcast manager (can/bcm.h) on a host with a virtual clock (unit/bcmhost.h). Input: steps of a byte that says what
 * happens - the program writes, a frame comes, time passes, an interface goes - and what that needs. A written message is made of the
 * input's own bytes; opcode, identifier and interface are brought near to what exists, so that steps meet.
 *
 * Beside the sanitizers: what send() returns fits what was asked, messages are whole (unit/bcmhost.h), nothing is left at the end.
 */
#include "unit/bcmhost.h"

#define TIME_MAX   (1000 * MS) /* that passes in one step */
#define TIMERS_MAX 3000        /* that expire for one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

/* Bytes of the input; zeros behind its end. */
static void take(struct input *input, void *to, size_t size)
{
    size_t part = size < input->left ? size : input->left;

    memset(to, 0, size);
    memcpy(to, input->at, part);
    input->at += part;
    input->left -= part;
}

static uint8_t take_byte(struct input *input)
{
    uint8_t byte;

    take(input, &byte, 1);
    return byte;
}

static uint32_t near_id(uint8_t byte)
{
    static const uint32_t ids[8] = { 0x1, 0x1, 0x2, 0x80000001, 0x40000001, 0xc0000001, 0x20000004, 0x7ff };
    return ids[byte % 8];
}

static uint32_t near_interface(uint8_t byte)
{
    static const uint32_t interfaces[8] = { ANY, IF_A, IF_A, IF_A, IF_B, IF_B, DOWN, GONE };
    return interfaces[byte % 8];
}

static void check_result(const struct bcm_msg_head *head, size_t size, ssize_t result)
{
    size_t frame_size = head->flags & CAN_FD_FRAME ? 72 : 16;

    if (result < 0 ? result < -4095
                   : ((size_t)result < 56 || (size_t)result > size || ((size_t)result - 56) % frame_size))
        abort();
}

/* A message: counts of frames, then a head, then the frames. It lies in memory of its exact size. */
static void step_write(struct input *input)
{
    struct bcm_msg_head head;
    uint8_t shape = take_byte(input), id = take_byte(input), count = take_byte(input);
    uint32_t to = near_interface(take_byte(input)), frame_size;
    struct canfd_frame sent;
    size_t size;

    take(input, &head, sizeof(head));
    if (!(shape & 0x80)) { /* one that makes sense */
        head.opcode = shape % 8;
        head.flags &= 0xfff;
        head.can_id = near_id(id);
        head.nframes = count % 8;
        head.ival1.tv_sec = head.ival2.tv_sec = 0;
        head.ival1.tv_usec &= 0x3ffff;
        head.ival2.tv_usec &= 0x3ffff;
        size = sizeof(head) + (size_t)head.nframes * (head.flags & CAN_FD_FRAME ? 72 : 16);
    } else {
        size = sizeof(head) + (size_t)count * (shape & 1 ? 72 : 16) + (shape >> 4 & 3);
        if (shape & 2) size = count;
    }
    char *message = calloc(1, size ? size : 1);
    if (!message) return;
    memcpy(message, &head, size < sizeof(head) ? size : sizeof(head));
    if (size > sizeof(head)) take(input, message + sizeof(head), size - sizeof(head));
    bcm_check_send(message, size, &sent, &frame_size);
    check_result(&head, size, bcm_write(&host.bcm, message, size, to, host.now));
    free(message);
    host_echo();
}

static void step_frame(struct input *input)
{
    struct canfd_frame frame;
    uint8_t shape = take_byte(input);
    uint32_t size = shape & 1 ? FRAME_FD_SIZE : FRAME_CC_SIZE;

    take(input, &frame, size);
    frame.can_id = near_id(shape >> 1);
    if (frame_classify(&frame, size) == FRAME_NONE) frame.len %= 9;
    host_serve(&frame, size, shape & 0x80 ? IF_B : IF_A, 0);
    host_echo();
}

/* Time passes; every other time the host looks at its timers only at the end. */
static void step_time(struct input *input, unsigned *timers_left)
{
    uint32_t us;

    take(input, &us, 3);
    uint64_t end = host.now + us * 1000ull % TIME_MAX;
    if (us & 1) host.now = end;
    while (timers_next(&host.timers) <= end && *timers_left) {
        if (timers_next(&host.timers) > host.now) host.now = timers_next(&host.timers);
        timers_expire(&host.timers, host.now);
        host_echo();
        --*timers_left;
    }
    if (end > host.now) host.now = end;
}

static void step_show(struct input *input)
{
    char text[2000];
    size_t room = take_byte(input) * 8u;
    char *exact = malloc(room + 1);

    if (exact && bcm_show(&host.bcm, exact, room, host_name, NULL) > sizeof(text) * 10000) abort();
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = { data, size };
    unsigned timers_left = TIMERS_MAX;

    host_open(IF_A);
    while (input.left) {
        host.log[0] = 0;
        switch (take_byte(&input) % 8) {
        case 0:
        case 1:
        case 2: step_write(&input); break;
        case 3:
        case 4: step_frame(&input); break;
        case 5: step_time(&input, &timers_left); break;
        case 6: step_show(&input); break;
        default: bcm_link_gone(&host.bcm, near_interface(take_byte(&input)));
        }
    }
    if (!host_close()) abort();
    return 0;
}
