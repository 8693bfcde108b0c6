/* can/errframe.c - see errframe.h. */
#include "can/errframe.h"

#ifndef CAN_ERR_CNT
#define CAN_ERR_CNT 0x200u /* Linux 6.0 */
#endif

void errframe_bus_error(struct can_frame *frame, uint8_t type, uint8_t location)
{
    frame->can_id |= CAN_ERR_PROT | CAN_ERR_BUSERROR;
    if (location == CAN_ERR_PROT_LOC_ACK) frame->can_id |= CAN_ERR_ACK;
    frame->data[2] = type;
    frame->data[3] = location;
}

void errframe_arbitration_lost(struct can_frame *frame, uint8_t bit)
{
    frame->can_id |= CAN_ERR_LOSTARB;
    frame->data[0] = bit;
}

void errframe_overrun(struct can_frame *frame)
{
    frame->can_id |= CAN_ERR_CRTL;
    frame->data[1] |= CAN_ERR_CRTL_RX_OVERFLOW;
}

void errframe_restarted(struct can_frame *frame) { frame->can_id |= CAN_ERR_RESTARTED; }

static uint8_t side(enum can_state state, uint8_t warning, uint8_t passive)
{
    return state == CAN_STATE_ERROR_WARNING ? warning : passive;
}

void errframe_state(struct can_frame *frame, const struct confinement *counters)
{
    enum can_state tx = confinement_tx_state(counters), rx = confinement_rx_state(counters);

    if (tx == CAN_STATE_BUS_OFF) {
        frame->can_id |= CAN_ERR_BUSOFF;
        return;
    }
    frame->can_id |= CAN_ERR_CRTL;
    if (tx == CAN_STATE_ERROR_ACTIVE && rx == CAN_STATE_ERROR_ACTIVE) {
        frame->data[1] |= CAN_ERR_CRTL_ACTIVE;
        return;
    }
    if (tx >= rx) frame->data[1] |= side(tx, CAN_ERR_CRTL_TX_WARNING, CAN_ERR_CRTL_TX_PASSIVE);
    if (rx >= tx) frame->data[1] |= side(rx, CAN_ERR_CRTL_RX_WARNING, CAN_ERR_CRTL_RX_PASSIVE);
}

void errframe_end(struct can_frame *frame, const struct confinement *counters)
{
    if (!frame->can_id) return;
    frame->len = CAN_ERR_DLC;
    if (!(frame->can_id & (CAN_ERR_BUSOFF | CAN_ERR_RESTARTED))) {
        frame->can_id |= CAN_ERR_CNT;
        frame->data[6] = (uint8_t)counters->tec;
        frame->data[7] = (uint8_t)counters->rec;
    }
    frame->can_id |= CAN_ERR_FLAG;
}
