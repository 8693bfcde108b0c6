/* preload/loader.h - programs that look libc's functions up by themselves. */
#ifndef PRELOAD_LOADER_H
#define PRELOAD_LOADER_H

/* At start: how many objects the program was started with. */
void loader_prepare(void);

#endif
