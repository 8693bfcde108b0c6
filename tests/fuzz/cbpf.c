/*
 * Fuzz target: classic BPF (can/cbpf.h). Input: a byte whose low bits pick the kind of frame, the frame, then instructions of
 * eight bytes. A program runs whether or not it passes the check, as a sender would meet one that was scribbled over; what the
 * sanitizers see is the verdict, and that it ends.
 */
#include "can/cbpf.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t ask(uint32_t what) { return what; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t frame_sizes[4] = { 16, 72, 13, 1 };
    static struct sock_filter program[COUNT_MAX];
    static atomic_u64 words[COUNT_MAX];
    struct cbpf_frame frame = { .ifindex = 1, .ask = ask };

    if (size < 1) return 0;
    frame.size = frame_sizes[data[0] % 4];
    if (size < 1 + frame.size) return 0;
    uint8_t *bytes = malloc(frame.size); /* of its exact size, so that a byte too far is seen */
    if (!bytes) return 0;
    memcpy(bytes, data + 1, frame.size);
    frame.bytes = bytes;

    size_t left = size - 1 - frame.size;
    uint32_t count = left / 8 < COUNT_MAX ? (uint32_t)(left / 8) : COUNT_MAX;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&program[i], data + 1 + frame.size + (size_t)i * 8, 8);
        words[i] = cbpf_pack(program[i]);
        struct sock_filter back = cbpf_unpack(words[i]);
        if (memcmp(&back, &program[i], 8)) abort();
    }
    cbpf_check(program, count);
    cbpf_run(words, count, &frame);
    free(bytes);
    return 0;
}
