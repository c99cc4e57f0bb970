/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and hellos byte by byte (raft/README.md, "The wire between nodes"); addresses;
 * what is logged of refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/limits.h"
#include "base/mem.h"
#include "raft/frame.h"
#include "raft/peer/refusals.h"
#include "raft/peer/wire.h"

static const struct hello sample = {
    .protocol = LINK_PROTOCOL,
    .cluster_id = 0x0102030405060708u,
    .node_id = 0x1112131415161718u,
    .start_counter = 5,
    .session = 0x3132333435363738,
    .last_index = 9,
    .pledge = 0x2122232425262728u,
    .expect = 3,
    .level = 2,
    .name = "n1",
    .peer_address = "10.0.0.1:8658",
    .api_address = "[::1]:8558",
    .version = "0.1.0",
};

static int decode(const uint8_t *body, size_t len)
{
    struct hello out;
    char *strings = NULL;
    struct err err;
    int rv = wire_hello_decode(&out, &strings, body, len, &err);
    mem_free(strings);
    return rv;
}

static void the_checksum_is_crc32c(void **state)
{
    (void)state;
    uint8_t head[WIRE_HEAD_BYTES];
    wire_head((const uint8_t *)"123456789", 9, head);
    static const uint8_t wanted[] = {9, 0, 0, 0, 0x83, 0x92, 0x06, 0xe3};
    assert_memory_equal(head, wanted, sizeof wanted);
}

static void a_hello_lies_as_the_page_says(void **state)
{
    (void)state;
    struct bytes *body = wire_hello_encode(&sample);
    static const uint8_t wanted[] = "\x00"
                                    "muster\x00\x00"
                                    "\x01\x00\x00\x00"
                                    "\x08\x07\x06\x05\x04\x03\x02\x01"
                                    "\x18\x17\x16\x15\x14\x13\x12\x11"
                                    "\x05\x00\x00\x00\x00\x00\x00\x00"
                                    "\x38\x37\x36\x35\x34\x33\x32\x31"
                                    "\x09\x00\x00\x00\x00\x00\x00\x00"
                                    "\x28\x27\x26\x25\x24\x23\x22\x21"
                                    "\x03\x00\x00\x00"
                                    "\x02\x00\x00\x00"
                                    "\x02\x00\x00\x00n1"
                                    "\x0d\x00\x00\x00"
                                    "10.0.0.1:8658"
                                    "\x0a\x00\x00\x00[::1]:8558"
                                    "\x05\x00\x00\x00"
                                    "0.1.0";
    assert_int_equal(body->len, sizeof wanted - 1);
    assert_memory_equal(body->data, wanted, body->len);
    bytes_unref(body);
}

static void a_hello_comes_back_whole(void **state)
{
    (void)state;
    struct bytes *body = wire_hello_encode(&sample);
    struct hello out;
    char *strings = NULL;
    struct err err;
    assert_int_equal(wire_hello_decode(&out, &strings, body->data, body->len, &err), 0);
    assert_int_equal(out.protocol, LINK_PROTOCOL);
    assert_true(out.cluster_id == sample.cluster_id && out.node_id == sample.node_id);
    assert_true(out.start_counter == 5 && out.pledge == sample.pledge);
    assert_true(out.session == sample.session && out.last_index == 9);
    assert_true(out.expect == 3 && out.level == 2);
    assert_string_equal(out.name, sample.name);
    assert_string_equal(out.peer_address, sample.peer_address);
    assert_string_equal(out.api_address, sample.api_address);
    assert_string_equal(out.version, sample.version);
    mem_free(strings);
    bytes_unref(body);
}

static void the_longest_texts_fit_one_more_byte_does_not(void **state)
{
    (void)state;
    static const struct {
        size_t at; /* of which text, from the first */
        size_t max;
    } rows[] = {{0, 128}, {1, 255}, {2, 255}, {3, 64}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t more = 0; more < 2; more++) {
            struct buf out;
            buf_init(&out);
            struct bytes *body = wire_hello_encode(&sample);
            buf_put(&out, body->data, 69);
            bytes_unref(body);
            for (size_t text = 0; text < 4; text++) {
                size_t len = text == rows[i].at ? rows[i].max + more : 1;
                buf_put_u32(&out, (uint32_t)len);
                buf_reserve(&out, len);
                memset(out.data + out.len, 'x', len);
                out.len += len;
            }
            assert_int_equal(decode(out.data, out.len), more == 0 ? 0 : ERR_CORRUPT);
            buf_close(&out);
        }
    }
}

static void what_is_cut_or_added_is_no_hello(void **state)
{
    (void)state;
    struct bytes *body = wire_hello_encode(&sample);
    for (size_t len = 0; len < body->len; len++) {
        uint8_t *copy = mem_dup(body->data, len > 0 ? len : 1); /* exact, for ASan */
        assert_int_equal(decode(copy, len), ERR_CORRUPT);
        mem_free(copy);
    }
    uint8_t *longer = mem_zalloc(body->len + 1);
    memcpy(longer, body->data, body->len);
    assert_int_equal(decode(longer, body->len + 1), ERR_CORRUPT);
    mem_free(longer);
    bytes_unref(body);
}

static void texts_are_printable(void **state)
{
    (void)state;
    static const uint8_t bad[] = {0, '\n', 0x1b, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < sizeof bad; i++) {
        struct bytes *body = wire_hello_encode(&sample);
        body->data[73] = bad[i]; /* the first byte of the name */
        assert_int_equal(decode(body->data, body->len), ERR_CORRUPT);
        bytes_unref(body);
    }
}

static void a_node_has_an_id(void **state)
{
    (void)state;
    struct bytes *body = wire_hello_encode(&sample);
    put_u64(body->data + 21, 0);
    assert_int_equal(decode(body->data, body->len), ERR_CORRUPT);
    bytes_unref(body);
}

static void of_another_protocol_only_the_number_is_read(void **state)
{
    (void)state;
    static const uint8_t body[] = "\x00muster\x00\x00\x02\x00\x00\x00whatever it says";
    struct hello out;
    char *strings = NULL;
    struct err err;
    assert_int_equal(wire_hello_decode(&out, &strings, body, sizeof body, &err), 0);
    assert_int_equal(out.protocol, 2);
    assert_null(out.name);
    mem_free(strings);
}

static void a_frame_is_found_when_its_last_byte_is_there(void **state)
{
    (void)state;
    uint8_t data[WIRE_HEAD_BYTES + 9 + 3];
    wire_head((const uint8_t *)"123456789", 9, data);
    memcpy(data + WIRE_HEAD_BYTES, "123456789???", 12);
    const uint8_t *body = NULL;
    size_t len = 0;
    struct err err;
    for (size_t there = 0; there < WIRE_HEAD_BYTES + 9; there++) {
        uint8_t *copy = mem_dup(data, there > 0 ? there : 1);
        assert_int_equal(wire_frame(copy, there, 100, &body, &len, &err), 0);
        mem_free(copy);
    }
    for (size_t there = WIRE_HEAD_BYTES + 9; there <= sizeof data; there++) {
        assert_int_equal(wire_frame(data, there, 100, &body, &len, &err), 1);
        assert_int_equal(len, 9);
        assert_ptr_equal(body, data + WIRE_HEAD_BYTES);
    }
}

static void a_flipped_bit_is_seen(void **state)
{
    (void)state;
    uint8_t data[WIRE_HEAD_BYTES + 9];
    wire_head((const uint8_t *)"123456789", 9, data);
    memcpy(data + WIRE_HEAD_BYTES, "123456789", 9);
    for (size_t bit = 0; bit < 8 * sizeof data; bit++) {
        const uint8_t *body = NULL;
        size_t len = 0;
        struct err err;
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(wire_frame(data, sizeof data, 100, &body, &len, &err) <= 0);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void an_impossible_length_is_seen_at_once(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 101, LIMIT_FRAME_BYTES + 1, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        uint8_t head[WIRE_HEAD_BYTES] = {0};
        const uint8_t *body = NULL;
        size_t len = 0;
        struct err err;
        put_u32(head, lengths[i]);
        assert_int_equal(wire_frame(head, sizeof head, 100, &body, &len, &err),
                         ERR_CORRUPT);
    }
}

static void addresses_come_apart(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        const char *host; /* NULL: refused */
        const char *port;
    } rows[] = {
        {"10.0.0.1:8658", "10.0.0.1", "8658"},
        {"[::1]:0", "::1", "0"},
        {"name.example:65535", "name.example", "65535"},
        {"name:65536", NULL, NULL},
        {"name:", NULL, NULL},
        {"name", NULL, NULL},
        {":80", NULL, NULL},
        {"::1:80", NULL, NULL},
        {"name:80x", NULL, NULL},
        {"name:-1", NULL, NULL},
        {"name: 1", NULL, NULL},
        {"name:000080", NULL, NULL},
        {"na me:80", NULL, NULL},
        {"http://name:80", NULL, NULL},
        {"name\n:80", NULL, NULL},
        {"[name]:80", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[LIMIT_ADDRESS_BYTES];
        const char *port = NULL;
        assert_int_equal(address_split(rows[i].address, host, &port),
                         rows[i].host != NULL);
        if (rows[i].host != NULL) {
            assert_string_equal(host, rows[i].host);
            assert_string_equal(port, rows[i].port);
        }
    }
    char longest[LIMIT_ADDRESS_BYTES + 1];
    char host[LIMIT_ADDRESS_BYTES];
    const char *port = NULL;
    memset(longest, 'x', sizeof longest);
    memcpy(longest + LIMIT_ADDRESS_BYTES - 3, ":80", 4);
    assert_false(address_split(longest, host, &port));
    assert_true(address_split(longest + 1, host, &port));
}

static void the_same_refusal_is_logged_once_a_minute(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    assert_true(refusals_note(&refusals, "a:1", "why", 0));
    assert_false(refusals_note(&refusals, "a:1", "why", 59999));
    assert_true(refusals_note(&refusals, "b:1", "why", 59999));
    assert_true(refusals_note(&refusals, "a:1", "why", 60000));
    assert_false(refusals_note(&refusals, "a:1", "other", 60999));
    assert_true(refusals_note(&refusals, "a:1", "other", 61000));
}

static void many_places_do_not_fill_the_log(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    size_t logged = 0;
    for (size_t i = 0; i < 1000; i++) {
        char place[32];
        snprintf(place, sizeof place, "10.0.%zu.%zu", i / 250, i % 250);
        logged += refusals_note(&refusals, place, "why", 7000 + i);
    }
    assert_int_equal(logged, REFUSALS_MAX);
    assert_true(refusals_note(&refusals, "late", "why", 7000 + 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checksum_is_crc32c),
        cmocka_unit_test(a_hello_lies_as_the_page_says),
        cmocka_unit_test(a_hello_comes_back_whole),
        cmocka_unit_test(the_longest_texts_fit_one_more_byte_does_not),
        cmocka_unit_test(what_is_cut_or_added_is_no_hello),
        cmocka_unit_test(texts_are_printable),
        cmocka_unit_test(a_node_has_an_id),
        cmocka_unit_test(of_another_protocol_only_the_number_is_read),
        cmocka_unit_test(a_frame_is_found_when_its_last_byte_is_there),
        cmocka_unit_test(a_flipped_bit_is_seen),
        cmocka_unit_test(an_impossible_length_is_seen_at_once),
        cmocka_unit_test(addresses_come_apart),
        cmocka_unit_test(the_same_refusal_is_logged_once_a_minute),
        cmocka_unit_test(many_places_do_not_fill_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
