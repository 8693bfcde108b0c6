/* supervisor/enter.h - a program's way in: what it does before it is executed. */
#ifndef SUPERVISOR_ENTER_H
#define SUPERVISOR_ENTER_H

/* Puts the filter before this process and what it becomes, and hands the listener to the supervisor whose socket is `path`. Returns 0, also when
 * we are behind it already, or -errno, with `why` one line that says what is missing and what to do. */
int enter_door(const char *path, const char **why);

#endif
