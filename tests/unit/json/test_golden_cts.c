/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON examples of the CTS pages, kept in tests/golden/cts/: what those pages
 * answer is what we answer, by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "json/jsontext.h"
#include "json/status_json.h"
#include "json/task_json.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The page's daemon was configured so: its example gives no buffer period. */
static const struct task_defaults page_defaults = {true, INT64_C(5000000000),
                                                   INT64_C(25000000000)};

static json_t *load(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/cts/%s", name);
    json_error_t error;
    json_t *value = json_load_file(path, 0, &error);
    assert_non_null(value);
    return value;
}

static json_t *parse(const struct buf *text)
{
    assert_int_equal(jsontext_check(text->data, text->len, JSONTEXT_WHOLE, NULL), 0);
    json_t *value = json_loadb((const char *)text->data, text->len, 0, NULL);
    assert_non_null(value);
    return value;
}

/* Create a task of {"task":…} and read it back. */
static json_t *echo(json_t *request)
{
    char *body = json_dumps(request, 0);
    struct task_json json;
    struct err err = {0};
    int rc = task_json_create(body, strlen(body), &page_defaults, &json, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    struct task *task = task_new(&json.draft, 1, 1);
    struct buf out;
    buf_init(&out);
    task_json_put(&out, task);
    json_t *value = parse(&out);
    buf_close(&out);
    task_unref(task);
    task_json_close(&json);
    free(body);
    return value;
}

static void the_created_task_of_the_page_is_echoed(void **state)
{
    (void)state;
    json_t *request = load("task_create_request.json");
    json_t *response = load("task_create_response.json");
    json_t *got = echo(request);
    assert_true(json_equal(got, json_object_get(response, "task")));
    json_decref(got);
    json_decref(request);
    json_decref(response);
}

static void every_task_of_the_page_is_its_own_echo(void **state)
{
    (void)state;
    static const char *const pages[] = {"task.json", "task_create_response.json",
                                        "tasks.json"};
    for (size_t i = 0; i < COUNT(pages); i++) {
        json_t *page = load(pages[i]);
        json_t *task = json_object_get(page, "task");
        if (task == NULL) {
            task = json_array_get(json_object_get(page, "tasks"), 0);
        }
        json_t *request = json_pack("{s:O}", "task", task);
        json_t *got = echo(request);
        assert_true(json_equal(got, task));
        json_decref(got);
        json_decref(request);
        json_decref(page);
    }
}

static void same_keys(json_t *left, json_t *right)
{
    assert_int_equal(json_object_size(left), json_object_size(right));
    const char *key;
    json_t *value;
    json_object_foreach(left, key, value)
    {
        json_t *other = json_object_get(right, key);
        assert_non_null(other);
        assert_true(json_is_array(other) == json_is_array(value));
        assert_true(json_is_string(other) == json_is_string(value));
        assert_true(json_is_boolean(other) == json_is_boolean(value));
        assert_true(json_is_number(other) == json_is_number(value));
        if (json_is_object(value)) {
            same_keys(value, other);
        }
    }
}

static void create(struct registry *registry, const char *body)
{
    struct task_json json;
    const struct change change = {.wall_ms = 1, .request_id = "", .actor = ""};
    assert_int_equal(task_json_create(body, strlen(body), &page_defaults, &json, NULL),
                     0);
    assert_int_equal(registry_task_create(registry, &change, &json.draft), 0);
    task_json_close(&json);
}

static struct registry *registry_of_the_page(void)
{
    struct registry *registry = registry_new();
    create(registry, "{\"task\":{\"name\":\"task_a\",\"module\":\"m\",\"providers\":["
                     "\"local\"],\"condition\":{\"services\":{\"names\":[\"api\"]}}}}");
    create(registry, "{\"task\":{\"name\":\"task_b\",\"module\":\"m\",\"providers\":["
                     "\"null\"],\"enabled\":false,\"condition\":{},\"module_input\":{"
                     "\"services\":{\"names\":[\"web\"]}}}}");
    return registry;
}

static void the_status_has_the_page_s_shape(void **state)
{
    (void)state;
    struct registry *registry = registry_of_the_page();
    struct buf out;
    buf_init(&out);
    status_json_put_overall(&out, registry);
    json_t *got = parse(&out);
    json_t *page = load("status.json");
    same_keys(page, got);
    assert_memory_equal(
        out.data,
        "{\"task_summary\":{\"status\":{\"successful\":0,\"errored\":0,"
        "\"critical\":0,\"unknown\":2},\"enabled\":{\"true\":1,\"false\":1}"
        "}}",
        out.len);
    json_decref(got);
    json_decref(page);
    buf_close(&out);
    registry_free(registry);
}

static void the_task_statuses_are_the_page_s_before_anything_has_run(void **state)
{
    (void)state;
    struct registry *registry = registry_of_the_page();
    struct buf out;
    buf_init(&out);
    const struct status_filter all = {0};
    status_json_put_all(&out, registry, &all);
    json_t *got = parse(&out);
    json_t *page = load("status_tasks_other.json");
    const char *name;
    json_t *entry;
    json_t *shown = json_object_get(got, "task_a");
    assert_int_equal(json_object_del(shown, "warning"), 0); /* spec/muster.md 4 */
    json_object_foreach(page, name, entry)
    { /* what runs will decide */
        json_object_set_new(entry, "status", json_string("unknown"));
        json_object_set_new(entry, "events_url", json_string(""));
    }
    assert_true(json_equal(got, page));
    json_t *first_page = load("status_tasks.json");
    same_keys(first_page, got);
    json_decref(first_page);
    json_decref(got);
    json_decref(page);
    buf_close(&out);
    registry_free(registry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_created_task_of_the_page_is_echoed),
        cmocka_unit_test(every_task_of_the_page_is_its_own_echo),
        cmocka_unit_test(the_status_has_the_page_s_shape),
        cmocka_unit_test(the_task_statuses_are_the_page_s_before_anything_has_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
