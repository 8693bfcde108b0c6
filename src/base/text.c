/* base/text.c - see text.h. */
#include "base/text.h"
#include "base/sys.h"
#include <fcntl.h>

void text_read(const char *path, int flags, char *out, size_t room)
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags, 0);
    long size = fd < 0 ? 0 : sys_call(SYS_read, fd, out, room - 1);

    out[size > 0 ? size : 0] = 0;
    if (fd >= 0) sys_call(SYS_close, fd);
}
