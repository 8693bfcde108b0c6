/* supervisor/held.h - calls that cannot be answered yet. */
#ifndef SUPERVISOR_HELD_H
#define SUPERVISOR_HELD_H

#include "supervisor/call.h"

/* Runs the call, and answers it now or later. */
void held_serve(struct call *call);
/* Runs all held calls once more; `asks_for_signals`, which takes long: and lets go of those whose thread has one to see to. */
void held_retry(bool asks_for_signals);
/* Milliseconds until the next held_retry(true) at the latest; -1: nothing is held. */
int held_pause(void);
/* Ends all jobs, as a signal does, and tells the programs what they came to. */
void held_end_jobs(void);
/* The listener has gone. */
void held_drop(int listener);

#endif
