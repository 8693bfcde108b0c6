/*
 * Runs a fuzz target over every file of its corpus, so that an ordinary build without libFuzzer replays each input
 * that ever mattered. Prints TAP: one test per file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20) /* far above anything libFuzzer makes by default (4 KiB) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact-size heap copy, so that a sanitizer build sees a read one byte past the end. */
static int replay_file(const char *dir, const char *name)
{
    static uint8_t buffer[INPUT_MAX];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    size_t size = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) return -1;
    memcpy(exact, buffer, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int count = scandir(argv[1], &entries, NULL, alphasort);
    int tests = 0, failures = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            int failed = replay_file(argv[1], entries[i]->d_name) != 0;
            printf("%s %d - %s\n", failed ? "not ok" : "ok", ++tests, entries[i]->d_name);
            fflush(stdout); /* the next input may crash us: say what came before */
            failures += failed;
        }
        free(entries[i]);
    }
    if (count >= 0) free(entries);
    printf("1..%d\n", tests);
    return failures > 0 || tests == 0;
}
