/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzzer without libFuzzer: every file of the folders named as arguments,
 * every prefix of it, and every single-byte change from a fixed set of each. So a
 * corpus is part of the ordinary suite, with any compiler.
 *
 * Each input is handed over in a heap block of exactly its size: a read past its
 * end is seen by AddressSanitizer. Large files get fewer variants, spread evenly. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 * 1024 * 1024, VARIANT_BYTES_MAX = 16 * 1024 * 1024 };

static size_t runs;

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);

    if (copy == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static void run_variants(uint8_t *data, size_t size)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
    /* Work grows with the square of the size: larger inputs take larger steps. */
    size_t step = 1 + size * size * (sizeof flips + 1) / VARIANT_BYTES_MAX;

    for (size_t prefix = 0; prefix < size; prefix += step)
        run(data, prefix);
    for (size_t at = 0; at < size; at += step) {
        for (size_t flip = 0; flip < sizeof flips; flip++) {
            data[at] ^= flips[flip];
            run(data, size);
            data[at] ^= flips[flip];
        }
    }
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_MAX);
    size_t size;

    if (file == NULL || data == NULL) {
        perror(path);
        exit(1);
    }
    size = fread(data, 1, INPUT_MAX, file);
    fclose(file);
    run(data, size);
    run_variants(data, size);
    free(data);
}

static size_t run_folder(const char *path)
{
    DIR *folder = opendir(path);
    size_t files = 0;
    struct dirent *entry;

    if (folder == NULL) {
        perror(path);
        exit(1);
    }
    while ((entry = readdir(folder)) != NULL) {
        char name[4096];

        if (entry->d_name[0] == '.')
            continue;
        if (snprintf(name, sizeof name, "%s/%s", path, entry->d_name) >= (int)sizeof name) {
            fprintf(stderr, "%s: name too long\n", entry->d_name);
            exit(1);
        }
        run_file(name);
        files++;
    }
    closedir(folder);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;

    for (int i = 1; i < argc; i++)
        files += run_folder(argv[i]);
    if (files == 0) {
        fputs("no corpus: a replay without inputs proves nothing\n", stderr);
        return 1;
    }
    run((const uint8_t *)"", 0);
    printf("%zu files, %zu inputs\n", files, runs);
    return 0;
}
