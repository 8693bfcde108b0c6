/* cli/status_model.h - what `pocketcan status` shows, as a JSON tree: the text output is made from the
 * same. */
#ifndef CLI_STATUS_MODEL_H
#define CLI_STATUS_MODEL_H

#include <jansson.h>
#include "daemon/instance.h"

/* Asks the daemon of the entered instance and reads its memories. *out is a new tree. Returns 0 or -errno
 * with `why`. */
int status_model_collect(struct instance *instance, json_t **out);

/* A filter as can-utils write it: 123:7FF, 123~7FF (inverted), 12345678:1FFFFFFF (extended). */
#define STATUS_FILTER_SIZE 32u
void status_model_filter(char out[STATUS_FILTER_SIZE], uint32_t id, uint32_t mask);

#endif
