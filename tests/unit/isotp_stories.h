/* tests/unit/isotp_stories.h - what isotp.c tells; its language is explained there. */
#ifndef UNIT_ISOTP_STORIES_H
#define UNIT_ISOTP_STORIES_H

#define FF20     "< 10 14 01..06\n > 30 00 00\n"
#define TX20(fc) "write 20\n > 10 14 01..06\n < " fc "\n > 21 07..0d\n"

static const struct {
    const char *name, *story;
} stories[] = {
    /* ---- Single frames (spec 3.4) ---- */
    { "tx_single_frame_of_1_byte", "write 1\n > 01 01\n sent 0\n idle" },
    { "tx_single_frame_of_7_bytes", "write 7\n > 07 01..07\n sent 0" },
    { "tx_single_frame_padded", "pad 0x55 0xaa\n flags tx_padding\n write 1\n > 01 01 55*6\n sent 0" },
    { "tx_single_frame_with_address", "ext 0xaa\n write 6\n > aa 06 01..06\n sent 0" },
    { "tx_single_frame_with_address_and_padding",
      "ext 0xaa\n flags ext tx_padding\n write 1\n > aa 01 01 cc*5\n sent 0" },
    { "tx_single_frame_fd_of_8_bytes_or_less", "ll 72 64 1\n write 7\n > 07 01..07\n sent 0" },
    { "tx_single_frame_fd_escape", "ll 72 64 1\n write 8\n > 00 08 01..08 cc*2\n sent 0" },
    { "tx_single_frame_fd_rounded_up", "ll 72 64 0\n write 15\n > 00 0f 01..0f cc*3\n sent 0" },
    { "tx_single_frame_fd_padded",
      "pad 0x55 0\n flags tx_padding\n ll 72 64 0\n write 15\n > 00 0f 01..0f 55*3\n sent 0" },
    { "tx_single_frame_fd_small_padded_to_8",
      "flags tx_padding\n ll 72 64 0\n write 2\n > 02 01 02 cc*5\n sent 0" },
    { "tx_single_frame_fd_full", "ll 72 64 0\n write 62\n > 00 3e 01..3e\n sent 0" },
    { "tx_single_frame_fd_with_address", "ext 0xaa\n ll 72 12 0\n write 9\n > aa 00 09 01..09\n sent 0" },
    { "tx_single_frame_fd_tx_dl_8", "ll 72 8 0\n write 7\n > 07 01..07\n sent 0" },
    { "tx_single_frame_needs_its_echo",
      "silent\n write 1\n > 01 01\n wait 1999.999ms\n busy\n wait 1us\n sent ECOMM\n idle" },
    { "tx_single_frame_that_cannot_be_sent",
      "down\n write 1: ENETDOWN\n idle\n up\n write 1\n > 01 01\n sent 0" },
    { "tx_frame_of_others_is_no_echo",
      "silent\n write 3\n > 03 01 02 03\n < 03 01 02 03\n got 3\n busy\n wait 2s\n sent ECOMM" },

    /* ---- First and consecutive frames ---- */
    { "tx_first_frame_of_8_bytes", "write 8\n > 10 08 01..06\n < 30 00 00\n > 21 07 08\n sent 0\n idle" },
    { "tx_consecutive_frames_with_address", "ext 0xaa 0xbb\n txtime 0xffffffff\n write 12\n > aa 10 0c "
                                            "01..05\n < bb 30 00 00\n > aa 21 06..0b\n > aa 22 0c\n sent 0" },
    { "tx_last_frame_padded",
      "flags tx_padding\n write 8\n > 10 08 01..06\n < 30 00 00\n > 21 07 08 cc*5\n sent 0" },
    { "tx_last_frame_fd_rounded_up",
      "ll 72 64 1\n write 72\n > 10 48 01..3e\n < 30 00 00\n > 21 3f..48 cc*1\n sent 0" },
    { "tx_first_frame_fd_of_63_bytes",
      "ll 72 64 0\n write 63\n > 10 3f 01..3e\n < 30 00 00\n > 21 3f\n sent 0" },
    { "tx_first_frame_of_4095_bytes", "write 4095\n > 1f ff 01..06\n abort\n idle" },
    { "tx_first_frame_of_4096_bytes_has_32_bits", "write 4096\n > 10 00 00 00 10 00 01 02\n abort" },
    { "tx_first_frame_of_66000_bytes_with_address",
      "ext 9\n write 66000\n > 09 10 00 00 01 01 d0 01\n abort" },
    { "tx_first_frame_fd_of_4096_bytes", "ll 72 64 0\n write 4096\n > 10 00 00 00 10 00 01..3a\n abort" },
    { "tx_sequence_numbers_go_round", "txtime 0xffffffff\n write 118\n > 10 76 01..06\n < 30 00 00\n > 21 "
                                      "07..0d\n > 22 0e..14\n > 23 15..1b\n > 24 1c..22\n"
                                      "> 25 23..29\n > 26 2a..30\n > 27 31..37\n > 28 38..3e\n > 29 3f..45\n "
                                      "> 2a 46..4c\n > 2b 4d..53\n > 2c 54..5a\n"
                                      "> 2d 5b..61\n > 2e 62..68\n > 2f 69..6f\n > 20 70..76\n sent 0" },
    { "tx_first_frame_that_cannot_be_sent", "down\n write 20: ENETDOWN\n idle\n wait 3s" },

    /* ---- Gaps ---- */
    { "tx_first_after_flow_control_is_sent_at_once",
      "write 8\n > 10 08 01..06\n < 30 00 7f\n > 21 07 08\n sent 0" },
    { "tx_gap_is_frame_txtime_and_stmin",
      "txtime 10000000\n " TX20("30 00 05") "wait 14.999999ms\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_by_default_50_us", TX20("30 00 00") "wait 49.999us\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_is_measured_from_the_echo",
      "late\n " TX20(
          "30 00 0a") "wait 300ms\n echo\n wait 10.049999ms\n wait 1ns\n > 22 0e..14\n echo\n sent 0" },
    { "tx_gap_of_stmin_f1", TX20("30 00 f1") "wait 149999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_of_stmin_f9", TX20("30 00 f9") "wait 949999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_of_stmin_80_is_127_ms", TX20("30 00 80") "wait 127049999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_of_stmin_f0_is_127_ms", TX20("30 00 f0") "wait 127049999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_of_stmin_fa_is_127_ms", TX20("30 00 fa") "wait 127049999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_of_stmin_ff_is_127_ms", TX20("30 00 ff") "wait 127049999ns\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_forced", "flags force_tx\n stmin 20000000 0\n txtime 10000000\n " TX20(
                           "30 00 7f") "wait 29.999999ms\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_gap_longer_than_the_guard_of_echoes",
      "flags force_tx\n stmin 4000000000 0\n " TX20(
          "30 00 00") "wait 4s\n busy\n wait 50us\n > 22 0e..14\n sent 0" },
    { "tx_gap_zero_is_a_burst", "txtime 0xffffffff\n " TX20("30 00 00") "> 22 0e..14\n sent 0" },
    { "tx_burst_waits_for_each_echo",
      "late\n txtime 0xffffffff\n " TX20("30 00 00") "wait 1s\n busy\n echo\n > 22 0e..14\n sent 0" },
    { "tx_consecutive_frame_without_echo",
      TX20("30 00 01") "silent\n wait 1.05ms\n > 22 0e..14\n wait 1999.999999ms\n busy\n"
                       "wait 1ns\n sent ECOMM" },
    { "tx_consecutive_frame_that_cannot_be_sent",
      "write 8\n > 10 08 01..06\n down\n < 30 00 00\n wait 1999.999999ms\n busy\n wait 1ns\n sent ECOMM" },
    { "tx_echo_that_comes_twice",
      "write 20\n > 10 14 01..06\n < 30 00 05\n > 21 07..0d\n wait 5.05ms\n > 22 0e..14\n sent 0\n wait 3s" },

    /* ---- Flow control ---- */
    { "tx_without_flow_control",
      "write 20\n > 10 14 01..06\n wait 999.999999ms\n busy\n wait 1ns\n sent ECOMM\n idle" },
    { "tx_blocks", "write 30\n > 10 1e 01..06\n < 30 02 14\n > 21 07..0d\n wait 20.05ms\n > 22 0e..14\n wait "
                   "999ms\n busy\n"
                   "< 30 00 00\n > 23 15..1b\n wait 20.049999ms\n wait 1ns\n > 24 1c..1e\n sent 0" },
    { "tx_second_flow_control_is_missing",
      "write 20\n > 10 14 01..06\n < 30 01 00\n > 21 07..0d\n wait 999.999999ms\n busy\n"
      "wait 1ns\n sent ECOMM" },
    { "tx_block_that_ends_with_the_pdu",
      "write 20\n > 10 14 01..06\n < 30 02 00\n > 21 07..0d\n wait 50us\n > 22 0e..14\n sent 0" },
    { "tx_wait_frames_without_limit",
      "write 8\n > 10 08 01..06\n wait 700ms\n < 31 00 00\n wait 700ms\n < 31 00 00\n wait 700ms\n < 31 00 "
      "00\n wait 700ms\n"
      "< 31 00 00\n wait 999.999999ms\n busy\n < 30 00 00\n > 21 07 08\n sent 0" },
    { "tx_wait_frame_and_silence", "write 8\n > 10 08 01..06\n wait 500ms\n < 31 00 00\n wait 999.999999ms\n "
                                   "busy\n wait 1ns\n sent ECOMM" },
    { "tx_parameters_of_a_wait_frame",
      "write 20\n > 10 14 01..06\n < 31 01 0a\n < 30 00 00\n > 21 07..0d\n wait 500ms\n"
      "< 30 00 00\n > 22 0e..14\n sent 0" },
    { "tx_overflow", "write 20\n > 10 14 01..06\n < 32 00 00\n sent EMSGSIZE\n idle" },
    { "tx_overflow_later",
      "write 20\n > 10 14 01..06\n < 30 01 00\n > 21 07..0d\n < 32 00 00\n sent EMSGSIZE" },
    { "tx_overflow_while_sending_is_ignored",
      TX20("30 00 0a") "< 32 00 00\n wait 10.05ms\n > 22 0e..14\n sent 0" },
    { "tx_unknown_flow_status_3", "write 20\n > 10 14 01..06\n < 33 00 00\n sent EBADMSG" },
    { "tx_unknown_flow_status_15", "write 20\n > 10 14 01..06\n < 3f 00 00\n sent EBADMSG" },
    { "tx_unknown_flow_status_later",
      "write 20\n > 10 14 01..06\n < 30 01 00\n > 21 07..0d\n < 35 00 00\n sent EBADMSG" },
    { "tx_short_flow_control", "write 20\n > 10 14 01..06\n < 30 00\n sent EBADMSG" },
    { "tx_short_flow_control_with_address",
      "ext 1\n write 20\n > 01 10 14 01..05\n < 01 30 00\n sent EBADMSG" },
    { "tx_flow_control_when_idle_is_ignored", "< 30 00 00\n < 30\n < 32 00 00\n < 3f 00 00\n idle" },
    { "tx_flow_control_of_another_address_is_ignored",
      "ext 1 2\n write 20\n > 01 10 14 01..05\n < 01 30 00 00\n wait 1s\n sent ECOMM" },
    { "tx_flow_control_of_the_other_kind_is_ignored",
      "write 20\n > 10 14 01..06\n <4 30 00 00\n wait 1s\n sent ECOMM" },
    { "tx_flow_control_overtakes_the_echo_of_its_block",
      "late\n write 20\n > 10 14 01..06\n < 30 01 00\n > 21 07..0d\n < 30 00 00\n > 22 0e..14\n busy\n "
      "echo\n sent 0" },
    { "tx_flow_control_within_a_block_is_ignored",
      "late\n write 30\n > 10 1e 01..06\n < 30 02 00\n > 21 07..0d\n < 30 00 00\n < 33 00 00\n < 30\n busy\n "
      "echo\n wait 50us\n > 22 0e..14\n abort" },
    { "tx_own_flow_control_is_no_echo",
      "late\n write 30\n > 10 1e 01..06\n echo\n < 30 00 0a\n > 21 07..0d\n silent\n echo\n echoes\n < 10 14 "
      "01..06\n > 30 00 00\n echo\n"
      "wait 500ms\n busy\n wait 500ms\n error ETIMEDOUT\n wait 1s\n sent ECOMM" },
    { "tx_echo_of_what_was_given_up_is_none",
      "late\n write 20\n > 10 14 01..06\n < 30 00 0a\n > 21 07..0d\n abort\n down\n write 1: ENETDOWN\n up\n "
      "write 9\n > 10 09 01..06\n"
      "< 30 00 00\n > 21 07..09\n abort\n write 8\n > 10 08 01..06\n < 30 00 00\n > 21 07 08\n echo\n sent "
      "0" },
    { "tx_unknown_flow_status_8", "write 20\n > 10 14 01..06\n < 38 00 00\n sent EBADMSG" },
    { "tx_goes_on_after_an_error",
      "write 20\n > 10 14 01..06\n < 32 00 00\n sent EMSGSIZE\n write 8\n > 10 08 01..06\n < 30 00 00\n"
      "> 21 07 08\n sent 0" },
    { "tx_abort_ignores_flow_control",
      "write 20\n > 10 14 01..06\n abort\n idle\n < 30 00 00\n wait 3s\n write 1\n > 01 01\n sent 0" },
    { "tx_of_a_killed_program_ends_at_flow_control", "write 20\n > 10 14 01..06\n unwanted\n busy\n < 30 00 "
                                                     "00\n idle\n wait 3s\n write 1\n > 01 01\n sent 0" },
    { "tx_abort_in_a_gap", TX20("30 00 7f") "abort\n wait 3s\n idle" },
    { "tx_in_listen_mode", "flags listen\n write 8\n > 10 08 01..06\n < 30 00 00\n > 21 07 08\n sent 0" },
    { "tx_unbind_ends_it_silently", "write 20\n > 10 14 01..06\n busy" },

    /* ---- Broadcast ---- */
    { "tx_sf_broadcast", "flags sf_broadcast\n write 7\n > 07 01..07\n sent 0\n < 01 55\n < 10 08 01..06" },
    { "tx_cf_broadcast_needs_no_flow_control",
      "flags cf_broadcast\n write 20\n > 10 14 01..06\n wait 49.999us\n wait 1ns\n > 21 07..0d\n wait "
      "49.999us\n wait 1ns\n"
      "> 22 0e..14\n sent 0\n < 01 55\n < 10 08 01..06" },
    { "tx_cf_broadcast_forced_gap", "flags cf_broadcast force_tx\n stmin 10000000 0\n write 20\n > 10 14 "
                                    "01..06\n wait 9.999999ms\n wait 1ns\n > 21 07..0d\n"
                                    "wait 9.999999ms\n wait 1ns\n > 22 0e..14\n sent 0" },
    { "tx_cf_broadcast_burst", "txtime 0xffffffff\n flags cf_broadcast\n write 20\n > 10 14 01..06\n > 21 "
                               "07..0d\n > 22 0e..14\n sent 0" },
    { "tx_cf_broadcast_first_frame_without_echo",
      "flags cf_broadcast\n silent\n write 20\n > 10 14 01..06\n wait 1999.999999ms\n busy\n"
      "wait 1ns\n sent ECOMM" },

    /* ---- Reception: single frames ---- */
    { "rx_single_frame", "< 01 55\n got 1 55\n < 07 01..07\n got 7" },
    { "rx_single_frame_with_bytes_behind", "< 02 01 02 cc cc\n got 2" },
    { "rx_single_frame_of_length_0", "< 00\n < 00 01" },
    { "rx_single_frame_longer_than_the_frame", "< 02 01\n < 0f 01..07\n < 08 01..07" },
    { "rx_single_frame_with_address",
      "ext 0xaa 0xbb\n < bb 06 01..06\n got 6\n < bb 07 01..06\n < aa 01 55\n < 01 55" },
    { "rx_address_of_both_ways", "ext 0xaa\n < aa 01 01\n got 1\n < bb 01 01" },
    { "rx_single_frame_fd", "ll 72 64 0\n < 00 08 01..08 cc cc\n got 8\n < 00 03 01..03 cc*7\n got 3\n < 00 "
                            "3e 01..3e\n got 62\n < 01 01\n got 1" },
    { "rx_single_frame_fd_wrong",
      "ll 72 64 0\n < 03 01..03 cc*8\n < 00 3f 01..3e\n < 00 00 01..3e\n < 00 0b 01..0a" },
    { "rx_single_frame_fd_with_address",
      "ext 1\n ll 72 64 0\n < 01 00 08 01..08 cc\n got 8\n < 01 00 0a 01..09" },
    { "rx_frames_of_the_other_kind", "<4 01 55\n ll 72 64 0\n <4 01 55\n < 01 55\n got 1 55" },
    { "rx_unknown_pci",
      "< 40 00 00\n < 51 01\n < f1 01\n " FF20 "< 41 01\n < 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_empty_frame", "< \n ext 0\n < " },

    /* ---- Reception: first and consecutive frames ---- */
    { "rx_first_frame_is_answered",
      "fc 3 0xfb\n < 10 14 01..06\n > 30 03 fb\n < 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_flow_control_padded", "pad 0x55 0\n flags tx_padding\n < 10 14 01..06\n > 30 00 00 55*5" },
    { "rx_flow_control_fd_padded", "flags tx_padding\n ll 72 64 5\n < 10 4e 01..3e\n > 30 00 00 cc*5" },
    { "rx_flow_control_with_address",
      "ext 0xaa 0xbb\n < bb 10 0c 01..05\n > aa 30 00 00\n < bb 21 06..0b\n < bb 22 0c\n got 12" },
    { "rx_blocks", "fc 2 1\n < 10 29 01..06\n > 30 02 01\n < 21 07..0d\n < 22 0e..14\n > 30 02 01\n < 23 "
                   "15..1b\n < 24 1c..22\n"
                   "> 30 02 01\n < 25 23..29\n got 41" },
    { "rx_last_frame_with_bytes_behind", "< 10 08 01..06\n > 30 00 00\n < 21 07 08 01..05\n got 8" },
    { "rx_sequence_numbers_go_round", "< 10 76 01..06\n > 30 00 00\n < 21 07..0d\n < 22 0e..14\n < 23 "
                                      "15..1b\n < 24 1c..22\n < 25 23..29\n < 26 2a..30\n < 27 31..37\n"
                                      "< 28 38..3e\n < 29 3f..45\n < 2a 46..4c\n < 2b 4d..53\n < 2c 54..5a\n "
                                      "< 2d 5b..61\n < 2e 62..68\n < 2f 69..6f\n < 20 70..76\n got 118" },
    { "rx_sequence_number_9_is_not_1", FF20 "< 29 07..0d\n error EILSEQ" },
    { "rx_wrong_sequence_number", FF20 "< 22 07..0d\n error EILSEQ\n < 21 07..0d\n < 22 0e..14" },
    { "rx_duplicate_frame", FF20 "< 21 07..0d\n < 21 07..0d\n error EILSEQ" },
    { "rx_silence", FF20 "wait 999.999999ms\n wait 1ns\n error ETIMEDOUT\n < 21 07..0d" },
    { "rx_silence_later", FF20 "wait 900ms\n < 21 07..0d\n wait 999.999999ms\n wait 1ns\n error ETIMEDOUT" },
    { "rx_silence_after_a_block", "fc 1 0\n < 10 14 01..06\n > 30 01 00\n < 21 07..0d\n > 30 01 00\n wait "
                                  "999.999999ms\n wait 1ns\n error ETIMEDOUT" },
    { "rx_consecutive_frame_of_nothing", "< 21 01..07" },
    { "rx_first_frame_restarts", FF20 "< 21 07..0d\n " FF20 "< 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_bad_first_frame_drops", FF20 "< 10 14 01..05\n < 21 07..0d\n < 22 0e..14\n wait 2s" },
    { "rx_single_frame_drops", FF20 "< 01 55\n got 1 55\n < 21 07..0d\n wait 2s" },
    { "rx_bad_single_frame_drops", FF20 "< 00\n < 21 07..0d\n wait 2s" },
    { "rx_first_frame_has_to_be_full",
      "< 10 14 01..05\n < 10 14\n ll 72 64 0\n < 10 14 01..07\n < 10 14 01 02" },
    { "rx_first_frame_fd_of_every_length",
      "ll 72 64 0\n < 10 ff 01..06\n > 30 00 00\n < 10 ff 01..0a\n > 30 00 00\n < 10 ff 01..0e\n > 30 00 "
      "00\n < 10 ff 01..12\n > 30 00 00\n"
      "< 10 ff 01..16\n > 30 00 00\n < 10 ff 01..1e\n > 30 00 00\n < 10 ff 01..2e\n > 30 00 00\n < 10 ff "
      "01..3e\n > 30 00 00\n"
      "< 10 ff 01..09\n < 10 ff 01..3d" },
    { "rx_first_frame_of_5_bytes_is_none", "< 10 05 01..06" },
    { "rx_first_frame_of_6_bytes", "< 10 06 01..06\n > 30 00 00\n < 21\n got 6" },
    { "rx_first_frame_of_7_bytes", "< 10 07 01..06\n > 30 00 00\n < 21 07\n got 7" },
    { "rx_first_frame_fd_of_60_bytes_is_none", "ll 72 64 0\n < 10 3c 01..3e" },
    { "rx_first_frame_fd_of_61_bytes_needs_a_full_frame",
      "ll 72 64 0\n < 10 3d 01..3e\n > 30 00 00\n < 21 01\n wait 2s\n < 21 01..3f\n got 61" },
    { "rx_first_frame_of_32_bits_and_10_bytes",
      "< 10 00 00 00 00 0a 01 02\n > 30 00 00\n < 21 03..09\n < 22 0a\n got 10" },
    { "rx_first_frame_of_32_bits_and_1_byte_is_none", "< 10 00 00 00 00 01 01 02" },
    { "rx_first_frame_of_66000_bytes", "< 10 00 00 01 01 d0 01 02\n > 30 00 00" },
    { "rx_first_frame_of_66001_bytes_overflows",
      "fc 4 5\n < 10 00 00 01 01 d1 01 02\n > 32 04 05\n < 21 03..09\n wait 2s" },
    { "rx_first_frame_of_66001_bytes_overflows_in_listen_mode",
      "flags listen\n < 10 00 00 01 01 d1 01 02\n > 32 00 00\n wait 2s" },
    { "rx_first_frame_of_the_longest_length_is_none",
      "< 10 00 ff ff ff ff 01 02\n < 10 00 ff ff ff f9 01 02\n > 32 00 00" },
    { "rx_without_memory_overflows",
      "poor\n < 10 14 01..06\n > 32 00 00\n < 21 07..0d\n wait 2s\n rich\n " FF20 },
    { "rx_long_frame_stops_the_clock", "ll 72 64 0\n < 10 14 01..06\n > 30 00 00\n < 21 07..14 cc\n wait "
                                       "3s\n < 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_short_frame_stops_the_clock", FF20 "< 21 07..09\n wait 3s\n < 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_short_frame_is_good_when_the_rest_fits_one",
      "< 10 0d 01..06\n > 30 00 00\n < 21 07..09\n wait 999ms\n < 22 0a..0d\n got 13" },
    { "rx_short_frame_when_the_rest_needs_two",
      "< 10 0e 01..06\n > 30 00 00\n < 21 07..0c\n wait 2s\n < 21 07..0d\n < 22 0e\n got 14" },
    { "rx_short_frame_when_the_rest_needs_two_with_address",
      "ext 1\n < 01 10 0c 01..05\n > 01 30 00 00\n < 01 21 06..0a\n wait 2s\n < 01 21 06..0b\n < 01 22 0c\n "
      "got 12" },
    { "rx_consecutive_frames_fd", "ll 72 64 0\n < 10 48 01..3e\n > 30 00 00\n < 21 3f..48 cc\n got 72" },
    { "rx_flow_control_that_cannot_be_sent",
      "down\n < 10 14 01..06\n up\n < 21 07..0d\n < 22 0e..14\n got 20" },

    /* ---- Listening only ---- */
    { "rx_listen_mode_sends_nothing_and_has_no_clock",
      "flags listen\n < 10 14 01..06\n wait 10s\n < 21 07..0d\n < 22 0e..14\n got 20" },
    { "rx_listen_mode_clock_after_a_frame", "flags listen\n < 10 14 01..06\n wait 10s\n < 21 07..0d\n wait "
                                            "999.999999ms\n wait 1ns\n error ETIMEDOUT" },
    { "rx_listen_mode_no_clock_at_the_end_of_a_block",
      "flags listen\n fc 2 0\n < 10 22 01..06\n < 21 07..0d\n < 22 0e..14\n wait 10s\n < 23 15..1b\n < 24 "
      "1c..22\n got 34" },

    /* ---- Separation time of the receiver ---- */
    { "rx_forced_stmin_drops_fast_frames", "flags force_rx\n stmin 0 20000000\n < 10 1b 01..06\n > 30 00 "
                                           "00\n < 21 07..0d\n wait 19.999999ms\n < 22 0e..14\n wait 1ns\n"
                                           "< 22 0e..14\n wait 20ms\n < 23 15..1b\n got 27" },
    { "rx_forced_stmin_then_the_next_number_is_wrong",
      "flags force_rx\n stmin 0 20000000\n < 10 1b 01..06\n > 30 00 00\n < 21 07..0d\n < 22 0e..14\n wait "
      "20ms\n < 23 15..1b\n error EILSEQ" },
    { "rx_forced_stmin_not_after_flow_control",
      "flags force_rx\n fc 1 0\n stmin 0 20000000\n < 10 14 01..06\n > 30 01 00\n < 21 07..0d\n > 30 01 00\n "
      "< 22 0e..14\n got 20" },
    { "rx_forced_stmin_keeps_the_clock",
      "flags force_rx\n stmin 0 20000000\n < 10 1b 01..06\n > 30 00 00\n < 21 07..0d\n wait 10ms\n"
      "< 22 0e..14\n wait 989.999999ms\n wait 1ns\n error ETIMEDOUT" },

    /* ---- Half duplex ---- */
    { "half_duplex_receives_nothing_while_sending",
      "flags half\n write 20\n > 10 14 01..06\n < 01 55\n < 10 14 01..06\n < 30 00 00\n > 21 07..0d\n < 01 "
      "55\n wait 50us\n > 22 0e..14\n"
      "sent 0\n < 01 55\n got 1 55" },
    { "half_duplex_sends_nothing_while_receiving",
      "flags half\n " FF20 "write 20\n > 10 14 01..06\n < 30 00 00\n < 21 07..0d\n wait 1s\n"
      "error ETIMEDOUT\n sent ECOMM" },
    { "full_duplex", FF20 "write 20\n > 10 14 01..06\n < 21 07..0d\n < 30 00 00\n > 21 07..0d\n < 22 "
                          "0e..14\n got 20\n wait 50us\n > 22 0e..14\n sent 0" },

/* ---- Padding of what is received (table of spec 3.6) ---- */
#define VARIANTS(a, b, c, d, e)                                                                              \
    "< 02 01 02\n " a "\n < 02 01 02 cc\n " b "\n < 02 01 02 cc*5\n " c "\n < 02 01 02 cc*4 dd\n " d         \
    "\n < 07 01..07\n " e
#define GOOD "got 2"
#define BAD  "error EBADMSG"
    { "padding_unchecked", VARIANTS(GOOD, GOOD, GOOD, GOOD, "got 7") },
    { "padding_rx_padding_alone", "flags rx_padding\n " VARIANTS(GOOD, GOOD, GOOD, GOOD, "got 7") },
    { "padding_len", "flags pad_len\n " VARIANTS(GOOD, BAD, BAD, BAD, "got 7") },
    { "padding_data", "flags pad_data\n " VARIANTS(BAD, BAD, BAD, BAD, BAD) },
    { "padding_len_and_data_without_rx_padding",
      "flags pad_len pad_data\n " VARIANTS(GOOD, BAD, BAD, BAD, "got 7") },
    { "padding_rx_padding_and_len", "flags rx_padding pad_len\n " VARIANTS(BAD, BAD, GOOD, GOOD, "got 7") },
    { "padding_rx_padding_and_data",
      "flags rx_padding pad_data\n " VARIANTS(GOOD, GOOD, GOOD, BAD, "got 7") },
    { "padding_rx_padding_len_and_data",
      "flags rx_padding pad_len pad_data\n " VARIANTS(BAD, BAD, GOOD, BAD, "got 7") },
    { "padding_of_the_last_frame",
      "flags rx_padding pad_data\n < 10 08 01..06\n > 30 00 00\n < 21 07 08 cc dd\n error EBADMSG\n"
      "< 10 08 01..06\n > 30 00 00\n < 21 07 08 cc cc\n got 8" },
    { "padding_of_frames_between_is_not_looked_at",
      "flags pad_len\n " FF20 "< 21 07..0d\n < 22 0e..14\n got 20" },
    { "padding_of_flow_control", "flags rx_padding pad_len\n write 20\n > 10 14 01..06\n < 30 00 00\n sent "
                                 "EBADMSG\n write 8\n > 10 08 01..06\n"
                                 "< 30 00 00 01..05\n > 21 07 08\n sent 0" },
    { "padding_content_of_flow_control",
      "flags rx_padding pad_data\n pad 0 0xaa\n write 8\n > 10 08 01..06\n < 30 00 00 aa ab\n sent EBADMSG" },
    { "padding_fd_len", "flags pad_len\n ll 72 64 0\n < 00 0f 01..0f cc*3\n got 15\n < 00 0f 01..0f cc*7\n "
                        "error EBADMSG\n < 02 01 02\n got 2\n"
                        "< 00 02 01 02 cc*8\n error EBADMSG" },
    { "padding_fd_rx_padding_and_len", "flags rx_padding pad_len\n ll 72 64 0\n < 00 0f 01..0f cc*3\n got "
                                       "15\n < 00 0f 01..0f cc*2\n error EBADMSG\n"
                                       "< 02 01 02\n error EBADMSG" },
    { "padding_fd_data", "flags rx_padding pad_data\n ll 72 64 0\n < 00 0f 01..0f cc*3\n got 15\n < 00 0f "
                         "01..0f cc*2 cd\n error EBADMSG" },
};

#endif
