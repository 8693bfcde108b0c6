/* bus/program.h - the classic BPF program of a socket (SO_ATTACH_FILTER), in its slot (struct slot_program of layout.h). */
#ifndef BUS_PROGRAM_H
#define BUS_PROGRAM_H

#include "bus/bus.h"

struct sock_filter;

/* Puts a checked program into force; count <= PROGRAM_MAX. Returns 0, or -ENOMEM (far.h). */
int program_attach(const struct bus *bus, uint32_t slot, const struct sock_filter *program, uint32_t count);
/* False when there is none. */
bool program_detach(const struct bus *bus, uint32_t slot);
/* Copies it to program[0..PROGRAM_MAX) and returns how many instructions it has; 0: none attached. */
uint32_t program_get(const struct bus *bus, uint32_t slot, struct sock_filter *program);

/* A sender: how many bytes of the frame the socket is to get; 0: it does not get the frame. */
struct program_context {
    uint32_t ifindex;
    uint32_t protocol; /* ETH_P_*; 0: what the frame says */
    bool outgoing;
};
uint32_t program_run(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
                     const struct program_context *context);

#endif
