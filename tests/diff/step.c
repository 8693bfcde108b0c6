/* The words of a step, and what they stand for. */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

bool step_parse(struct step *step, const char *line)
{
    char *save = NULL, *word;

    memset(step, 0, offsetof(struct step, word));
    step->words = step->options = 0;
    snprintf(step->text, sizeof(step->text), "%s", line);
    for (word = strtok_r(step->text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
        if (strchr(word, '=') && step->options < 24)
            step->option[step->options++] = word;
        else if (step->words < 32)
            step->word[step->words++] = word;
    }
    if (step->words < 2 || step->word[0][0] != 'p') return false;
    step->process = atoi(step->word[0] + 1);
    step->operation = step->word[1];
    return step->process >= 0 && step->process < PROCESSES;
}

const char *step_text(const struct step *step, const char *key, const char *otherwise)
{
    size_t size = strlen(key);

    for (int i = 0; i < step->options; i++)
        if (!strncmp(step->option[i], key, size) && step->option[i][size] == '=')
            return step->option[i] + size + 1;
    return otherwise;
}

long long step_number(const struct step *step, const char *key, long long otherwise)
{
    const char *text = step_text(step, key, NULL);

    return text ? strtoll(text, NULL, 0) : otherwise;
}

const char *step_word(const struct step *step, int at)
{
    return at + 2 < step->words ? step->word[at + 2] : "";
}

long long step_value(const struct step *step, int at) { return strtoll(step_word(step, at), NULL, 0); }

static struct diff_link *link_of(const char *word)
{
    return word[0] == 'i' && word[1] >= '0' && word[1] < '0' + LINKS ? &world->link[word[1] - '0'] : NULL;
}

#define NO_INDEX 0x7fff0000 /* no link gets as far */

int step_index(const char *word)
{
    struct diff_link *link = link_of(word);

    if (link) return link->index ? link->index : NO_INDEX;
    return !strcmp(word, "any") ? 0 : !strcmp(word, "lo") ? 1 : !strcmp(word, "neg") ? -1 : NO_INDEX;
}

const char *step_name(const char *word)
{
    static char name[16];
    struct diff_link *link = link_of(word);

    if (!link) return !strcmp(word, "none") ? "nosuch0" : word;
    snprintf(name, sizeof(name), "%s%d", link->renamed ? "dg" : "df", (int)(link - world->link));
    return name;
}

int *step_slot(const struct step *step, int at)
{
    const char *word = step_word(step, at);
    struct diff_process *process = &world->process[step->process];
    int number = atoi(word[0] ? word + 1 : word);

    if (word[0] == 'e') return number >= 0 && number < EPOLLS ? &process->epoll[number] : NULL;
    return word[0] == 's' && number >= 0 && number < SLOTS ? &process->fd[number] : NULL;
}

int step_fd(const struct step *step, int at)
{
    int *slot = step_slot(step, at);

    return slot ? *slot : -1;
}

const char *step_index_word(int index)
{
    static char word[32];

    if (index == 0) return "any";
    if (index == 1) return "lo";
    for (int i = world->known_count - 1; i >= 0; i--)
        if (world->known[i].index == index) {
            snprintf(word, sizeof(word), "i%d.%d", world->known[i].link, world->known[i].serial);
            return word;
        }
    return "?";
}

/* cc:ID:LEN:TAG, fd:ID:LEN:FLAGS:TAG, xl:PRIO:LEN:FLAGS:TAG, numbers in hex; /SIZE sends that many bytes. */
size_t step_frame(const char *word, uint8_t *bytes, size_t room)
{
    bool fd = !strncmp(word, "fd", 2), xl = !strncmp(word, "xl", 2);
    unsigned long field[4] = { 0 };
    const char *at = word + 2;
    size_t size, data = xl ? 12 : 8;
    int count = 0;
    uint8_t tag;

    while (*at == ':' && count < 4) {
        char *end;

        field[count++] = strtoul(at + 1, &end, 16);
        at = end;
    }
    tag = (uint8_t)field[fd || xl ? 3 : 2];
    size = xl ? 12 + field[1] : fd ? 72 : 16;
    if (*at == '/') size = strtoul(at + 1, NULL, 10);
    for (size_t i = 0; i < room; i++)
        bytes[i] = i < data ? 0 : (uint8_t)(tag + (i - data) * 3);
    memcpy(bytes, &(uint32_t){ (uint32_t)field[0] }, 4);
    if (xl) {
        bytes[4] = (uint8_t)field[2];
        bytes[5] = tag;
        memcpy(bytes + 6, &(uint16_t){ (uint16_t)field[1] }, 2);
        memset(bytes + 8, tag, 4);
    } else {
        bytes[4] = (uint8_t)field[1];
        bytes[5] = fd ? (uint8_t)field[2] : tag & 1 ? tag : 0;
        if (tag & 1) bytes[6] = bytes[7] = (uint8_t)~tag;
    }
    return size < room ? size : room;
}
