/* SPDX-License-Identifier: Apache-2.0 */
/* A task as the registry keeps it: an immutable, shared value.
 *
 * `text` is the task's canonical JSON object without what the registry itself decides
 * (`enabled`, `revision`): one truth each. On reading, `"enabled":true,` is spliced in
 * at `enabled_at`, an offset at which a member may begin, so a read is nearly a copy.
 */
#ifndef REGISTRY_TASK_H
#define REGISTRY_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task {
    uint32_t refs;
    bool enabled;
    bool deleting;     /* it goes when its live run has ended */
    uint64_t created;  /* sequence of its creation: the list order */
    uint64_t revision; /* sequence of its last change */
    uint32_t name_len;
    uint32_t text_len;
    uint32_t enabled_at; /* 1 <= enabled_at < text_len */
    const char *name;    /* terminated; inside this allocation */
    const char *text;    /* terminated; inside this allocation */
};

/* What a client decides of a task. Borrowed strings, not necessarily terminated. */
struct task_draft {
    const char *name;
    size_t name_len;
    const char *text;
    size_t text_len;
    uint32_t enabled_at;
    bool enabled;
};

/* What must hold of the task of a name for a change of it to be made. The numbers stand
 * in commands and are forever. */
enum task_condition {
    TASK_CONDITION_NONE = 0,
    TASK_CONDITION_REVISION = 1, /* it is there, with this revision */
    TASK_CONDITION_PRESENT = 2,
    TASK_CONDITION_ABSENT = 3,
};

struct task_match {
    uint32_t condition; /* of enum task_condition; any other number never holds */
    uint64_t revision;  /* of TASK_CONDITION_REVISION only */
};

/* 0; ERR_PRECONDITION: it does not hold of `task` (NULL: there is none); ERR_INVALID: a
 * condition that does not exist. */
int task_match_check(const struct task_match *match, const struct task *task);

/* Part of the format, not limits at the door: what the registry takes today it must
 * take from every log and snapshot for ever. */
#define TASK_NAME_BYTES_MAX 1024
#define TASK_TEXT_BYTES_MAX (2u * 1024 * 1024)

/* Can the registry keep it? A name of 1 to TASK_NAME_BYTES_MAX bytes without NUL, a
 * text that is not too long and has a place for `enabled`. What the text says is the
 * door's business. */
bool task_draft_sound(const struct task_draft *draft);

/* Do they say the same, `enabled` aside? */
bool task_text_equal(const struct task *task, const struct task_draft *draft);

/* Copies what it borrows; the draft is sound. One reference, the caller's. */
struct task *task_new(const struct task_draft *draft, uint64_t created,
                      uint64_t revision);
/* The draft that a task like this one is made of; borrows from it. */
struct task_draft task_draft_of(const struct task *task);
struct task *task_ref(struct task *task);
void task_unref(struct task *task);

/* Bytes of the task's JSON with `enabled` spliced in; task_write() writes just that
 * many (no terminator) and returns the count. */
size_t task_json_len(const struct task *task);
size_t task_write(const struct task *task, char *out);

#endif
