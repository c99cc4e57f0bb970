/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"

#define SECOND INT64_C(1000000000)

static char folder[] = "/tmp/muster-test-config-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    remove("a.json");
    remove("b.json");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void write_file(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Loads and checks up to two texts; the error's text, or "" (in `err`). */
static int judge(struct config *config, const char *a, const char *b, struct err *err)
{
    *err = (struct err){0};
    config_init(config);
    write_file("a.json", a, strlen(a));
    int rv = config_load(config, "a.json", err);
    if (rv == 0 && b != NULL) {
        write_file("b.json", b, strlen(b));
        rv = config_load(config, "b.json", err);
    }
    return rv == 0 ? config_check(config, err) : rv;
}

static void refused(const char *text, const char *why)
{
    struct config config;
    struct err err;
    assert_int_equal(judge(&config, text, NULL, &err), ERR_INVALID);
    assert_string_equal(err.text, why);
    config_close(&config);
}

static void accepted(const char *text)
{
    struct config config;
    struct err err;
    if (judge(&config, text, NULL, &err) != 0) {
        fail_msg("%s: %s", text, err.text);
    }
    config_close(&config);
}

static void an_empty_file_is_one_node_on_loopback(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(judge(&config, "{}", NULL, &err), 0);
    assert_string_equal(config.listen_address, "127.0.0.1:8558");
    assert_int_equal(config.cluster_expect, 1);
    assert_int_equal(config.cluster_election_timeout, SECOND);
    assert_int_not_equal(config.node_name[0], '\0');
    config_close(&config);
}

static void every_kind_of_value_is_read(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(
        judge(&config,
              "{\"node\":{\"name\":\"n1\",\"data_dir\":\"/x\"},\"port\":9000,"
              "\"buffer_period\":{\"enabled\":false,\"min\":\"1m30s\"},"
              "\"cluster\":{\"expect\":3,\"peers\":[\"h2:1\",\"[::1]:2\"],"
              "\"election_timeout\":\"300ms\",\"heartbeat\":\"50ms\"}}",
              NULL, &err),
        0);
    assert_string_equal(config.node_name, "n1");
    assert_string_equal(config.listen_address, "127.0.0.1:9000");
    assert_false(config.buffer_period_enabled);
    assert_int_equal(config.buffer_period_min, 90 * SECOND);
    assert_int_equal(config.buffer_period_max, 90 * SECOND); /* raised to min */
    assert_int_equal(config.cluster_peers.count, 2);
    assert_string_equal(config.cluster_peers.items[1], "[::1]:2");
    config_close(&config);
}

static void a_later_file_wins_value_by_value(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(judge(&config,
                           "{\"node\":{\"name\":\"a\",\"data_dir\":\"/a\"},"
                           "\"listen\":{\"hosts\":[\"x\",\"y\"]}}",
                           "{\"node\":{\"name\":\"b\"},\"listen\":{\"hosts\":[\"z\"]}}",
                           &err),
                     0);
    assert_string_equal(config.node_name, "b");
    assert_string_equal(config.node_data_dir, "/a");
    assert_int_equal(config.listen_hosts.count, 1);
    assert_string_equal(config.listen_hosts.items[0], "z");
    assert_string_equal(config_origin(&config, "node.name"), "b.json");
    assert_string_equal(config_origin(&config, "node.data_dir"), "a.json");
    assert_null(config_origin(&config, "log_level"));
    config_close(&config);
}

static void an_error_names_the_file_that_gave_the_value(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(judge(&config, "{\"log_level\":\"LOUD\"}", "{\"id\":\"b\"}", &err),
                     ERR_INVALID);
    assert_string_equal(err.text, "a.json: log_level: must be TRACE, DEBUG, INFO, WARN "
                                  "or ERR, not 'LOUD'");
    config_close(&config);
}

static void an_unknown_name_is_refused_with_the_nearest_one(void **state)
{
    (void)state;
    refused("{\"cluster\":{\"expects\":3}}",
            "a.json: cluster.expects: there is no such setting; the nearest is "
            "cluster.expect");
    refused("{\"listn\":{\"address\":\"x:1\"}}",
            "a.json: listn: there is no such setting; the nearest is listen");
    refused("{\"node\":5}", "a.json: node: must be a block {…}, not 5");
    refused("{\"\":1}", "a.json: : there is no such setting; the nearest is id");
}

static void a_value_of_another_kind_is_refused(void **state)
{
    (void)state;
    refused("{\"port\":\"8558\"}", "a.json: port: must be a whole number, not 8558");
    refused("{\"port\":65536}", "a.json: port: must be from 0 to 65535, not 65536");
    refused("{\"node\":{\"name\":null}}",
            "a.json: node.name: must be a string, not null");
    refused("{\"cluster\":{\"peers\":[1]}}",
            "a.json: cluster.peers: must be a list of strings, not [1]");
    refused(
        "{\"cluster\":{\"heartbeat\":100}}",
        "a.json: cluster.heartbeat: must be a duration such as \"5s\" or \"100ms\", "
        "not 100");
    refused("{\"cluster\":{\"follower_writes\":\"yes\"}}",
            "a.json: cluster.follower_writes: must be reject or forward, not 'yes'");
    refused("{\"cluster\":{\"heartbeat\":\"100\"}}",
            "a.json: cluster.heartbeat: time: missing unit in duration \"100\"");
    refused("{\"cluster\":{\"heartbeat\":\"1ms\"}}",
            "a.json: cluster.heartbeat: must be from 5ms to 10s, not 1ms");
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    assert_int_equal(judge(&config, "{\n  \"id\": }", NULL, &err), ERR_INVALID);
    assert_memory_equal(err.text, "a.json: line 2, column 9: ", 26);
    config_close(&config);
    refused("[]", "a.json: must be an object: {\"node\": {…}, …}");
    assert_int_equal(judge(&config, "{\"id\":\"a\",\"id\":\"b\"}", NULL, &err),
                     ERR_INVALID); /* which of the two was meant? */
    config_close(&config);
}

static void a_missing_or_boundless_file_is_refused(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    config_init(&config);
    assert_int_equal(config_load(&config, "none.json", &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "none.json: No such file or directory");
    assert_int_equal(config_load(&config, "/", &err), ERR_IO);
    assert_int_equal(config_load(&config, "/dev/zero", &err), ERR_TOO_LARGE);
    config_close(&config);
}

static void peers_and_self_number_expect(void **state)
{
    (void)state;
    refused("{\"cluster\":{\"expect\":4}}",
            "a.json: cluster.expect: must be 1, 3 or 5, not 4");
    refused("{\"cluster\":{\"expect\":3}}",
            "a.json: cluster.expect: is 3, so cluster.peers must name 2 others; it is "
            "not given");
    refused("{\"cluster\":{\"peers\":[\"a:1\"]}}",
            "a.json: cluster.peers: must name 0 others, for cluster.expect is 1; it "
            "names 1");
    refused("{\"cluster\":{\"expect\":3,\"peers\":[\"a:1\",\"a:1\"]}}",
            "a.json: cluster.peers: 'a:1' is there twice");
    refused("{\"cluster\":{\"expect\":3,\"peers\":[\"a:1\",\"127.0.0.1:8658\"]}}",
            "a.json: cluster.peers: '127.0.0.1:8658' is this node itself: only the "
            "others are named");
    refused("{\"cluster\":{\"expect\":3,\"peers\":[\"a:1\",\"b\"]}}",
            "a.json: cluster.peers: 'b' must be host:port, such as 10.0.0.2:8658");
    accepted("{\"cluster\":{\"expect\":3,\"peers\":[\"a:1\",\"a:2\"]}}");
}

static void a_listener_outside_loopback_needs_insecure(void **state)
{
    (void)state;
    static const char *const outside[] = {"10.0.0.1:1",       "web:1",
                                          "[fe80::1]:1",      "128.0.0.1:1",
                                          "127.0.0.1.evil:1", "[::ffff:10.0.0.1]:1"};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        struct config config;
        struct err err;
        char *text = mem_printf("{\"listen\":{\"address\":\"%s\"}}", outside[i]);
        assert_int_equal(judge(&config, text, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "a.json: listen.address: '"));
        assert_non_null(strstr(err.text, "is not a loopback address"));
        config_close(&config);
        mem_free(text);
        text = mem_printf("{\"listen\":{\"address\":\"%s\",\"insecure\":true}}",
                          outside[i]);
        accepted(text);
        mem_free(text);
    }
    static const char *const inside[] = {"127.0.0.1:0", "127.9.9.9:1", "localhost:1",
                                         "[::1]:1", "[::ffff:127.0.0.1]:1"};
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        char *text = mem_printf("{\"listen\":{\"address\":\"%s\"}}", inside[i]);
        accepted(text);
        mem_free(text);
    }
}

static void the_peer_listener_is_judged_when_there_are_peers(void **state)
{
    (void)state;
    accepted("{\"listen\":{\"peer\":\"10.0.0.1:1\"}}");
    struct config config;
    struct err err;
    assert_int_equal(judge(&config,
                           "{\"cluster\":{\"expect\":3,\"peers\":[\"a:1\",\"b:1\"]}}",
                           "{\"listen\":{\"peer\":\"10.0.0.1:1\"}}", &err),
                     ERR_INVALID);
    assert_memory_equal(err.text, "b.json: listen.peer: ", 21);
    config_close(&config);
}

static void a_wildcard_needs_an_advertised_address(void **state)
{
    (void)state;
    static const char *const every[] = {"0.0.0.0:1", "[::]:1", "0:1",
                                        "[0:0:0:0:0:0:0:0]:1", "[::ffff:0.0.0.0]:1"};
    for (size_t i = 0; i < sizeof every / sizeof every[0]; i++) {
        struct config config;
        struct err err;
        char *text =
            mem_printf("{\"listen\":{\"insecure\":true,\"address\":\"%s\"}}", every[i]);
        assert_int_equal(judge(&config, text, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "listen.advertise_address"));
        config_close(&config);
        mem_free(text);
        text = mem_printf("{\"listen\":{\"insecure\":true,\"address\":\"%s\","
                          "\"advertise_address\":\"me:1\"}}",
                          every[i]);
        accepted(text);
        mem_free(text);
    }
    refused(
        "{\"listen\":{\"advertise_address\":\"0.0.0.0:1\"}}",
        "a.json: listen.advertise_address: others must be able to connect to it: it "
        "needs one address and one port, not '0.0.0.0:1'");
    refused(
        "{\"listen\":{\"advertise_address\":\"me:0\"}}",
        "a.json: listen.advertise_address: others must be able to connect to it: it "
        "needs one address and one port, not 'me:0'");
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const none[] = {
        "",      "127.0.0.1", ":1",   "127.0.0.1:", "::1:1", "[::1]",     "[]:1",
        "[a]:1", "h:65536",   "h:1x", "h:-1",       "a b:1", "http://h:1"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct config config;
        struct err err;
        char *text =
            mem_printf("{\"listen\":{\"insecure\":true,\"address\":\"%s\"}}", none[i]);
        assert_int_equal(judge(&config, text, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "listen.address: must be host:port"));
        config_close(&config);
        mem_free(text);
    }
}

static void the_heartbeat_is_at_most_a_third_of_the_timeout(void **state)
{
    (void)state;
    refused(
        "{\"cluster\":{\"election_timeout\":\"200ms\"}}",
        "a.json: cluster.election_timeout: cluster.heartbeat must be at most a third "
        "of cluster.election_timeout: 66 ms, not 100 ms");
}

static void names_and_folders_are_judged(void **state)
{
    (void)state;
    refused("{\"node\":{\"name\":\"a b\"}}",
            "a.json: node.name: must be 1 to 128 letters, digits, '.', '_' or '-', not "
            "'a b'");
    refused("{\"id\":\"ä\"}",
            "a.json: id: must be 1 to 128 letters, digits, '.', '_' or '-', not 'ä'");
    refused("{\"node\":{\"data_dir\":\"\"}}",
            "a.json: node.data_dir: must be the path of a folder");
    refused("{\"cluster\":{\"name\":\"a\\nb\"}}",
            "a.json: cluster.name: must have no control characters");
    refused("{\"limits\":{\"trusted_proxies\":[\"10.0.0.1\",\"lb\"]}}",
            "a.json: limits.trusted_proxies: 'lb' must be an IP address, such as "
            "10.0.0.9");
    refused("{\"modules\":[\"/srv/modules\",\"\"]}",
            "a.json: modules: folder 2 must be the path of one");
}

/* It is this machine that has to know the user, so `validate` elsewhere says nothing.
 */
static void user_of_runs_is_no_root(void **state)
{
    (void)state;
    struct config config;
    struct err err;
    uint32_t uid = 1;
    uint32_t gid = 1;
    config_init(&config);
    assert_int_equal(config_check(&config, &err), 0);
    assert_int_equal(config_user(&config, &uid, &gid, &err), 0);
    assert_int_equal(uid + gid, 0);
    config_replace(&config.runs_user, "no such user");
    assert_int_equal(config_user(&config, &uid, &gid, &err), ERR_INVALID);
    assert_string_equal(err.text,
                        "runs.user: there is no user 'no such user' on this machine");
    config_replace(&config.runs_user, "root");
    assert_int_equal(config_user(&config, &uid, &gid, &err), ERR_INVALID);
    assert_string_equal(err.text, "runs.user: 'root' is root, or of its group");
    config_replace(&config.runs_user, "nobody");
    int rv = config_user(&config, &uid, &gid, &err);
    if (geteuid() == 0) {
        assert_int_equal(rv, 0);
        assert_true(uid > 0 && gid > 0);
    } else {
        assert_string_equal(err.text, "runs.user: only a node that is root can run "
                                      "modules as somebody else");
    }
    config_close(&config);
}

static void count_line(void *ctx, const char *text)
{
    size_t *count = ctx;
    assert_non_null(strstr(text, " "));
    ++*count;
}

static void every_setting_is_described(void **state)
{
    (void)state;
    size_t count = 0;
    config_describe(count_line, &count);
    assert_int_equal(count, CONFIG_KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_one_node_on_loopback),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(a_later_file_wins_value_by_value),
        cmocka_unit_test(an_error_names_the_file_that_gave_the_value),
        cmocka_unit_test(an_unknown_name_is_refused_with_the_nearest_one),
        cmocka_unit_test(a_value_of_another_kind_is_refused),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(a_missing_or_boundless_file_is_refused),
        cmocka_unit_test(peers_and_self_number_expect),
        cmocka_unit_test(a_listener_outside_loopback_needs_insecure),
        cmocka_unit_test(the_peer_listener_is_judged_when_there_are_peers),
        cmocka_unit_test(a_wildcard_needs_an_advertised_address),
        cmocka_unit_test(an_address_that_is_none_is_refused),
        cmocka_unit_test(the_heartbeat_is_at_most_a_third_of_the_timeout),
        cmocka_unit_test(names_and_folders_are_judged),
        cmocka_unit_test(user_of_runs_is_no_root),
        cmocka_unit_test(every_setting_is_described),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
