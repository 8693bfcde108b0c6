/* preload/exec.h - executing programs that the library cannot get into. */
#ifndef PRELOAD_EXEC_H
#define PRELOAD_EXEC_H

/* At start: is there a supervisor ($POCKETCAN_DOOR), and what brings programs to it? */
void exec_prepare(void);

#endif
