/* base/text.h - small files that are read whole. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* The beginning of a file, with a 0 behind it; "" when it cannot be read. Waits for nothing: nobody may have written into a fifo.
 * `flags`: O_NOFOLLOW, where the name is somebody else's to choose. */
void text_read(const char *path, int flags, char *out, size_t room);

#endif
