/* daemon/linkcan.c - settings of controllers, from a request to the driver; see linkops.h. */
/* prefix: linkops_ */
#include <errno.h>
#include <string.h>
#include "daemon/linkops.h"
#include "drivers/can.h"
#include "netlink/rtcan.h"

_Static_assert((int)RTCAN_BITTIMING == (int)CAN_WISH_BITTIMING && (int)RTCAN_MODES == (int)CAN_WISH_MODES &&
                   (int)RTCAN_RESTART_MS == (int)CAN_WISH_RESTART_MS &&
                   (int)RTCAN_RESTART == (int)CAN_WISH_RESTART &&
                   (int)RTCAN_DATA_BITTIMING == (int)CAN_WISH_DATA_BITTIMING &&
                   (int)RTCAN_TERMINATION == (int)CAN_WISH_TERMINATION && (int)RTCAN_TDC == (int)CAN_WISH_TDC,
               "one numbering of wishes");

static struct can_wish wish_of(const struct rtcan_request *request)
{
    return (struct can_wish){
        .has = request->has,
        .nominal = request->nominal,
        .data = request->data,
        .modes = request->modes,
        .restart_ms = request->restart_ms,
        .termination = request->termination,
        .has_tdcv = request->tdc_has & 1u << RTCAN_TDCV,
        .has_tdco = request->tdc_has & 1u << RTCAN_TDCO,
        .tdc = { request->tdc[RTCAN_TDCV], request->tdc[RTCAN_TDCO], request->tdc[RTCAN_TDCF] },
        .tdc_error = request->tdc_error,
    };
}

int linkops_check_controller(const struct rtlink_attrs *attrs, struct rtcan_request *out)
{
    int error = rtcan_parse(attrs->info_data, attrs->info_data_size, out);
    struct can_wish wish = wish_of(out);
    return error ? error : can_check_wish(&wish);
}

int linkops_change_controller(struct linkop *op, struct device *dev, const struct rtcan_request *request)
{
    const struct link_controllers *controllers = op->server->controllers;
    struct can_wish wish = wish_of(request);
    struct rtcan_info info = { 0 };
    struct rtlink_stats stats = { 0 };
    bool restart;

    if (controllers) controllers->describe(op->server->controllers_context, dev, &info, &stats);
    int error = can_apply_wish(dev, &wish, info.state == CAN_STATE_BUS_OFF, &restart);
    linktable_store(op->server, dev); /* what was done stays done */
    if (!error && restart && controllers) {
        controllers->restart(op->server->controllers_context, dev);
        linktable_load(op->server, dev->index, dev);
    }
    return error;
}
