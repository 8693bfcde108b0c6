/* bus/attach.h - mapping the memfds of an instance. */
#ifndef BUS_ATTACH_H
#define BUS_ATTACH_H

#include "bus/bus.h"

/* Maps control (read-only unless `writable`) and data from their memfds, after checking seals, sizes, magic and version.
 * Returns 0, -EPROTO for another version, -EBADF for what are not our memfds, -ENOMEM. The fds may be closed after. */
int attach_map(struct bus *bus, int control_fd, int data_fd, bool control_writable);

#if !DATA_IS_NARROW
/* Maps the CAN XL extension area. Returns 0 or -errno. */
int attach_map_ext(struct bus *bus, int data_fd);
#endif

/* Maps a piece of `data` (far.h). Returns 0 or -errno. */
int attach_map_piece(int data_fd, uint64_t offset, size_t size, void **piece);

/* Maps a slot's window (layout.h). Returns 0 or -errno. */
int attach_map_window(int data_fd, uint32_t slot, void **window);

/* Makes and seals the two memfds of a new instance (supervisor). fds[0] control, fds[1] data. Returns 0 or -errno.
 * `control` must be mapped writable before F_SEAL_FUTURE_WRITE is set: *control receives that mapping. */
int attach_create(int fds[2], struct control **control);

#endif
