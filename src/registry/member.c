/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/member.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static const char *member_copy(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

bool member_draft_sound(const struct member_draft *draft)
{
    return draft->id != 0 && strlen(draft->name) <= MEMBER_TEXT_BYTES_MAX &&
           strlen(draft->address) <= MEMBER_TEXT_BYTES_MAX &&
           strlen(draft->peer_address) <= MEMBER_TEXT_BYTES_MAX &&
           strlen(draft->version) <= MEMBER_TEXT_BYTES_MAX;
}

struct member *member_new(const struct member_draft *draft,
                          const struct member_duty *duty, uint64_t revision)
{
    assert(member_draft_sound(draft));
    size_t size = strlen(draft->name) + strlen(draft->address) +
                  strlen(draft->peer_address) + strlen(draft->version) + 4;
    struct member *member = mem_alloc(sizeof *member + size);
    char *at = (char *)(member + 1);
    *member = (struct member){
        .refs = 1,
        .id = draft->id,
        .level = draft->level,
        .duty = *duty,
        .revision = revision,
    };
    member->name = member_copy(&at, draft->name);
    member->address = member_copy(&at, draft->address);
    member->peer_address = member_copy(&at, draft->peer_address);
    member->version = member_copy(&at, draft->version);
    return member;
}

struct member *member_ref(struct member *member)
{
    assert(member->refs > 0 && member->refs < UINT32_MAX);
    member->refs++;
    return member;
}

void member_unref(struct member *member)
{
    if (member != NULL && --member->refs == 0) {
        mem_free(member);
    }
}
