/* SPDX-License-Identifier: Apache-2.0 */
/* The text is known to be good, so nothing here looks for bad syntax, and the depth of
 * the recursion is bounded. What is built needs no more room than `values` nodes and
 * the bytes of the text with a terminator each. */
#include "json/jsonvalue.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

#define FEW_MEMBERS 16 /* compared pair by pair; more are sorted first */

struct build {
    const char *at;
    const char *end;
    struct jsonvalue *node; /* the next free one */
    char *text;             /* the next free byte */
    struct err *err;
};

static int build_value(struct build *build, struct jsonvalue **out);

static void skip_blanks(struct build *build)
{
    while (build->at < build->end && (*build->at == ' ' || *build->at == '\t' ||
                                      *build->at == '\r' || *build->at == '\n')) {
        build->at++;
    }
}

/* --- strings -----------------------------------------------------------------------
 */

static uint32_t take_hex(struct build *build)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *build->at++;
        uint32_t digit =
            c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
        unit = unit * 16 + digit;
    }
    return unit;
}

/* What follows a backslash. */
static void take_escape(struct build *build)
{
    static const char plain[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    char c = *build->at++;
    if (c != 'u') {
        *build->text++ = plain[(unsigned char)c];
        return;
    }
    uint32_t rune = take_hex(build);
    if (rune >= 0xd800 && rune < 0xdc00) {
        build->at += 2; /* the other half's \u */
        rune = 0x10000 + ((rune - 0xd800) << 10) + (take_hex(build) - 0xdc00);
    }
    build->text += utf8_encode(rune, build->text);
}

static const char *take_string(struct build *build, size_t *len)
{
    const char *start = build->text;
    build->at++;
    for (;;) {
        size_t run = 0;
        while (build->at[run] != '"' && build->at[run] != '\\') {
            run++;
        }
        memcpy(build->text, build->at, run);
        build->text += run;
        build->at += run + 1;
        if (build->at[-1] == '"') {
            break;
        }
        take_escape(build);
    }
    *len = (size_t)(build->text - start);
    *build->text++ = '\0';
    return start;
}

/* --- the other values --------------------------------------------------------------
 */

static int take_number(struct build *build, struct jsonvalue *value)
{
    char *start = build->text;
    while (build->at < build->end && strchr("+-.eE0123456789", *build->at) != NULL &&
           *build->at != '\0') {
        *build->text++ = *build->at++;
    }
    *build->text++ = '\0';
    value->type = JSONVALUE_NUMBER;
    value->number = strtod(start, NULL);
    if (isinf(value->number)) {
        return err_set(build->err, ERR_INVALID, "number %.64s is out of range", start);
    }
    return 0;
}

static int refuse_twice(struct build *build, const char *key)
{
    return err_set(build->err, ERR_INVALID, "duplicate object key \"%.128s\"", key);
}

static bool same_key(const struct jsonvalue *a, const struct jsonvalue *b)
{
    return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

/* Whoever sends thousands of keys must not cost the square of their number. */
static int check_many_keys(struct build *build, const struct jsonvalue *object)
{
    const struct jsonvalue **sorted = jsonvalue_by_key(object);
    int rc = 0;
    for (size_t i = 1; i < object->count && rc == 0; i++) {
        rc = same_key(sorted[i - 1], sorted[i]) ? refuse_twice(build, sorted[i]->key)
                                                : 0;
    }
    mem_free(sorted);
    return rc;
}

static int check_keys(struct build *build, const struct jsonvalue *object)
{
    if (object->count > FEW_MEMBERS) {
        return check_many_keys(build, object);
    }
    for (const struct jsonvalue *at = object->first; at != NULL; at = at->next) {
        for (const struct jsonvalue *other = at->next; other != NULL;
             other = other->next) {
            if (same_key(at, other)) {
                return refuse_twice(build, at->key);
            }
        }
    }
    return 0;
}

/* Members or items, to the closing bracket. */
static int take_children(struct build *build, struct jsonvalue *parent)
{
    bool object = *build->at == '{';
    char close = object ? '}' : ']';
    const struct jsonvalue **last = &parent->first;
    parent->type = object ? JSONVALUE_OBJECT : JSONVALUE_ARRAY;
    parent->first = NULL;
    build->at++;
    skip_blanks(build);
    while (*build->at != close) {
        const char *key = NULL;
        size_t key_len = 0;
        if (object) {
            key = take_string(build, &key_len);
            skip_blanks(build);
            build->at++; /* the colon */
            skip_blanks(build);
        }
        struct jsonvalue *child = NULL;
        int rc = build_value(build, &child);
        if (rc != 0) {
            return rc;
        }
        child->key = key;
        child->key_len = (uint32_t)key_len;
        *last = child;
        last = &child->next;
        parent->count++;
        skip_blanks(build);
        if (*build->at == ',') {
            build->at++;
            skip_blanks(build);
        }
    }
    build->at++;
    return object ? check_keys(build, parent) : 0;
}

static int build_value(struct build *build, struct jsonvalue **out)
{
    struct jsonvalue *value = build->node++;
    *out = value;
    *value = (struct jsonvalue){.type = JSONVALUE_NULL};
    switch (*build->at) {
    case '{':
    case '[':
        return take_children(build, value);
    case '"':
        value->type = JSONVALUE_STRING;
        value->text = take_string(build, &value->count);
        return 0;
    case 't':
        value->type = JSONVALUE_TRUE;
        build->at += 4;
        return 0;
    case 'f':
        value->type = JSONVALUE_FALSE;
        build->at += 5;
        return 0;
    case 'n':
        build->at += 4;
        return 0;
    default: /* a byte from outside: all that is left is a number */
        return take_number(build, value);
    }
}

const struct jsonvalue *jsonvalue_build(const char *text, size_t len, size_t values,
                                        struct err *err)
{
    struct jsonvalue *root = mem_alloc(values * sizeof *root + len + values);
    struct build build = {
        .at = text,
        .end = text + len,
        .node = root,
        .text = (char *)(root + values),
        .err = err,
    };
    struct jsonvalue *first = NULL;
    skip_blanks(&build);
    int rc = build_value(&build, &first);
    assert(first == root && build.node <= root + values);
    assert(build.text <= (char *)(root + values) + len + values);
    if (rc != 0) {
        mem_free(root);
        return NULL;
    }
    return root;
}

void jsonvalue_free(const struct jsonvalue *root)
{
    struct jsonvalue *ours = NULL;
    memcpy(&ours, &root, sizeof ours); /* it was made by jsonvalue_build() */
    mem_free(ours);
}

/* --- reading -----------------------------------------------------------------------
 */

const struct jsonvalue *jsonvalue_find(const struct jsonvalue *object, const char *key,
                                       size_t len)
{
    const struct jsonvalue *at = jsonvalue_first(object);
    while (at != NULL && (at->key_len != len || memcmp(at->key, key, len) != 0)) {
        at = at->next;
    }
    return at;
}

static int compare_keys(const void *left, const void *right)
{
    const struct jsonvalue *a = *(const struct jsonvalue *const *)left;
    const struct jsonvalue *b = *(const struct jsonvalue *const *)right;
    return strcmp(a->key, b->key);
}

const struct jsonvalue **jsonvalue_by_key(const struct jsonvalue *object)
{
    size_t count = jsonvalue_count(object);
    const struct jsonvalue **sorted =
        count > 0 ? mem_array(count, sizeof(struct jsonvalue *)) : NULL;
    size_t filled = 0;
    for (const struct jsonvalue *at = jsonvalue_first(object); at != NULL;
         at = at->next) {
        sorted[filled++] = at;
    }
    if (count > 1) {
        qsort(sorted, count, sizeof *sorted, compare_keys);
    }
    return sorted;
}

const struct jsonvalue *jsonvalue_first(const struct jsonvalue *parent)
{
    return jsonvalue_count(parent) > 0 ? parent->first : NULL;
}

size_t jsonvalue_count(const struct jsonvalue *parent)
{
    return jsonvalue_is(parent, JSONVALUE_ARRAY) ||
                   jsonvalue_is(parent, JSONVALUE_OBJECT)
               ? parent->count
               : 0;
}

bool jsonvalue_is(const struct jsonvalue *value, enum jsonvalue_type type)
{
    return value != NULL && value->type == type;
}

bool jsonvalue_is_bool(const struct jsonvalue *value)
{
    return jsonvalue_is(value, JSONVALUE_TRUE) || jsonvalue_is(value, JSONVALUE_FALSE);
}
