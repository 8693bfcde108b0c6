/* cli/capture_file.h - a capture that is being written: pcapng to a descriptor, in one buffer. */
#ifndef CLI_CAPTURE_FILE_H
#define CLI_CAPTURE_FILE_H

#include "cli/capture.h"

struct capture_interface {
    uint32_t ifindex;
    uint64_t received, dropped;
};

struct capture_file {
    int fd;
    int error; /* the first -errno of writing; -EPIPE: the reader is gone. Nothing is written after it */
    uint64_t start_ns;
    uint64_t frames, dropped;
    struct capture_interface *interfaces;
    unsigned count, room, last; /* last: where the last frame was from */
    size_t used;
    uint8_t buffer[1u << 16];
};

/* What is written now appears in `fd` with capture_file_flush() or when the buffer is full. */
void capture_file_begin(struct capture_file *file, int fd);
/* Describes an interface unless it has been; frames of one that has not been describe it, too. */
void capture_file_interface(struct capture_file *file, const struct bus *bus, uint32_t ifindex);
void capture_file_frame(struct capture_file *file, const struct bus *bus, const struct capture_frame *frame);
/* Frames that were lost after the last one. ifindex 0: nobody knows on which interface. */
void capture_file_lost(struct capture_file *file, uint32_t ifindex, uint32_t lost);
void capture_file_flush(struct capture_file *file);
/* Writes what there is to say at the end, and closes `fd`. Returns file->error. */
int capture_file_end(struct capture_file *file);

#endif
