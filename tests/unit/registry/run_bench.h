/* SPDX-License-Identifier: Apache-2.0 */
/* A registry in which runs can be placed, and what is done to it in a line each. Each
 * returns what the registry does. */
#ifndef UNIT_REGISTRY_RUN_BENCH_H
#define UNIT_REGISTRY_RUN_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "registry/registry.h"

#define TEXT                                                                           \
    "{\"condition\":{\"services\":{\"names\":[\"api\",\"web\"]}},\"module\":\"m\","    \
    "\"providers\":[\"local\"]}"
#define TEXT_AT 1 /* a place for `enabled` */
#define CONFIG                                                                         \
    "{\"providers\":[\"local\"],\"services\":[\"api\",\"web\"],\"module\":\"m\"}"

#define NODE 77u

extern const struct change somebody;

struct task_draft bench_draft(const char *name, const char *text, bool enabled);
int bench_create(struct registry *registry, const char *name);
int bench_put(struct registry *registry, const char *name, const char *text);
int bench_enable(struct registry *registry, const char *name, bool enabled);
int bench_drop(struct registry *registry, const char *name);
const struct task *bench_task(const struct registry *registry, const char *name);
int bench_set(struct registry *registry, const char *name, uint64_t value);
struct run_order bench_order(const char *name);
int bench_start(struct registry *registry, const char *name);
/* The number of a run that is placed now. */
uint64_t bench_place(struct registry *registry, const char *name,
                     enum run_purpose purpose);
int bench_end(struct registry *registry, uint64_t id, enum run_outcome outcome);
/* The number of a whole run of that outcome. */
uint64_t bench_run_once(struct registry *registry, const char *name,
                        enum run_outcome outcome);
const struct run *bench_live(const struct registry *registry, const char *name);
int bench_due(struct registry *registry, const char *name, uint64_t at_ms,
              uint64_t until_ms);
int bench_fire(struct registry *registry, const char *name, uint64_t expected_ms,
               uint64_t next_ms, bool is_due);
/* Of the event so many before the last one; `data` NULL: whatever it is. */
void bench_assert_event(const struct registry *registry, uint64_t back,
                        enum event_type type, const char *name, const char *data);
void bench_assert_statuses(const struct registry *registry, size_t successful,
                           size_t errored, size_t critical, size_t unknown);
/* Level 3, one member, the tasks a and b; of cmocka. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* Nothing has happened, but that it refuses. */
#define ASSERT_REFUSED(call, code)                                                     \
    do {                                                                               \
        struct digest digest_before = registry_digest(registry);                       \
        uint64_t sequence_before = registry_sequence(registry);                        \
        assert_int_equal((call), (code));                                              \
        assert_int_equal(registry_sequence(registry), sequence_before);                \
        assert_true(digest_equal(registry_digest(registry), digest_before));           \
    } while (0)

#endif
