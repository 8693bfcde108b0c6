/* cli/capture_filter.c - filters in the words of can-utils (declared in cli/capture.h). Pure.
 *
 *   ID:MASK    matches when both have the same bits where MASK has ones; ID~MASK: when they have not
 *   #CLASSES   error frames of these classes
 *   j, J       all ID filters have to match
 *
 * Numbers are hexadecimal; an ID of eight digits is an extended one. */
/* prefix: capture_ */
#include "cli/capture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EXTENDED_DIGITS 8

/* Reads 1 to 8 hexadecimal digits at *text and moves it behind them. Returns how many, or 0. */
static unsigned read_hex(const char **text, uint32_t *value)
{
    unsigned digits = 0;

    *value = 0;
    for (; isxdigit((unsigned char)**text); ++*text, digits++) {
        int letter = tolower((unsigned char)**text);
        if (digits == EXTENDED_DIGITS) return 0;
        *value = *value << 4 | (uint32_t)(isdigit(letter) ? letter - '0' : letter - 'a' + 10);
    }
    return digits;
}

static bool read_pair(const char **text, struct capture_filter *out)
{
    struct can_filter *filter = &out->list[out->count];
    uint32_t id, mask;
    unsigned digits = read_hex(text, &id);
    char sign = **text;

    if (!digits || (sign != ':' && sign != '~') || out->count == CAPTURE_FILTERS_MAX) return false;
    ++*text;
    if (!read_hex(text, &mask)) return false;
    if (digits == EXTENDED_DIGITS) id |= CAN_EFF_FLAG;
    if (sign == '~') id |= CAN_INV_FILTER;
    *filter = (struct can_filter){ id, mask & ~CAN_ERR_FLAG };
    out->count++;
    return true;
}

static bool read_one(const char **text, struct capture_filter *out)
{
    if (**text == 'j' || **text == 'J') {
        out->join = true;
        ++*text;
        return true;
    }
    if (**text != '#') return read_pair(text, out);
    ++*text;
    return read_hex(text, &out->errors);
}

bool capture_filter_parse(const char *text, struct capture_filter *out)
{
    out->count = 0;
    out->join = false;
    out->errors = *text ? 0 : CAN_ERR_MASK;
    while (*text) {
        if (!read_one(&text, out)) return false;
        if (*text == ',')
            text++;
        else if (*text)
            return false;
    }
    return true;
}
