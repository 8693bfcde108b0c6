/* cli/sudo_policy.h - asking sudo what it would do with our variables. */
#ifndef CLI_SUDO_POLICY_H
#define CLI_SUDO_POLICY_H

enum sudo_answer {
    SUDO_UNKNOWN,
    SUDO_KEEPS,   /* our variables are let through */
    SUDO_REFUSES, /* they are not */
    SUDO_ASKS,    /* it wants a password first */
    SUDO_CANNOT,  /* it cannot become root: a container without that */
};

/* Lets the sudo at `path` run `true` with LD_PRELOAD set, without a password. */
enum sudo_answer sudo_policy_ask(const char *path);

#endif
