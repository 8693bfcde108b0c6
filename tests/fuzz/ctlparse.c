/* Fuzz target: requests to the daemon (daemon/ctlparse.h). What passes must lie inside the packet. */
#include "daemon/ctlparse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_view view;
    volatile unsigned char sum = 0;

    if (ctl_parse(data, size, &view)) return 0;
    const unsigned char *payload = view.payload;
    if (payload < data || payload + view.size != data + size) abort();
    for (size_t i = 0; i < view.size; i++)
        sum ^= payload[i];
    return 0;
}
