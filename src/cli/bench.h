/* cli/bench.h - asks the daemon about simulated buses (CTL_BUS). */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <jansson.h>
#include <stdbool.h>

/* Asks the daemon of `dir`. Takes over `request`. Returns 0 or -errno; *answer (if not NULL) is a new tree. */
int bench_ask(const char *dir, json_t *request, json_t **answer);

/* The same for the instance that the command runs in; says what is wrong, with `what` before it. Returns the exit status. */
int bench_call(const char *what, json_t *request, json_t **answer);

/* Makes interface `name`, on a bus that is made if need be. Returns 0 or -errno. */
int bench_make_link(const char *dir, const char *name, const char *bus);

/* A decimal number of seconds as ns; false when it is none. */
bool bench_seconds(const char *text, json_int_t *ns);

#endif
