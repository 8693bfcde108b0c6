/* cli/instances.h - which instances of this user are running. */
#ifndef CLI_INSTANCES_H
#define CLI_INSTANCES_H

#include "bus/bus.h"
#include "daemon/instance.h"

/* Calls visit for each instance of this user that runs and is of our version: first for the one that the environment names (`is_default`),
 * then for others whose socket can be seen from here, in the order of their directories. `bus` has their memory, for reading, and stays
 * mapped. */
void instances_each(void (*visit)(const struct instance *instance, const struct bus *bus, bool is_default,
                                  void *context),
                    void *context);

#endif
