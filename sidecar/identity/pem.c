/* SPDX-License-Identifier: Apache-2.0 */
#include "pem.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pem_unescape(struct view text, char *out, size_t *size)
{
    size_t written = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '%') {
            out[written++] = text.data[i];
            continue;
        }
        if (text.size - i < 3)
            return false;
        int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
        if (high < 0 || low < 0)
            return false;
        out[written++] = (char)(high << 4 | low);
        i += 2;
    }
    *size = written;
    return true;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 as it arrives: a block's lines go through one decoder. */
struct decoder {
    uint8_t *out;
    size_t capacity;
    size_t size;
    uint32_t bits;
    unsigned int digits; /* of the open group of four, padding included */
    unsigned int padding;
};

static enum err decoder_close_group(struct decoder *decoder)
{
    size_t bytes = 3 - decoder->padding;
    if (decoder->padding > 0 && (decoder->bits & ((1u << (8 * decoder->padding)) - 1)) != 0)
        return ERR_MALFORMED;
    if (decoder->capacity - decoder->size < bytes)
        return ERR_LIMIT;
    for (size_t i = 0; i < bytes; i++)
        decoder->out[decoder->size++] = (uint8_t)(decoder->bits >> (16 - 8 * i));
    decoder->bits = 0;
    decoder->digits = 0;
    return ERR_NONE;
}

static enum err decoder_take(struct decoder *decoder, struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        int value = base64_value(text.data[i]);
        bool is_padding = text.data[i] == '=' && decoder->padding < 2 && decoder->digits >= 2;
        if (is_padding)
            decoder->padding++;
        else if (value < 0 || decoder->padding > 0)
            return ERR_MALFORMED;
        decoder->bits = decoder->bits << 6 | (is_padding ? 0 : (uint32_t)value);
        if (++decoder->digits == 4)
            TRY(decoder_close_group(decoder));
    }
    return ERR_NONE;
}

enum err pem_base64_decode(struct view text, uint8_t *out, size_t capacity, size_t *size)
{
    struct decoder decoder = {.out = out, .capacity = capacity};
    TRY(decoder_take(&decoder, text));
    if (decoder.digits != 0 || decoder.size == 0)
        return ERR_MALFORMED;
    *size = decoder.size;
    return ERR_NONE;
}

static bool take_prefix(struct view *text, struct view prefix)
{
    if (!view_starts_with(*text, prefix))
        return false;
    *text = view_slice(*text, prefix.size, text->size);
    return true;
}

static bool take_line_end(struct view *text)
{
    return take_prefix(text, VIEW("\n")) || take_prefix(text, VIEW("\r\n"));
}

/* A line of at least one byte with its end; the line without it. */
static bool take_line(struct view *text, struct view *line)
{
    size_t end = view_index_of(*text, '\n', 0);
    if (end == text->size)
        return false;
    *line = view_slice(*text, 0, end);
    if (view_ends_with(*line, VIEW("\r")))
        line->size--;
    *text = view_slice(*text, end + 1, text->size);
    return line->size > 0;
}

/* "-----BEGIN label-----" */
static bool take_boundary(struct view *text, struct view word, struct view label)
{
    return take_prefix(text, word) && take_prefix(text, label) && take_prefix(text, VIEW("-----"));
}

enum err pem_take(struct view *text, struct view label, uint8_t *out, size_t capacity, size_t *size)
{
    struct view rest = *text, line;
    struct decoder decoder = {.out = out, .capacity = capacity};
    if (!take_boundary(&rest, VIEW("-----BEGIN "), label) || !take_line_end(&rest))
        return ERR_MALFORMED;
    struct view end = rest;
    while (!take_boundary(&end, VIEW("-----END "), label)) {
        if (!take_line(&rest, &line))
            return ERR_MALFORMED;
        TRY(decoder_take(&decoder, line));
        end = rest;
    }
    rest = end;
    if (decoder.digits != 0 || decoder.size == 0)
        return ERR_MALFORMED;
    /* The end line ends here or with the text. */
    if (!take_line_end(&rest) && rest.size != 0)
        return ERR_MALFORMED;
    *text = rest;
    *size = decoder.size;
    return ERR_NONE;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct view pem_skip_space(struct view text)
{
    size_t at = 0;
    while (at < text.size && is_space(text.data[at]))
        at++;
    return view_slice(text, at, text.size);
}

uint32_t pem_place_move(struct pem_place *place, struct view text, size_t at)
{
    for (; place->at < at && place->at < text.size; place->at++)
        place->lines += text.data[place->at] == '\n';
    return place->lines + 1;
}

uint32_t pem_line(struct view text, size_t at)
{
    struct pem_place place = {0};
    return pem_place_move(&place, text, at);
}
