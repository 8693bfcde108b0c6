/* tests/unit/simbus.c - controllers on a simulated bus, one behaviour at a time. */
#include "unit/simbus_bench.h"

#define RATE 500000u
#define BIT  2000u /* ns */

static struct simfault fault;

static void add_fault(unsigned i, enum simfault_kind kind, unsigned directions)
{
    fault = (struct simfault){ .kind = kind, .directions = directions, .until = SIMBUS_NEVER };
    simnode_add_fault(&station[i].node, &fault);
}

/* ---- the ordinary case ---- */

static void a_frame_takes_exactly_its_bits(void **state)
{
    struct can_frame frame = { .can_id = 0x123, .len = 2, .data = { 0x11, 0x22 } };
    struct wire_length length = wire_measure(&frame, FRAME_CC, 0);

    (void)state;
    set_up(3, RATE, 0, 0);
    uint64_t start = bus.now;
    put(0, FRAME_CC, &frame);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[0].received, 0);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(station[i].received, 1);
        assert_int_equal(station[i].received_at, start + length.slow * BIT);
        assert_memory_equal(&station[i].last, &frame, sizeof frame);
    }
    assert_int_equal(station[0].done_at, station[1].received_at);
    assert_int_equal(station[0].node.counts.latency_ns, length.slow * BIT);
    assert_int_equal(bus.counts.busy_ns, (length.slow + WIRE_INTERMISSION) * BIT);
}

static void fd_frames_switch_to_the_data_rate(void **state)
{
    struct canfd_frame frame = { .can_id = 0x12345 | CAN_EFF_FLAG, .len = 61, .flags = CANFD_BRS };
    struct wire_length length;

    (void)state;
    memset(frame.data, 0xa5, 61);
    length = wire_measure(&frame, FRAME_FD, 0);
    set_up(2, RATE, 2000000, 0);
    uint64_t start = bus.now;
    put(0, FRAME_FD, &frame);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(station[1].received_at - start, length.slow * 2000 + length.fast * 500);
    assert_int_equal(station[1].last.len, 64);
    assert_int_equal(station[1].last.data[60], 0xa5);
    assert_int_equal(station[1].last.data[61], 0);
    assert_int_equal(station[1].last.flags & (CANFD_BRS | CANFD_ESI), CANFD_BRS);
}

static void frames_follow_each_other_after_three_bits(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    for (unsigned i = 0; i < 10; i++)
        put_id(0, 0x100);
    uint64_t start = bus.now;
    struct can_frame frame = { .can_id = 0x100, .len = 8, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } };
    uint64_t bits = wire_measure(&frame, FRAME_CC, 0).slow;
    run_dry(SECOND);
    assert_int_equal(station[1].received, 10);
    assert_int_equal(station[1].received_at - start, (10 * bits + 9 * 3) * BIT);
}

static void raw_dlc_travels_between_those_who_want_it(void **state)
{
    struct can_frame frame = { .can_id = 5, .len = 8, .len8_dlc = 13 };

    (void)state;
    set_up(3, RATE, 0, 0);
    station[0].node.settings.modes = station[1].node.settings.modes = CAN_CTRLMODE_CC_LEN8_DLC;
    put(0, FRAME_CC, &frame);
    run_dry(SECOND);
    assert_int_equal(((struct can_frame *)&station[1].last)->len8_dlc, 13);
    assert_int_equal(((struct can_frame *)&station[2].last)->len8_dlc, 0);
    put(2, FRAME_CC, &frame);
    run_dry(SECOND);
    assert_int_equal(((struct can_frame *)&station[1].last)->len8_dlc, 0);
}

static void controllers_join_after_eleven_recessive_bits(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    simnode_stop(&station[1].node, bus.now);
    simnode_start(&station[1].node, bus.now);
    uint64_t start = bus.now;
    assert_int_equal(simbus_next(&bus), start + 11 * BIT);
    run_bits(10, RATE);
    assert_int_equal(station[1].node.phase, SIMNODE_JOINING);
    run_bits(1, RATE);
    assert_int_equal(station[1].node.phase, SIMNODE_ON);
}

static void one_that_comes_in_mid_frame_gets_the_next(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    simnode_stop(&station[2].node, bus.now);
    put_id(0, 1);
    put_id(0, 2);
    run_bits(20, RATE);
    simnode_start(&station[2].node, bus.now);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 2);
    assert_int_equal(station[2].received, 1);
    assert_int_equal(station[2].last.can_id, 2);
}

/* ---- arbitration ---- */

static void the_lowest_goes_first_and_losers_try_again(void **state)
{
    (void)state;
    set_up(4, RATE, 0, 0);
    put_id(0, 0x300);
    put_id(1, 0x100);
    put_id(2, 0x200);
    run_dry(SECOND);
    assert_true(station[1].done_at < station[2].done_at && station[2].done_at < station[0].done_at);
    assert_int_equal(station[0].node.counts.arbitration_lost, 2);
    assert_int_equal(station[2].node.counts.arbitration_lost, 1);
    assert_int_equal(station[0].errors, 2);
    assert_int_equal(station[0].error[0].can_id & ~CAN_ERR_FLAG, CAN_ERR_LOSTARB | 0x200);
    assert_int_equal(station[0].error[0].data[0], 1); /* 01100... against 00100... */
    assert_int_equal(station[3].received, 3);
}

static void equal_identifiers_with_other_data_collide(void **state)
{
    struct can_frame a = { .can_id = 0x100, .len = 1, .data = { 1 } },
                     b = { .can_id = 0x100, .len = 1, .data = { 2 } };

    (void)state;
    set_up(3, RATE, 0, CAN_CTRLMODE_BERR_REPORTING);
    put(0, FRAME_CC, &a);
    put(1, FRAME_CC, &b);
    run_bits(100, RATE);
    assert_int_equal(bus.counts.errors, 1);
    assert_int_equal(station[0].node.errors.tec, 8);
    assert_int_equal(station[1].node.errors.tec, 8);
    assert_int_equal(station[2].node.errors.rec, 1);
    assert_int_equal(station[0].error[0].data[2], CAN_ERR_PROT_BIT1 | CAN_ERR_PROT_TX);
    assert_int_equal(station[0].error[0].data[3], CAN_ERR_PROT_LOC_DATA);
    run_dry(SECOND); /* and so on, until both have left the bus */
    assert_int_equal(station[0].node.phase, SIMNODE_BUS_OFF);
    assert_int_equal(station[1].node.phase, SIMNODE_BUS_OFF);
    assert_int_equal(station[2].received, 0);
    assert_int_equal(bus.counts.errors, 32);
}

static void equal_frames_are_one(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    put_id(0, 0x100);
    put_id(1, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[0].sent + station[1].sent, 2);
    assert_int_equal(bus.counts.frames, 1);
    assert_int_equal(station[2].received, 1);
}

/* ---- nobody answers ---- */

static void alone_it_becomes_passive_and_stays_so(void **state)
{
    (void)state;
    set_up(1, RATE, 0, 0);
    put_id(0, 0x100);
    simbus_run(&bus, bus.now + SECOND);
    assert_int_equal(station[0].node.errors.tec, 128);
    assert_int_equal(station[0].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_int_equal(station[0].errors, 2); /* warning, passive */
    assert_int_equal(station[0].error[0].data[1], CAN_ERR_CRTL_TX_WARNING);
    assert_int_equal(station[0].error[1].data[1], CAN_ERR_CRTL_TX_PASSIVE);
    assert_int_equal(station[0].sent, 0);
    assert_true(bus.counts.errors > 3000);
    station[1].node.ops = &notes; /* somebody comes */
    simbus_attach(&bus, &station[1].node);
    configure(1, RATE, 0, 0);
    simnode_start(&station[1].node, bus.now);
    run_bits(1000, RATE);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(station[0].node.errors.tec, 127);
    assert_int_equal(station[0].node.state, CAN_STATE_ERROR_WARNING);
    assert_int_equal(station[0].errors, 3);
}

static void each_missing_answer_is_reported_when_asked_for(void **state)
{
    static const uint8_t first[8] = { 0, 0, CAN_ERR_PROT_TX, CAN_ERR_PROT_LOC_ACK, 0, 0, 8, 0 };

    (void)state;
    set_up(1, RATE, 0, CAN_CTRLMODE_BERR_REPORTING);
    put_id(0, 0x100);
    run_bits(1000, RATE);
    assert_true(station[0].errors >= 7);
    assert_int_equal(station[0].error[0].can_id, 0x200002a8);
    assert_memory_equal(station[0].error[0].data, first, 8);
    assert_int_equal(station[0].node.counts.bus_error, station[0].errors);
}

static void one_shot_gives_up(void **state)
{
    (void)state;
    set_up(1, RATE, 0, CAN_CTRLMODE_ONE_SHOT);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[0].given_up, 1);
    assert_int_equal(bus.counts.errors, 1);
    set_up(3, RATE, 0, CAN_CTRLMODE_ONE_SHOT);
    put_id(0, 0x100);
    put_id(1, 0x101);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[1].given_up, 1);
}

static void presumed_acknowledgement_and_loopback_need_nobody(void **state)
{
    (void)state;
    set_up(1, RATE, 0, CAN_CTRLMODE_PRESUME_ACK);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[0].received, 0);
    set_up(1, RATE, 0, CAN_CTRLMODE_LOOPBACK);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[0].received, 1);
}

static void listeners_do_not_answer(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    station[1].node.settings.modes = CAN_CTRLMODE_LISTENONLY;
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1); /* the third one answered */
    simnode_stop(&station[2].node, bus.now);
    put_id(0, 0x101);
    run_bits(1000, RATE); /* active error flags are in the way */
    assert_int_equal(station[1].received, 1);
    run_bits(10000, RATE); /* passive ones are not */
    assert_int_equal(station[0].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_true(station[1].received > 10);
    assert_int_equal(station[1].last.can_id, 0x101);
    assert_int_equal(station[1].node.errors.rec, 0);
    put_id(1, 1);
    run_bits(1000, RATE);
    assert_int_equal(station[1].sent, 0);
}

/* ---- errors ---- */

static void bit_errors_lead_off_the_bus_and_restart_leads_back(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    add_fault(0, SIMFAULT_BIT, SIMFAULT_TX);
    fault.left = 32;
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[0].node.phase, SIMNODE_BUS_OFF);
    assert_int_equal(station[0].node.state, CAN_STATE_BUS_OFF);
    assert_int_equal(station[0].given_up, 1);
    assert_int_equal(station[0].errors, 3);
    assert_int_equal(station[0].error[2].can_id, CAN_ERR_FLAG | CAN_ERR_BUSOFF);
    assert_int_equal(station[0].node.counts.error_warning, 1);
    assert_int_equal(station[0].node.counts.error_passive, 1);
    assert_int_equal(station[0].node.counts.bus_off, 1);
    assert_int_equal(station[1].node.errors.rec, 32);
    assert_int_equal(bus.counts.errors, 32);
    run_bits(100, RATE);
    uint64_t start = bus.now;
    simnode_restart(&station[0].node, start);
    put_id(0, 0x101);
    assert_int_equal(simbus_next(&bus), start + 128ull * 11 * BIT);
    run_dry(SECOND);
    assert_int_equal(station[1].last.can_id, 0x101);
}

static void recovery_counts_the_pauses_of_a_busy_bus(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    add_fault(0, SIMFAULT_BIT, SIMFAULT_TX);
    fault.left = 32;
    put_id(0, 0x100);
    run_dry(SECOND);
    for (unsigned i = 0; i < 10; i++)
        put_id(1, 0x200);
    simbus_run(&bus, bus.now + 2000);
    simnode_restart(&station[0].node, bus.now);
    for (unsigned left = 127; left > 1 && station[0].node.phase == SIMNODE_JOINING; left--) {
        unsigned sent = station[1].sent;
        while (station[1].sent == sent)
            simbus_run(&bus, simbus_next(&bus));
        put_id(1, 0x200);
    }
    assert_int_equal(station[0].node.phase, SIMNODE_JOINING); /* one sequence for each of 126 frames */
    run_dry(SECOND);
    assert_int_equal(station[0].node.phase, SIMNODE_ON);
}

static void an_error_of_one_receiver_spoils_the_frame_for_all(void **state)
{
    (void)state;
    set_up(4, RATE, 0, CAN_CTRLMODE_BERR_REPORTING);
    add_fault(1, SIMFAULT_STUFF, SIMFAULT_RX);
    fault.left = 1;
    put_id(0, 0x100);
    run_bits(110, RATE);
    assert_int_equal(bus.counts.errors, 1);
    assert_int_equal(station[0].node.errors.tec, 8);
    assert_int_equal(station[1].node.errors.rec, 9);
    assert_int_equal(station[2].node.errors.rec, 1);
    assert_int_equal(station[3].node.errors.rec, 1);
    assert_int_equal(station[1].error[0].data[2], CAN_ERR_PROT_STUFF);
    assert_int_equal(station[1].error[0].data[3], CAN_ERR_PROT_LOC_DATA);
    assert_int_equal(station[0].error[0].data[2], CAN_ERR_PROT_BIT | CAN_ERR_PROT_TX);
    run_dry(SECOND); /* it is sent again */
    assert_int_equal(station[1].received, 1);
    assert_int_equal(station[2].received, 1);
    assert_int_equal(station[0].node.errors.tec, 7);
    assert_int_equal(station[1].node.errors.rec, 8);
}

static void a_passive_receiver_only_misses_the_frame(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    station[1].node.errors.rec = 128;
    add_fault(1, SIMFAULT_CRC, SIMFAULT_RX);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(bus.counts.errors, 0);
    assert_int_equal(station[1].received, 0);
    assert_int_equal(station[2].received, 1);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[1].node.errors.rec, 129);
}

static void errors_of_all_receivers_count_one_each(void **state)
{
    static const struct {
        enum simfault_kind kind;
        uint8_t type, location;
    } rows[] = { { SIMFAULT_STUFF, CAN_ERR_PROT_STUFF, CAN_ERR_PROT_LOC_DATA },
                 { SIMFAULT_FORM, CAN_ERR_PROT_FORM, CAN_ERR_PROT_LOC_CRC_DEL },
                 { SIMFAULT_CRC, 0, CAN_ERR_PROT_LOC_CRC_SEQ } };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        set_up(3, RATE, 0, CAN_CTRLMODE_BERR_REPORTING);
        add_fault(0, rows[i].kind, SIMFAULT_TX);
        fault.left = 1;
        put_id(0, 0x100);
        run_dry(SECOND);
        for (unsigned k = 1; k < 3; k++) {
            assert_int_equal(station[k].errors, 1);
            assert_int_equal(station[k].error[0].data[2], rows[i].type);
            assert_int_equal(station[k].error[0].data[3], rows[i].location);
            assert_int_equal(station[k].error[0].data[7], 1);
            assert_int_equal(station[k].received, 1);
        }
        assert_int_equal(station[0].node.errors.tec, 7);
    }
}

static void a_passive_sender_lets_others_go_first(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    station[0].node.errors.tec = 200;
    put_id(0, 0x001);
    put_id(0, 0x002);
    run_bits(50, RATE);
    put_id(1, 0x400);
    run_dry(SECOND);
    assert_true(station[1].done_at < station[0].done_at);
}

static void a_passive_sender_says_so_in_fd_frames(void **state)
{
    struct canfd_frame frame = { .can_id = 1, .len = 1 };

    (void)state;
    set_up(2, RATE, 2000000, 0);
    station[0].node.errors.tec = 200;
    put(0, FRAME_FD, &frame);
    run_dry(SECOND);
    assert_int_equal(station[1].last.flags & CANFD_ESI, CANFD_ESI);
}

static void a_sender_that_stops_leaves_a_broken_frame(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    put_id(0, 0x100);
    put_id(1, 0x200);
    run_bits(40, RATE);
    simnode_stop(&station[0].node, bus.now);
    run_dry(SECOND);
    assert_int_equal(bus.counts.errors, 1);
    assert_int_equal(station[0].sent + station[0].given_up, 0);
    assert_int_equal(station[2].received, 1);
    assert_int_equal(station[2].last.can_id, 0x200);
    assert_int_equal(station[1].node.errors.rec, 1);
}

/* ---- settings that do not match ---- */

static void another_bit_rate_disturbs_until_it_is_passive(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    simnode_stop(&station[2].node, bus.now);
    configure(2, 250000, 0, 0);
    simnode_start(&station[2].node, bus.now);
    run_bits(100, RATE);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[2].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_int_equal(station[2].received, 0);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(bus.counts.errors, 15); /* 9 each */
    put_id(2, 1);
    simbus_run(&bus, bus.now + SECOND);
    assert_int_equal(station[2].sent, 0);
}

static void bit_rates_that_differ_little_understand_each_other(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    simnode_stop(&station[1].node, bus.now);
    configure(1, 501000, 0, 0);
    simnode_start(&station[1].node, bus.now);
    run_bits(100, RATE);
    put_id(0, 0x100);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(bus.counts.errors, 0);
}

static void fd_frames_are_errors_to_classical_controllers(void **state)
{
    struct canfd_frame frame = { .can_id = 1, .len = 1 };

    (void)state;
    set_up(3, RATE, 2000000, CAN_CTRLMODE_BERR_REPORTING);
    station[2].node.settings.modes &= ~(uint32_t)CAN_CTRLMODE_FD;
    put(0, FRAME_FD, &frame);
    run_bits(100, RATE);
    assert_true(station[2].errors > 0);
    assert_int_equal(station[2].error[0].data[2], CAN_ERR_PROT_FORM);
    assert_int_equal(station[2].error[0].data[3], CAN_ERR_PROT_LOC_RES0);
    assert_true(station[0].node.errors.tec > 0);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(station[2].received, 0);
}

static void other_data_rates_and_other_crcs_are_errors(void **state)
{
    struct canfd_frame slow = { .can_id = 1, .len = 1 }, fast = { .can_id = 1, .len = 1, .flags = CANFD_BRS };

    (void)state;
    set_up(2, RATE, 2000000, 0);
    simnode_stop(&station[1].node, bus.now);
    configure(1, RATE, 4000000, 0);
    simnode_start(&station[1].node, bus.now);
    run_bits(100, RATE);
    put(0, FRAME_FD, &slow);
    run_dry(SECOND);
    assert_int_equal(bus.counts.errors, 0);
    put(0, FRAME_FD, &fast);
    run_bits(100, RATE);
    assert_true(bus.counts.errors > 0);
    set_up(2, RATE, 2000000, 0);
    station[1].node.settings.modes |= CAN_CTRLMODE_FD_NON_ISO;
    put(0, FRAME_FD, &slow);
    run_bits(100, RATE);
    assert_true(bus.counts.errors > 0);
}

/* ---- faults without errors ---- */

static void frames_get_lost_on_demand(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    add_fault(1, SIMFAULT_LOST, SIMFAULT_RX);
    fault.id = 0x100;
    fault.mask = 0x7f0;
    put_id(0, 0x107);
    put_id(0, 0x110);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1);
    assert_int_equal(station[2].received, 2);
    simnode_remove_fault(&station[1].node, &fault);
    add_fault(0, SIMFAULT_LOST, SIMFAULT_TX);
    put_id(0, 0x107);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 3);
    assert_int_equal(station[1].received + station[2].received, 3);
    assert_int_equal(fault.hits, 1);
}

static void data_gets_corrupted_on_demand(void **state)
{
    static const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    unsigned differ = 0;

    (void)state;
    set_up(3, RATE, 0, 0);
    add_fault(1, SIMFAULT_CORRUPT, SIMFAULT_RX);
    put_id(0, 0x107);
    run_dry(SECOND);
    for (unsigned i = 0; i < 8; i++)
        differ += (unsigned)__builtin_popcount(data[i] ^ station[1].last.data[i]);
    assert_int_equal(differ, 1);
    assert_memory_equal(station[2].last.data, data, 8);
}

static void overruns_are_told(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    add_fault(1, SIMFAULT_OVERRUN, SIMFAULT_RX);
    put_id(0, 0x107);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[1].received, 0);
    assert_int_equal(station[1].node.counts.overruns, 1);
    assert_int_equal(station[1].error[0].can_id & CAN_ERR_CRTL, CAN_ERR_CRTL);
    assert_int_equal(station[1].error[0].data[1], CAN_ERR_CRTL_RX_OVERFLOW);
}

static void frames_are_delayed_on_demand(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    add_fault(0, SIMFAULT_DELAY, SIMFAULT_TX);
    fault.extra_ns = 12345678;
    uint64_t start = bus.now;
    put_id(0, 0x107);
    assert_int_equal(simbus_next(&bus), start + 12345678);
    run_dry(SECOND);
    assert_int_equal(station[1].received, 1);
}

static void faults_have_windows_and_chances(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    add_fault(1, SIMFAULT_LOST, SIMFAULT_RX);
    fault.from = bus.now + SECOND;
    fault.until = bus.now + 2 * SECOND;
    for (unsigned second = 0; second < 3; second++) {
        put_id(0, 1);
        simbus_run(&bus, bus.now + SECOND);
    }
    assert_int_equal(station[1].received, 2);
    fault.from = 0;
    fault.until = SIMBUS_NEVER;
    fault.chance = 1u << 30;
    unsigned arrived[2];
    for (unsigned run = 0; run < 2; run++) {
        unsigned before = station[1].received;
        fault.random = 42;
        for (unsigned i = 0; i < 1000; i++) {
            put_id(0, 1);
            run_dry(SECOND);
        }
        arrived[run] = station[1].received - before;
    }
    assert_in_range(arrived[0], 700, 800);
    assert_int_equal(arrived[0], arrived[1]);
}

/* ---- faults of a controller ---- */

static void a_babbling_node_starves_the_others(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    add_fault(0, SIMFAULT_BABBLE, SIMFAULT_TX);
    fault.from = bus.now + SECOND / 100;
    fault.until = bus.now + SECOND / 10;
    put_id(1, 0x100);
    simbus_run(&bus, bus.now + SECOND / 100);
    assert_int_equal(station[1].sent, 1);
    put_id(1, 0x101);
    simbus_run(&bus, bus.now + SECOND / 20);
    assert_int_equal(station[1].sent, 1);
    assert_true(station[1].node.counts.arbitration_lost > 100);
    assert_true(station[2].received > 100);
    assert_int_equal(station[0].sent + station[0].given_up, 0);
    simbus_run(&bus, bus.now + SECOND / 10);
    assert_int_equal(station[1].sent, 2);
}

static void a_dominant_bus_drives_its_sender_off(void **state)
{
    (void)state;
    set_up(3, RATE, 0, 0);
    put_id(0, 0x100);
    run_bits(40, RATE);
    add_fault(2, SIMFAULT_DOMINANT, SIMFAULT_TX);
    fault.from = bus.now;
    fault.until = bus.now + SECOND;
    put_id(1, 0x101);
    run_bits(32 * 8, RATE);
    assert_int_equal(station[0].node.state, CAN_STATE_BUS_OFF);
    assert_int_equal(station[1].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_int_equal(station[2].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_int_equal(station[1].sent, 0);
    simbus_run(&bus, bus.now + 2 * SECOND);
    assert_int_equal(station[1].sent, 1);
    assert_int_equal(station[2].received, 1);
}

static void a_dominant_bus_ends_when_the_fault_is_removed(void **state)
{
    (void)state;
    set_up(2, RATE, 0, 0);
    add_fault(1, SIMFAULT_DOMINANT, SIMFAULT_TX);
    put_id(0, 0x100);
    simbus_run(&bus, bus.now + SECOND);
    assert_int_equal(station[0].sent, 0);
    assert_int_equal(simbus_next(&bus), SIMBUS_NEVER);
    simnode_remove_fault(&station[1].node, &fault);
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 1);
}

static void a_controller_that_is_cut_off_sends_when_it_is_back(void **state)
{
    static struct simbus other;

    (void)state;
    set_up(3, RATE, 0, 0);
    other = (struct simbus){ .now = bus.now };
    put_id(0, 0x100);
    run_bits(30, RATE);
    simbus_move(&station[0].node, &other, bus.now);
    put_id(1, 0x200);
    for (unsigned i = 0; i < 1000; i++) {
        simbus_run(&bus, bus.now + 100000);
        simbus_run(&other, bus.now);
    }
    assert_int_equal(station[0].node.state, CAN_STATE_ERROR_PASSIVE);
    assert_int_equal(station[0].node.errors.tec, 128);
    assert_int_equal(station[2].received, 1);
    assert_int_equal(station[2].last.can_id, 0x200);
    assert_int_equal(station[1].node.errors.rec, 1); /* what broke off */
    assert_int_equal(station[2].node.errors.rec, 0); /* that, and a frame */
    simbus_move(&station[0].node, &bus, bus.now);
    run_dry(SECOND);
    simbus_run(&other, bus.now); /* where its frame broke off */
    assert_int_equal(simbus_next(&other), SIMBUS_NEVER);
    assert_int_equal(station[0].sent, 1);
    assert_int_equal(station[2].last.can_id, 0x100);
    assert_int_equal(station[0].node.errors.tec, 127);
}

/* ---- at length ---- */

static uint64_t previous_end;
static unsigned in_order;

/* Whoever sent this frame had the lowest priority of all that were waiting when it began, and it began as soon as it could. */
static void check_order(struct station *s, bool sent, uint64_t at)
{
    struct wire_length length = wire_measure(&s->node.frame, s->node.kind, 0);
    uint64_t began = at - length.slow * BIT, earliest = SIMBUS_NEVER;

    assert_true(sent);
    for (unsigned i = 0; i < NODES; i++) {
        const struct simnode *node = &station[i].node;
        if ((!node->pending && node != &s->node) || (node->given_at >= at)) continue;
        if (node->given_at < earliest) earliest = node->given_at;
        if (node->given_at <= began && node != &s->node) assert_true(node->priority > s->node.priority);
    }
    if (earliest < previous_end + 3 * BIT) earliest = previous_end + 3 * BIT;
    assert_int_equal(began, earliest);
    previous_end = at;
    in_order++;
}

static void order_is_that_of_the_pending_priorities(void **state)
{
    (void)state;
    set_up(NODES, RATE, 0, 0);
    srand(11);
    previous_end = 0;
    in_order = 0;
    on_done = check_order;
    for (unsigned i = 0; i < 100000; i++) {
        unsigned from = (unsigned)rand() % NODES;
        uint32_t id = (uint32_t)rand() & CAN_EFF_MASK;
        struct can_frame frame = { .len = (uint8_t)(rand() % 9) };
        /* the last three bits are the sender's own: no two senders have the same */
        frame.can_id = rand() % 2 ? ((id & ~7u) | from) | CAN_EFF_FLAG : ((id & 0x7f8) | from);
        if (rand() % 8 == 0) frame.can_id |= CAN_RTR_FLAG;
        if (station[from].queued - station[from].taken < QUEUE) put(from, FRAME_CC, &frame);
        if (rand() % 3) simbus_run(&bus, bus.now + (uint64_t)rand() % (400 * BIT));
    }
    run_dry(100 * SECOND);
    assert_true(in_order > 60000);
    assert_int_equal(bus.counts.errors, 0);
}

static uint64_t hash;

static void mix(uint64_t value) { hash = (hash ^ value) * 0x100000001b3ull + (hash >> 29); }

static void mix_received(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t at)
{
    const uint8_t *bytes = frame;
    mix((uint64_t)(of(node) - station));
    for (unsigned i = 0; i < (kind == FRAME_FD ? FRAME_FD_SIZE : FRAME_CC_SIZE); i++)
        mix(bytes[i]);
    mix(at);
}

static void mix_done(struct simnode *node, bool sent, uint64_t at)
{
    mix((uint64_t)(of(node) - station) * 2 + sent);
    mix(at);
}

static void mix_error(struct simnode *node, const struct can_frame *frame, uint64_t at)
{
    mix_received(node, frame, FRAME_CC, at);
}

/* Three seconds of random frames, faults and restarts; time goes on in steps of `step`, or from event to event. */
static uint64_t hash_of_run(unsigned seed, uint64_t step)
{
    static const struct simnode_ops mixers = { mix_received, mix_done, mix_error };
    struct simfault faults[3] = {
        { .kind = SIMFAULT_BIT, .directions = SIMFAULT_TX, .chance = 1u << 30 },
        { .kind = SIMFAULT_STUFF, .directions = SIMFAULT_RX, .chance = 1u << 28 },
        { .kind = SIMFAULT_CORRUPT, .directions = SIMFAULT_RX, .chance = 1u << 29 }
    };

    srand(seed);
    set_up(NODES, RATE, 2000000, CAN_CTRLMODE_BERR_REPORTING);
    hash = 0;
    for (unsigned i = 0; i < NODES; i++)
        station[i].node.ops = &mixers;
    for (unsigned i = 0; i < 3; i++) {
        faults[i].until = SIMBUS_NEVER;
        faults[i].random = seed + i;
        simnode_add_fault(&station[i].node, &faults[i]);
    }
    for (uint64_t at = bus.now, end = at + 3 * SECOND; at < end; at += (uint64_t)rand() % 200000) {
        struct simnode *node = &station[rand() % NODES].node;
        struct canfd_frame frame = { .can_id = (uint32_t)rand() % 16, .len = (uint8_t)(rand() % 9) };
        int kind = rand() % 2;
        while (bus.now < at) {
            uint64_t next = step ? bus.now + step : simbus_next(&bus);
            simbus_run(&bus, next < at ? next : at);
        }
        if (node->phase == SIMNODE_BUS_OFF) simnode_restart(node, at);
        if (node->phase == SIMNODE_ON) simnode_send(node, &frame, kind ? FRAME_CC : FRAME_FD, at);
    }
    return hash;
}

static void the_pace_changes_nothing(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        uint64_t first = hash_of_run(seed, 0);
        assert_true(bus.counts.errors > 1000 && bus.counts.frames > 1000);
        assert_true(first == hash_of_run(seed, 0));
        assert_true(first == hash_of_run(seed, 777));
        assert_true(first == hash_of_run(seed, SECOND));
        assert_true(first != hash_of_run(seed + 100, 0));
    }
}

/* 86400 s of three controllers that send every 10, 100 and 1000 ms. */
static void a_day_passes_in_seconds(void **state)
{
    static const uint64_t periods[] = { SECOND / 100, SECOND / 10, SECOND };
    uint64_t due[3] = { 0 }, end;

    (void)state;
    set_up(4, RATE, 0, 0);
    end = bus.now + 86400 * SECOND;
    for (unsigned i = 0; i < 3; i++)
        due[i] = bus.now;
    for (;;) {
        unsigned next = due[0] <= due[1] && due[0] <= due[2] ? 0 : due[1] <= due[2] ? 1 : 2;
        if (due[next] >= end) break;
        simbus_run(&bus, due[next]);
        put_id(next, 0x100 + next);
        due[next] += periods[next];
    }
    run_dry(SECOND);
    assert_int_equal(station[0].sent, 8640000);
    assert_int_equal(station[1].sent, 864000);
    assert_int_equal(station[2].sent, 86400);
    assert_int_equal(station[3].received, 8640000 + 864000 + 86400);
}

/* Everything at random. What must hold: time goes on, each frame that was given is done at most once, and the bus works when the faults are gone. */
static void anything_may_happen(void **state)
{
    static struct simfault faults[16];
    static bool used[16];

    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        srand(seed);
        set_up(NODES, RATE, 2000000, CAN_CTRLMODE_BERR_REPORTING);
        memset(used, 0, sizeof(used));
        for (unsigned step = 0; step < 300; step++) {
            unsigned i = (unsigned)rand() % NODES, k = (unsigned)rand() % 16;
            struct simnode *node = &station[i].node;
            uint64_t before = bus.now;
            switch (rand() % 8) {
            case 0: {
                struct simnode *owner = &station[k % NODES].node;
                if (used[k]) simnode_remove_fault(owner, &faults[k]);
                used[k] = rand() % 2;
                if (!used[k]) break;
                faults[k] = (struct simfault){
                    .kind = (enum simfault_kind)(rand() % SIMFAULT_KINDS),
                    .directions = 1 + (unsigned)rand() % 3,
                    .from = bus.now,
                    .until = rand() % 2 ? SIMBUS_NEVER : bus.now + (uint64_t)rand() % (SECOND / 100),
                    .chance = (uint32_t)rand(),
                    .random = (uint64_t)rand(),
                    .extra_ns = (uint64_t)rand() % 100000,
                };
                simnode_add_fault(owner, &faults[k]);
                break;
            }
            case 1: simnode_stop(node, bus.now); break;
            case 2:
                if (node->phase == SIMNODE_OFF) simnode_start(node, bus.now);
                if (node->phase == SIMNODE_BUS_OFF) simnode_restart(node, bus.now);
                break;
            default: {
                struct canfd_frame frame = { .can_id = (uint32_t)rand() % 4, .len = (uint8_t)(rand() % 9) };
                frame.flags = rand() % 2 ? CANFD_BRS : 0;
                frame.data[0] = (uint8_t)i;
                if (node->phase != SIMNODE_OFF && station[i].queued - station[i].taken < QUEUE)
                    put(i, rand() % 2 ? FRAME_CC : FRAME_FD, &frame);
            }
            }
            simbus_run(&bus, bus.now + (uint64_t)rand() % (SECOND / 1000));
            assert_true(bus.now >= before);
        }
        for (unsigned k = 0; k < 16; k++)
            if (used[k]) simnode_remove_fault(&station[k % NODES].node, &faults[k]);
        assert_int_equal(bus.lasting, 0);
        for (unsigned i = 0; i < NODES; i++) {
            struct station *s = &station[i];
            assert_true(s->sent + s->given_up <= s->taken);
            simnode_stop(&s->node, bus.now);
            s->queued = s->taken = s->received = s->sent = 0;
            simnode_start(&s->node, bus.now);
        }
        simbus_run(&bus, bus.now + SECOND);
        put_id(0, 7);
        run_dry(SECOND);
        assert_int_equal(station[0].sent, 1);
        assert_int_equal(station[NODES - 1].received, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_takes_exactly_its_bits),
        cmocka_unit_test(fd_frames_switch_to_the_data_rate),
        cmocka_unit_test(frames_follow_each_other_after_three_bits),
        cmocka_unit_test(raw_dlc_travels_between_those_who_want_it),
        cmocka_unit_test(controllers_join_after_eleven_recessive_bits),
        cmocka_unit_test(one_that_comes_in_mid_frame_gets_the_next),
        cmocka_unit_test(the_lowest_goes_first_and_losers_try_again),
        cmocka_unit_test(equal_identifiers_with_other_data_collide),
        cmocka_unit_test(equal_frames_are_one),
        cmocka_unit_test(alone_it_becomes_passive_and_stays_so),
        cmocka_unit_test(each_missing_answer_is_reported_when_asked_for),
        cmocka_unit_test(one_shot_gives_up),
        cmocka_unit_test(presumed_acknowledgement_and_loopback_need_nobody),
        cmocka_unit_test(listeners_do_not_answer),
        cmocka_unit_test(bit_errors_lead_off_the_bus_and_restart_leads_back),
        cmocka_unit_test(recovery_counts_the_pauses_of_a_busy_bus),
        cmocka_unit_test(an_error_of_one_receiver_spoils_the_frame_for_all),
        cmocka_unit_test(a_passive_receiver_only_misses_the_frame),
        cmocka_unit_test(errors_of_all_receivers_count_one_each),
        cmocka_unit_test(a_passive_sender_lets_others_go_first),
        cmocka_unit_test(a_passive_sender_says_so_in_fd_frames),
        cmocka_unit_test(a_sender_that_stops_leaves_a_broken_frame),
        cmocka_unit_test(another_bit_rate_disturbs_until_it_is_passive),
        cmocka_unit_test(bit_rates_that_differ_little_understand_each_other),
        cmocka_unit_test(fd_frames_are_errors_to_classical_controllers),
        cmocka_unit_test(other_data_rates_and_other_crcs_are_errors),
        cmocka_unit_test(frames_get_lost_on_demand),
        cmocka_unit_test(data_gets_corrupted_on_demand),
        cmocka_unit_test(overruns_are_told),
        cmocka_unit_test(frames_are_delayed_on_demand),
        cmocka_unit_test(faults_have_windows_and_chances),
        cmocka_unit_test(a_babbling_node_starves_the_others),
        cmocka_unit_test(a_dominant_bus_drives_its_sender_off),
        cmocka_unit_test(a_dominant_bus_ends_when_the_fault_is_removed),
        cmocka_unit_test(a_controller_that_is_cut_off_sends_when_it_is_back),
        cmocka_unit_test(order_is_that_of_the_pending_priorities),
        cmocka_unit_test(the_pace_changes_nothing),
        cmocka_unit_test(a_day_passes_in_seconds),
        cmocka_unit_test(anything_may_happen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
