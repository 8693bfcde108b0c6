/* cli/link.h - interfaces for --link. */
#ifndef CLI_LINK_H
#define CLI_LINK_H

/* Makes the vcan interface `name` in the instance unless it exists, and raises it. Returns 0, or -errno
 * after printing one line. */
int link_make(const char *dir, const char *name);

#endif
