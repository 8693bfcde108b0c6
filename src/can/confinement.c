/* can/confinement.c - the rules as a table; see confinement.h. */
#include "can/confinement.h"

#define REC_MAX            255
#define REC_AFTER_RECOVERY 127

struct rule {
    int8_t tec, rec;
};

static const struct rule rules[CONFINEMENT_EVENTS] = {
    [CONFINEMENT_SENT] = { .tec = -1 },         [CONFINEMENT_RECEIVED] = { .rec = -1 },
    [CONFINEMENT_SEND_ERROR] = { .tec = 8 },    [CONFINEMENT_NO_ACK] = { .tec = 8 },
    [CONFINEMENT_RECEIVE_ERROR] = { .rec = 1 }, [CONFINEMENT_FIRST_TO_NOTICE] = { .rec = 9 },
    [CONFINEMENT_SENDER_STUCK] = { .tec = 8 },  [CONFINEMENT_RECEIVER_STUCK] = { .rec = 8 },
};

static uint16_t add(int value, int difference, int most)
{
    value += difference;
    return (uint16_t)(value < 0 ? 0 : value > most ? most : value);
}

static bool is_passive(const struct confinement *counters)
{
    return counters->tec >= CONFINEMENT_PASSIVE || counters->rec >= CONFINEMENT_PASSIVE;
}

void confinement_count(struct confinement *counters, enum confinement_event event)
{
    if (counters->tec >= CONFINEMENT_BUS_OFF) return;
    if (event == CONFINEMENT_NO_ACK && is_passive(counters)) return;
    if (event == CONFINEMENT_RECEIVED && counters->rec >= CONFINEMENT_PASSIVE) {
        counters->rec = REC_AFTER_RECOVERY;
        return;
    }
    counters->tec = add(counters->tec, rules[event].tec, CONFINEMENT_BUS_OFF);
    counters->rec = add(counters->rec, rules[event].rec, REC_MAX);
}

static enum can_state state_of(uint16_t counter)
{
    if (counter >= CONFINEMENT_BUS_OFF) return CAN_STATE_BUS_OFF;
    if (counter >= CONFINEMENT_PASSIVE) return CAN_STATE_ERROR_PASSIVE;
    return counter >= CONFINEMENT_WARNING ? CAN_STATE_ERROR_WARNING : CAN_STATE_ERROR_ACTIVE;
}

enum can_state confinement_tx_state(const struct confinement *counters) { return state_of(counters->tec); }
enum can_state confinement_rx_state(const struct confinement *counters) { return state_of(counters->rec); }

enum can_state confinement_state(const struct confinement *counters)
{
    enum can_state tx = confinement_tx_state(counters), rx = confinement_rx_state(counters);
    return tx > rx ? tx : rx;
}
