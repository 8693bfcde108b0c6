/* cli/doctor.h - what `pocketcan doctor` looks at. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>

enum doctor_result { DOCTOR_OK, DOCTOR_NO, DOCTOR_NOT_APPLICABLE };

struct doctor_finding {
    enum doctor_result result;
    char detail[256]; /* what is so */
    char advice[256]; /* what to do about it; "" nothing */
};

struct doctor_check {
    const char *name;
    bool required; /* pocketcan does not work without */
    void (*look)(struct doctor_finding *finding);
};

/* Ends with name NULL. */
extern const struct doctor_check doctor_checks[];

/* Checks about the machine around us (doctor_machine.c). */
void doctor_look_at_kernel_can(struct doctor_finding *finding);
void doctor_look_at_vcan_module(struct doctor_finding *finding);
void doctor_look_at_files(struct doctor_finding *finding);
void doctor_look_at_space(struct doctor_finding *finding);
void doctor_look_at_queue(struct doctor_finding *finding);
void doctor_look_at_sudo(struct doctor_finding *finding);
void doctor_look_at_ld_so_preload(struct doctor_finding *finding);
void doctor_look_at_mirrors(struct doctor_finding *finding);
void doctor_look_at_machine(struct doctor_finding *finding);

/* Sets all of a finding; `detail` is a format. */
__attribute__((format(printf, 4, 5))) void doctor_find(struct doctor_finding *finding,
                                                       enum doctor_result result, const char *advice,
                                                       const char *detail, ...);

/* The child of the preload check: status 0 when it, too, sees the interface DOCTOR_LINK and can open a CAN
 * socket. */
#define DOCTOR_LINK "doctor0"
int doctor_probe(void);

#endif
