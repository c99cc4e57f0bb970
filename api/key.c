/* SPDX-License-Identifier: Apache-2.0 */
#include "api/key.h"

#include <string.h>

#include "api/reply.h"
#include "api/router.h"
#include "api/server_internal.h"
#include "base/hash.h"
#include "raft/fingerprint.h"

/* raft/README.md, "Keys": apply compares it, and every build must say the same. */
void key_put_asked(const struct call *call, struct buf *out)
{
    h2o_iovec_t method = call->req->method;
    buf_put_blob(out, method.base, method.len);
    buf_put_u32(out, (uint32_t)call->segment_count);
    for (size_t i = 0; i < call->segment_count; i++) {
        buf_put_text(out, call->segments[i]);
    }
    buf_put_u32(out, (uint32_t)call->param_count);
    for (size_t i = 0; i < call->param_count; i++) {
        buf_put_text(out, call->params[i].name);
        buf_put_text(out, call->params[i].value);
    }
    buf_put_u8(out, call->merges ? 1 : 0);
    buf_put_u32(out, call->match.condition);
    buf_put_u64(out, call->match.revision);
}

static void key_print(struct call *call)
{
    if (call->key.printed) {
        return;
    }
    struct buf asked;
    buf_init(&asked);
    key_put_asked(call, &asked);
    fingerprint_of(asked.data, asked.len, call->req->entity.base, call->req->entity.len,
                   call->key.fingerprint);
    call->key.printed = true;
    buf_close(&asked);
}

static struct call **key_bucket(struct api *api, const char *text)
{
    return &api->keys[hash_bytes(text, strlen(text), 0) % API_KEY_BUCKETS];
}

/* Each caller has keys of its own. */
static bool key_under_way(struct call *const *bucket, const struct call *call)
{
    const struct call *other = *bucket;
    while (other != NULL && (strcmp(other->key.text, call->key.text) != 0 ||
                             strcmp(other->actor, call->actor) != 0)) {
        other = other->key.next;
    }
    return other != NULL;
}

bool key_begin(struct call *call, struct command *command)
{
    const char *text = call->key.text;
    if (text == NULL || call->unkeyed) {
        return true;
    }
    struct call **bucket = key_bucket(call->api, text);
    if (key_under_way(bucket, call)) {
        reply_header(call, REPLY_RETRY_AFTER, "1");
        reply_error(call, 409, "key_under_way",
                    "another request with this Idempotency-Key is under way: repeat "
                    "this one when that one is over");
        return false;
    }
    key_print(call);
    command->key = text_of(text);
    command->scope = text_of(call->actor);
    memcpy(command->fingerprint, call->key.fingerprint, KEY_FINGERPRINT_BYTES);
    call->key.next = *bucket;
    call->key.slot = bucket;
    if (call->key.next != NULL) {
        call->key.next->key.slot = &call->key.next;
    }
    *bucket = call;
    return true;
}

void key_end(struct call *call)
{
    if (call->key.slot == NULL) {
        return;
    }
    *call->key.slot = call->key.next;
    if (call->key.next != NULL) {
        call->key.next->key.slot = call->key.slot;
    }
    call->key.slot = NULL;
}
