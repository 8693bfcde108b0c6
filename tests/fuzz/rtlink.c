/* tests/fuzz/rtlink.c - the parsers of link requests, and of what they say of controllers, take any bytes, and whatever it accepts can be refused again. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "netlink/rtcan.h"
#include "netlink/rtlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_strings(const struct rtlink_attrs *attrs)
{
    if (strnlen(attrs->ifname, sizeof attrs->ifname) == sizeof attrs->ifname) abort();
    if (strnlen(attrs->alt_ifname, sizeof attrs->alt_ifname) == sizeof attrs->alt_ifname) abort();
    if (strnlen(attrs->alias, sizeof attrs->alias) == sizeof attrs->alias) abort();
    if (strnlen(attrs->kind, sizeof attrs->kind) == sizeof attrs->kind) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rtlink_request request;
    static _Alignas(8) unsigned char reply[1 << 17];
    struct rtlink_ack ack = { 1, true, size % 2 };
    struct rtlink_fault fault;
    if (size == 0) return 0;
    uint64_t *message = malloc(size); /* aligned, as messages are */
    if (!message) return 0;
    memcpy(message, data, size);
    int error = rtlink_parse(message, size, size % 2, &request, &fault);
    if (error == 0) {
        check_strings(&request.link);
        if (request.link.has & RTLINK_PEER) check_strings(&request.peer);
        if (request.altname_count > RTLINK_ALTNAMES_MAX) abort();
        struct rtcan_request controller;
        if (request.link.has & RTLINK_DATA)
            rtcan_parse(request.link.info_data, request.link.info_data_size, &controller);
    } else if (error != -EBADMSG) {
        rtlink_build_error(reply, sizeof reply, message, &ack, error, &fault);
    }
    free(message);
    return 0;
}
