# SPDX-License-Identifier: Apache-2.0
"""/v1/snapshot: the whole state as one stream of bytes, from one moment."""
import pytest

from lib.cluster import Node, free_ports
from lib.load import task_body
from lib.raw import Raw, head
from lib.snapshot import Snapshot
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized


def snapshot(node):
    answer = node.call("GET", "/v1/snapshot")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "application/octet-stream"
    found = Snapshot(answer.body)
    assert int(answer.headers["X-Muster-Index"]) == found.next - 1
    return found


def create(node, name, note=""):
    answer = node.call("POST", "/v1/tasks", task_body(name, note))
    assert answer.status == 201, answer


def test_it_holds_what_is_there(node):
    for name in ("b", "a", "gone"):
        create(node, name)
    node.call("DELETE", "/v1/tasks/gone")
    found = snapshot(node)
    assert found.tasks() == ["b", "a"] and found.members() == ["n1"]
    assert (found.first, found.next) == (1, node.index() + 1)
    assert node.call("GET", "/v1/snapshot").body == node.call("GET", "/snapshot").body


def test_head_answers_the_headers_alone(node):
    answer = node.call("HEAD", "/v1/snapshot")
    assert answer.status == 200 and answer.body == b""
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert int(answer.headers["X-Muster-Index"]) == node.index()


def test_a_task_that_is_larger_than_a_turn_comes_whole(node):
    create(node, "small")
    create(node, "large", "x" * 900_000)
    create(node, "last")
    assert snapshot(node).tasks() == ["small", "large", "last"]
    answer = node.call("GET", "/v1/tasks")  # other long answers are cut in the same way
    assert [len(task["description"]) for task in answer.json["tasks"]] == [0, 900_000, 0]


def test_it_is_of_one_moment_however_long_it_takes(node):
    for number in range(8):
        create(node, f"large{number}", "x" * 900_000)
    with Raw(node.api, window=4096) as raw:
        raw.send(head("GET", "/v1/snapshot"))
        raw.file.peek(1)  # it has begun, and the rest waits for its reader
        for number in range(8):
            assert node.call("DELETE", f"/v1/tasks/large{number}").status == 202
        create(node, "later")
        found = Snapshot(raw.answer().body)
    assert found.tasks() == [f"large{number}" for number in range(8)]
    assert snapshot(node).tasks() == ["later"]


def test_a_client_that_goes_leaves_nothing(node):
    for number in range(3):
        create(node, f"large{number}", "x" * 900_000)
    for _ in range(20):
        with Raw(node.api, window=4096) as raw:
            raw.send(head("GET", "/v1/snapshot"))
            raw.file.read(100)
    for number in range(3):
        assert node.call("DELETE", f"/v1/tasks/large{number}").status == 202
    assert snapshot(node).tasks() == []
    # that nothing of it is left shows at the end, under AddressSanitizer


def test_a_promise_that_is_not_kept_and_other_methods_are_refused(node):
    answer = node.call("POST", "/v1/snapshot", {})
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD, OPTIONS"
    answer = node.call("GET", "/v1/snapshot", headers={"Origin": "http://evil.example"})
    assert answer.status == 403


def test_a_node_in_no_cluster_has_none(tmp_path):
    ports = [f"127.0.0.1:{port}" for port in free_ports(3)]
    blank = Node(tmp_path / "n1", "n1", ports[0], ports[1:])
    blank.start()
    answer = wait_until("it answers", lambda: blank.call("GET", "/v1/snapshot"))
    assert answer.status == 503 and "in no cluster yet" in answer.json["error"]["message"]
    blank.end()
