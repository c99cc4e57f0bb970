# SPDX-License-Identifier: Apache-2.0
"""What an HTTP server owes its clients, and what it does with rubbish."""
import http.client
import json
import socket

import pytest

from lib.cluster import Node
from lib.load import task_body
from lib.raw import Raw, exchange, head, post
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized

BODY_MOST = 1024 * 1024
HEAD_MOST = 16 * 1024


def wide(count, bytes_each=0):
    """A task body of many members."""
    body = task_body("wide", "")
    body["task"]["variables"] = {f"v{n}": "x" * bytes_each for n in range(count)}
    return body


# --- paths and methods ---------------------------------------------------------------

@pytest.mark.parametrize("path, allowed", [
    ("/v1/tasks", {"GET", "HEAD", "POST"}),
    ("/v1/tasks/a", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
    ("/tasks/a", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
    ("/v1/status", {"GET", "HEAD"}), ("/v1/status/tasks", {"GET", "HEAD"}),
    ("/v1/status/cluster", {"GET", "HEAD"}), ("/v1/health", {"GET", "HEAD"}),
    ("/v1/events", {"GET", "HEAD"}),
])
def test_another_method_is_405_with_all_that_are_allowed(shared, path, allowed):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"} - allowed:
        answer = shared.call(method, path)
        assert answer.status == 405, method
        assert set(answer.headers["Allow"].split(", ")) == allowed | {"OPTIONS"}
        assert method in answer.json["error"]["message"]
    options = shared.call("OPTIONS", path)
    assert (options.status, options.body) == (200, b"")
    assert set(options.headers["Allow"].split(", ")) == allowed | {"OPTIONS"}
    assert options.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", [
    "/", "/v1", "/v1/", "/v1/tasks/", "/v1/tasks/a/b", "/v1/tasks//", "//v1/tasks",
    "/v2/tasks", "/v1/v1/tasks", "/v1/nothing", "/tasks/a/b/c/d/e/f", "/v1/tasks/a%2Fb",
    "/v1/./tasks", "/v1/x/../tasks"])
def test_an_unknown_path_is_404_as_json(shared, path):
    answer = exchange(shared.api, head("GET", path))
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"]["message"]
    assert exchange(shared.api, head("OPTIONS", path)).status == 200


@pytest.mark.parametrize("path", ["/v1/tasks/%", "/v1/tasks/%0", "/v1/tasks/%zz",
                                  "/v1/tasks/%00", "/v1/tasks?a=%", "v1/tasks", "*",
                                  "/v1/tasks?" + "&".join(f"a{n}" for n in range(17))])
def test_a_broken_target_is_400(shared, path):
    assert exchange(shared.api, head("GET", path)).status in (400, 404)
    assert exchange(shared.api, head("OPTIONS", "*")).status == 200


def test_head_is_get_without_a_body(node):
    node.call("POST", "/v1/tasks", task_body("a", ""))
    for path in ("/v1/tasks", "/v1/tasks/a", "/v1/tasks/none", "/v1/status",
                 "/v1/status/tasks", "/v1/events", "/v1/cluster", "/v1/nothing"):
        with Raw(node.api) as raw:  # what came after a body would show
            got = raw.send(head("GET", path)).answer()
            seen = raw.send(head("HEAD", path)).answer("HEAD")
            assert (seen.status, seen.body) == (got.status, b"")
            assert seen.headers["Content-Length"] == got.headers["Content-Length"]
            assert raw.send(head("GET", "/v1/health")).answer().status == 200


def test_an_absolute_target_counts_by_its_path_if_it_names_the_host(shared):
    assert exchange(shared.api, head("GET", "http://localhost/v1/health")).status == 200
    assert exchange(shared.api, head("GET", "http://other/v1/health")).status == 400


# --- headers -------------------------------------------------------------------------

@pytest.mark.parametrize("given, kept", [
    ("abc", True), ("A.b_c-9", True), ("x" * 64, True), ("x" * 65, False), ("", False),
    ("a b", False), ("a/b", False), ("ä", False)])
def test_a_valid_request_id_is_kept(shared, given, kept):
    for path in ("/v1/tasks/none", "/v1/tasks", "/v1/nothing"):
        sent = head("GET", path).replace(b"\r\n\r\n", b"\r\nX-Request-Id: " +
                                         given.encode() + b"\r\n\r\n")
        answer = exchange(shared.api, sent)
        assert (answer.headers["X-Request-Id"] == given) is kept
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_any_page_may_read_and_none_may_write(node):
    origin = {"Origin": "http://evil.example"}
    for path in ("/v1/tasks", "/v1/nothing"):
        answer = node.call("GET", path, headers=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    node.call("POST", "/v1/tasks", task_body("a", ""))
    for origin in ("http://evil.example", "null", "http://", "localhost"):
        for method, path, body in (("POST", "/v1/tasks", task_body("b", "")),
                                   ("PATCH", "/v1/tasks/a", {"enabled": False}),
                                   ("DELETE", "/v1/tasks/a", None)):
            answer = node.call(method, path, body, headers={"Origin": origin})
            assert answer.status == 403
            assert "Access-Control-Allow-Origin" not in answer.headers
    own = node.call("PATCH", "/v1/tasks/a", {"enabled": False},
                    headers={"Origin": f"http://{node.api}"})
    assert own.status == 200
    assert "Access-Control-Allow-Origin" not in own.headers


@pytest.mark.parametrize("host, status", [
    ("localhost", 404), ("LOCALHOST:9", 404), ("127.0.0.1:8558", 404), ("[::1]:1", 404),
    ("127.9.9.9", 404), ("muster.example:80", 404), ("evil.example", 403),
    ("127.0.0.1.evil.example", 403), ("localhost.evil", 403), ("[::2]", 403), ("", 403)])
def test_a_loopback_listener_is_written_to_by_a_name_of_its_own(tmp_path, host, status):
    node = Node(tmp_path / "n1", "n1", settings={"listen": {"hosts": ["muster.example"]}})
    node.start()
    try:
        wait_until("it leads", node.leads)
        answer = exchange(node.api, head("DELETE", "/v1/tasks/none", host=host))
        assert answer.status == status
        assert exchange(node.api, head("GET", "/v1/status", host=host)).status == 200
    finally:
        node.end()


# --- connections ---------------------------------------------------------------------

def test_a_connection_is_kept_and_closed_as_asked(shared):
    with Raw(shared.api) as raw:
        for _ in range(3):
            answer = raw.send(head("GET", "/v1/health")).answer()
            assert answer.headers["Connection"] == "keep-alive"
        answer = raw.send(head("GET", "/v1/health", "Connection: close")).answer()
        assert answer.headers["Connection"] == "close"
        assert raw.closed()
    with Raw(shared.api) as raw:
        assert raw.send(b"GET /v1/tasks HTTP/1.0\r\n\r\n").answer().status == 200
        assert raw.closed()


def test_pipelined_requests_are_answered_in_order(node):
    with Raw(node.api) as raw:
        raw.send(post(task_body("a", "")) + head("GET", "/v1/tasks/a") +
                 head("DELETE", "/v1/tasks/a") + head("GET", "/v1/tasks/a") +
                 head("HEAD", "/v1/tasks") + head("GET", "/v1/health"))
        assert raw.answer().status == 201
        assert raw.answer().json["task"]["name"] == "a"
        assert raw.answer().status == 202
        assert raw.answer().status == 404
        assert raw.answer("HEAD").status == 200
        assert raw.answer().status == 200


def test_a_request_may_come_byte_by_byte(node):
    with Raw(node.api) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(task_body("a", "")):
            raw.send(bytes([byte]))
        assert raw.answer().status == 201


def test_a_chunked_body_is_a_body(node):
    body = json.dumps(task_body("a", "x" * 3000)).encode()
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(body[at:at + 7]), body[at:at + 7])
                      for at in range(0, len(body), 7))
    with Raw(node.api) as raw:
        raw.send(head("POST", "/v1/tasks", "Content-Type: application/json",
                      "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
        assert raw.answer().status == 201
        assert raw.send(head("GET", "/v1/tasks/a")).answer().status == 200


def test_continue_is_said_before_the_body(node):
    body = json.dumps(task_body("a", "")).encode()
    with Raw(node.api) as raw:
        raw.send(head("POST", "/v1/tasks", "Content-Type: application/json",
                      f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert raw.file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert raw.file.readline() == b"\r\n"
        assert raw.send(body).answer().status == 201


def test_a_half_request_gets_nothing_and_is_ended(node):
    with Raw(node.api) as raw:
        raw.send(b"GET /v1/health HTTP/1.1\r\nHost: local").end()
        assert raw.closed()
    with Raw(node.api) as raw:
        raw.send(post(task_body("a", ""))[:-5]).end()
        assert raw.closed()
    assert node.tasks() == {}


def test_a_client_that_goes_before_its_answer_harms_nobody(node):
    for n in range(20):
        with Raw(node.api) as raw:
            raw.send(post(task_body(f"t{n}", "")))
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\1\0\0\0\0\0\0\0")  # reset
    wait_until("the writes are done or never were",
               lambda: node.call("GET", "/v1/health/ready").status == 200)
    assert node.call("POST", "/v1/tasks", task_body("last", "")).status == 201


@pytest.mark.parametrize("rubbish", [
    b"\0\0\0\0\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n",
    b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /v1/health HTTP/1.1\r\nHost : localhost\r\n\r\n",
    b"GET /v1/health HTTP/1.1\r\n\0Host: localhost\r\n\r\n",
    b"GET  /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_rubbish_is_refused_and_the_node_goes_on(shared, rubbish):
    with Raw(shared.api) as raw:
        raw.send(rubbish).end()
        answer = raw.answer()
        assert answer is None or answer.status == 400
        assert raw.closed()
    assert shared.call("GET", "/v1/health").status == 200


@pytest.mark.parametrize("lines", [
    ["Content-Length: 2", "Content-Length: 2"],
    ["Content-Length: 2", "Content-Length: 20"],
    ["Content-Length: 2", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 2"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: identity"],
    ["Content-Length: 2, 2"], ["Content-Length: +2"], ["Content-Length: -2"],
    ["Content-Length: 0x2"], ["Content-Length: "], ["Content-Length: 2 2"],
    ["Content-Length: 99999999999999999999999"],
    ["Host: other"], ["Content-Length: 2", "X-A: b", " folded: c"],
])
def test_what_two_servers_may_read_differently_is_refused(shared, lines):
    sent = head("POST", "/v1/tasks", "Content-Type: application/json", *lines)
    for request in (sent + b"2\r\n{}\r\n0\r\n\r\n", sent.replace(b"\r\n", b"\n") + b"{}"):
        with Raw(shared.api) as raw:
            raw.send(request + head("DELETE", "/v1/tasks/none")).end()
            answer = raw.answer()
            assert answer.status in (400, 413)
            assert answer.json["error"]["message"]
            assert answer.headers["Connection"] == "close"
            assert raw.closed()  # what was behind it is not taken for a request


def test_one_host_is_needed(shared):
    assert exchange(shared.api, b"GET /v1/health HTTP/1.1\r\n\r\n").status == 400
    assert exchange(shared.api, b"GET /v1/health HTTP/1.1\r\nA: b\r\n\r\n").status == 400
    assert exchange(shared.api, b"GET /v1/health HTTP/1.0\r\n\r\n").status == 200
    assert exchange(shared.api, b"GET /v1/health HTTP/1.1\nHost: localhost\n\n").status == 200


def test_http_2_is_not_spoken(shared):
    answer = exchange(shared.api, head("GET", "/v1/health", "Connection: Upgrade, "
                                     "HTTP2-Settings", "Upgrade: h2c",
                                     "HTTP2-Settings: AAMAAABkAAQAAP__"))
    assert answer.status == 200


# --- limits --------------------------------------------------------------------------

def test_the_head_s_limit_at_its_edge(shared):
    def sized(bytes_all):
        sent = head("GET", "/v1/health", "X-Pad: ")
        return sent.replace(b"X-Pad: ", b"X-Pad: " + b"x" * (bytes_all - len(sent)))
    assert exchange(shared.api, sized(HEAD_MOST)).status == 200
    for size in (HEAD_MOST + 1, 20 * 1024, 200 * 1024):
        answer = exchange(shared.api, sized(size))
        assert answer.status == 431
        assert answer.headers["Connection"] == "close"
    assert exchange(shared.api, head("GET", "/v1/tasks/" + "x" * 17000)).status == 431


def test_a_head_without_an_end_is_refused(shared):
    with Raw(shared.api) as raw:
        try:
            raw.send(b"GET /v1/health HTTP/1.1\r\n" + b"X-A: b\r\n" * 100000)
            answer = raw.answer()
        except OSError:
            answer = None
        assert answer is None or answer.status == 400


def padded(bytes_all):
    """A valid body of exactly so many bytes."""
    body = json.dumps(task_body("padded", "")).encode()
    return body + b" " * (bytes_all - len(body))


def test_the_body_s_limit_at_its_edge(node):
    assert exchange(node.api, post(padded(BODY_MOST))).status == 201
    for size in (BODY_MOST + 1, BODY_MOST + 2, 2 * BODY_MOST, 16 * BODY_MOST):
        answer = exchange(node.api, post(padded(size)))
        assert answer.status == 413
        assert "1048576" in answer.json["error"]["message"]
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        assert answer.headers["Connection"] == "close"


def test_the_limit_of_a_chunked_body_is_the_same(node):
    def chunked(size):
        body = padded(size)
        return head("POST", "/v1/tasks", "Content-Type: application/json",
                    "Transfer-Encoding: chunked") + b"".join(
            b"%x\r\n%s\r\n" % (len(body[at:at + 50000]), body[at:at + 50000])
            for at in range(0, size, 50000)) + b"0\r\n\r\n"
    assert exchange(node.api, chunked(BODY_MOST)).status == 201
    for size in (BODY_MOST + 1, BODY_MOST + 2, 2 * BODY_MOST, 16 * BODY_MOST):
        answer = exchange(node.api, chunked(size))
        assert answer.status == 413
        assert answer.json["error"]["message"]


def test_a_body_announced_too_large_is_refused_before_it_comes(shared):
    with Raw(shared.api) as raw:
        answer = raw.send(head("POST", "/v1/tasks", "Content-Type: application/json",
                               f"Content-Length: {2 * BODY_MOST}",
                               "Expect: 100-continue")).answer()
        assert answer.status == 413
        assert raw.closed()


def test_another_expectation_is_417(shared):
    answer = exchange(shared.api, head("POST", "/v1/tasks", "Content-Length: 2",
                                     "Expect: the-unexpected") + b"{}")
    assert answer.status == 417
    assert answer.json["error"]["message"]


def test_a_large_body_is_parsed_beside_the_loop(node):
    body = wide(3000, 100)
    assert node.call("POST", "/v1/tasks", body).status == 201
    assert node.tasks()["wide"]["variables"] == body["task"]["variables"]
    again = node.call("POST", "/v1/tasks", body)
    assert again.status == 400 and "already exists" in again.json["error"]["message"]
    rubbish = node.call("PATCH", "/v1/tasks/wide", b" " * 200000 + b"x")
    assert rubbish.status == 400
    patched = node.call("PATCH", "/v1/tasks/wide", b" " * 200000 + b'{"enabled":false}')
    assert patched.status == 200
    assert node.call("POST", "/v1/tasks", b"[" * 1000000,
                     headers={"Content-Type": "application/json"}).status == 400
    assert node.call("DELETE", "/v1/tasks/wide").status == 202


def test_large_bodies_wait_their_turn(node):
    connections = [Raw(node.api) for _ in range(8)]
    try:
        for n, raw in enumerate(connections):
            body = wide(1000, 100)
            body["task"]["name"] = f"w{n}"
            raw.send(post(body))
        assert [raw.answer().status for raw in connections] == [201] * 8
    finally:
        for raw in connections:
            raw.__exit__()
    assert len(node.tasks()) == 8


def test_a_deep_body_is_refused(shared):
    deep = b'{"task":' + b"[" * 17 + b"]" * 17 + b"}"
    assert shared.call("POST", "/v1/tasks", deep,
                     headers={"Content-Type": "application/json"}).status == 400


def test_connections_have_a_limit_and_those_past_it_are_closed(tmp_path):
    node = Node(tmp_path / "n1", "n1", settings={
        "limits": {"connections": 16, "connections_per_address": 4}})
    node.start()
    try:
        held = [Raw(node.api) for _ in range(4)]
        for raw in held:
            assert raw.send(head("GET", "/v1/health")).answer().status == 200
        with Raw(node.api) as fifth:
            assert fifth.closed()
        held.pop().__exit__()

        def admitted():
            with Raw(node.api) as raw:
                try:
                    answer = raw.send(head("GET", "/v1/health")).answer()
                except OSError:
                    answer = None
                return answer is not None and answer.status == 200
        wait_until("the free place is given away", admitted)
        for raw in held:
            raw.__exit__()
    finally:
        node.end()


def test_a_request_that_never_ends_is_ended(node):
    with Raw(node.api) as silent, Raw(node.api) as half, Raw(node.api) as body:
        half.send(b"GET /v1/health HTTP/1.1\r\nHost: ")
        body.send(post(task_body("a", ""))[:-1])
        assert silent.closed() and half.closed() and body.closed()
    assert node.tasks() == {}


# --- long answers --------------------------------------------------------------------

@pytest.fixture
def full(node):
    """A node whose list is more than a turn."""
    connection = http.client.HTTPConnection(*node.api.split(":"))
    for n in range(300):
        connection.request("POST", "/v1/tasks", json.dumps(task_body(f"t{n}", "x" * 8000)),
                           {"Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()
    return node


def test_a_long_list_is_whole_and_in_order(full):
    for path in ("/v1/tasks", "/v1/events?limit=1000"):
        answer = full.call("GET", path)
        assert answer.status == 200
        assert answer.body.endswith(b"}\n")
    tasks = full.call("GET", "/v1/tasks").json["tasks"]
    assert [task["name"] for task in tasks] == [f"t{n}" for n in range(300)]
    assert len(full.call("GET", "/v1/status/tasks").json) == 300
    with Raw(full.api) as raw:  # without chunks the end of the answer is the end of all
        answer = raw.send(b"GET /v1/tasks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer()
        assert len(answer.json["tasks"]) == 300
    with Raw(full.api) as raw:
        assert raw.send(head("HEAD", "/v1/tasks")).answer("HEAD").body == b""
        assert raw.send(head("GET", "/v1/health")).answer().status == 200


def test_a_list_is_of_one_moment_whatever_is_written_meanwhile(full):
    with Raw(full.api, window=64 * 1024) as raw:
        raw.send(head("GET", "/v1/tasks"))
        raw.file.peek(1)
        for n in range(0, 300, 10):
            assert full.call("DELETE", f"/v1/tasks/t{n}").status == 202
        assert len(raw.answer().json["tasks"]) == 300
    assert len(full.tasks()) == 270


def test_a_client_that_reads_no_more_does_not_hold_up_the_end(full):
    with Raw(full.api, window=64 * 1024) as raw:
        for _ in range(30):
            raw.send(head("GET", "/v1/tasks"))
        raw.file.peek(1)
        full.stop()


# --- the end -------------------------------------------------------------------------

def test_a_write_under_way_is_answered_before_the_end(node):
    connections = [Raw(node.api) for _ in range(10)]
    for n, raw in enumerate(connections):
        raw.send(post(task_body(f"t{n}", "")))
    node.stop()
    answered = [raw.answer() for raw in connections]
    for raw in connections:
        raw.__exit__()
    node.start()
    wait_until("it is ready", node.ready)
    tasks = node.tasks()
    for n, answer in enumerate(answered):
        if answer is not None and answer.status == 201:
            assert f"t{n}" in tasks
