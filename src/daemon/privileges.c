/* daemon/privileges.c - dropping what the daemon does not need.
 *
 * It needs nothing beyond its own directory: descriptors that need rights come from clients, which had them. So it keeps no capability
 * when root starts it, or in a user namespace, where everybody has them. It is not dumpable, so that a client of the same user
 * can neither trace it nor write to its memory, through which the interface table could be changed. */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITIES_MAX 64

/* What no program that we execute can get any more. An ordinary user may not change that, and has no need to. */
static void bound_nothing(void)
{
    for (int capability = 0; capability < CAPABILITIES_MAX; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

void privileges_drop(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

    bound_nothing();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    syscall(SYS_capset, &head, none);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int privileges_become(uid_t user, gid_t group)
{
    // cppcheck-suppress getpwuidCalled ; there is one thread
    const struct passwd *entry = getpwuid(user);

    bound_nothing();
    if (entry) group = entry->pw_gid;
    if ((entry ? initgroups(entry->pw_name, group) : setgroups(0, NULL)) < 0) return -errno;
    return setresgid(group, group, group) < 0 || setresuid(user, user, user) < 0 ? -errno : 0;
}
