/* SPDX-License-Identifier: Apache-2.0 */
/* Frames are many: they are kept as bytes and put into words only to be printed. */
#include "sim/transcript.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "raft/frame.h"

#define LINES     400
#define TEXT_MAX  200
#define HEAD_MAX  48
#define PLACE_MAX 12

struct line {
    uint64_t at_us;
    bool is_frame;
    enum sim_frame_fate fate;
    char from[PLACE_MAX];
    char to[PLACE_MAX];
    size_t len; /* of the frame */
    uint8_t head[HEAD_MAX];
    char text[TEXT_MAX];
};

struct transcript {
    const struct sim_time *time;
    bool print;
    uint64_t hash;
    uint64_t count;
    struct line lines[LINES];
};

struct transcript *transcript_new(const struct sim_time *time, bool print)
{
    struct transcript *transcript = mem_zalloc(sizeof *transcript);
    transcript->time = time;
    transcript->print = print;
    return transcript;
}

void transcript_free(struct transcript *transcript)
{
    mem_free(transcript);
}

/* Formats: raft/README.md. */
static void describe_append(const uint8_t *head, char *out, size_t size)
{
    snprintf(out, size,
             "append term %" PRIu64 " prev %" PRIu64 "/%" PRIu64 " commit %" PRIu64
             " entries %" PRIu32,
             get_u64(head + 2), get_u64(head + 10), get_u64(head + 18),
             get_u64(head + 26), get_u32(head + 38));
}

static void describe_append_result(const uint8_t *head, char *out, size_t size)
{
    snprintf(out, size,
             "result term %" PRIu64 " rejected %" PRIu64 " last %" PRIu64
             " asked in term %" PRIu64,
             get_u64(head + 2), get_u64(head + 10), get_u64(head + 18),
             get_u64(head + 30));
}

static void describe_vote(const uint8_t *head, char *out, size_t size)
{
    snprintf(out, size, "%s term %" PRIu64 " last %" PRIu64 "/%" PRIu64 "%s",
             (head[26] & 2) != 0 ? "pre-vote" : "vote", get_u64(head + 2),
             get_u64(head + 10), get_u64(head + 18),
             (head[26] & 1) != 0 ? " disrupting" : "");
}

static void describe_vote_result(const uint8_t *head, char *out, size_t size)
{
    snprintf(out, size, "%s %s term %" PRIu64,
             (head[14] & 2) != 0 ? "pre-vote" : "vote",
             (head[14] & 1) != 0 ? "granted" : "refused", get_u64(head + 2));
}

static void describe_frame(struct line *line, char *out, size_t size)
{
    unsigned kind = line->head[0];
    if (line->len < HEAD_MAX) {
        memset(line->head + line->len, 0, HEAD_MAX - line->len);
    }
    if (kind == FRAME_APPEND) {
        describe_append(line->head, out, size);
    } else if (kind == FRAME_APPEND_RESULT) {
        describe_append_result(line->head, out, size);
    } else if (kind == FRAME_VOTE) {
        describe_vote(line->head, out, size);
    } else if (kind == FRAME_VOTE_RESULT) {
        describe_vote_result(line->head, out, size);
    } else {
        snprintf(out, size, "frame %u of %zu bytes", kind, line->len);
    }
}

static void line_print(struct line *line)
{
    static const char *const fates[] = {"->", "-x", "=>"};
    char text[TEXT_MAX];
    if (!line->is_frame) {
        printf("%12.3f ms  %s\n", (double)line->at_us / 1000.0, line->text);
        return;
    }
    describe_frame(line, text, sizeof text);
    printf("%12.3f ms    %s %s %s  %s\n", (double)line->at_us / 1000.0, line->from,
           fates[line->fate], line->to, text);
}

static struct line *transcript_line(struct transcript *transcript)
{
    struct line *line = &transcript->lines[transcript->count++ % LINES];
    line->at_us = sim_time_now_us(transcript->time);
    transcript->hash = hash_bytes(&line->at_us, sizeof line->at_us, transcript->hash);
    return line;
}

void transcript_note(struct transcript *transcript, const char *format, ...)
{
    struct line *line = transcript_line(transcript);
    line->is_frame = false;
    va_list args;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
    transcript->hash = hash_bytes(line->text, strlen(line->text), transcript->hash);
    if (transcript->print) {
        line_print(line);
    }
}

/* "n1:8658" → "n1" */
static void transcript_place(char place[PLACE_MAX], const char *address)
{
    size_t len = 0;
    while (len + 1 < PLACE_MAX && address[len] != '\0' && address[len] != ':') {
        place[len] = address[len];
        len++;
    }
    place[len] = '\0';
}

void transcript_frame(struct transcript *transcript, enum sim_frame_fate fate,
                      const char *from, const char *to, const struct bytes *frame)
{
    struct line *line = transcript_line(transcript);
    line->is_frame = true;
    line->fate = fate;
    transcript_place(line->from, from);
    transcript_place(line->to, to);
    line->len = frame->len;
    memcpy(line->head, frame->data, frame->len < HEAD_MAX ? frame->len : HEAD_MAX);
    /* its bytes once, when it is sent; what becomes of it is told by how it begins */
    size_t len =
        fate == SIM_FRAME_SENT || frame->len < HEAD_MAX ? frame->len : HEAD_MAX;
    uint64_t hash = hash_bytes(frame->data, len, transcript->hash);
    transcript->hash = hash_mix(hash + (uint64_t)fate + 4 * frame->len);
    if (transcript->print) {
        line_print(line);
    }
}

uint64_t transcript_hash(const struct transcript *transcript)
{
    return transcript->hash;
}

void transcript_print_tail(struct transcript *transcript)
{
    uint64_t first = transcript->count > LINES ? transcript->count - LINES : 0;
    for (uint64_t i = first; i < transcript->count; i++) {
        line_print(&transcript->lines[i % LINES]);
    }
}
