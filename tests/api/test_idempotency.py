# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key: a write that comes again does nothing, and is told what it was told."""
import json
import threading
import uuid

import pytest

from lib.load import task_body
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized

MERGE = {"Content-Type": "application/merge-patch+json"}


def keyed(node, method, path, body=None, key="k", **headers):
    answer = node.call(method, path, body, headers={"Idempotency-Key": key, **headers})
    assert answer.headers.get("Idempotency-Replayed") in (None, "true")
    return answer, answer.headers.get("Idempotency-Replayed") == "true"


def twice(node, method, path, body=None, status=None, **headers):
    """The first answer and the one to its repeat, under a key of their own."""
    key = str(uuid.uuid4())
    first, replayed = keyed(node, method, path, body, key, **headers)
    assert not replayed and (status is None or first.status == status), first
    before = node.index()
    second, replayed = keyed(node, method, path, body, key, **headers)
    assert replayed and second.status == first.status and node.index() == before
    assert int(second.headers["X-Muster-Index"]) == before
    return first, second


def test_every_write_of_a_task_is_done_once(node):
    patch = json.dumps({"description": "2"}).encode()
    for method, path, body, status, headers in (
            ("POST", "/v1/tasks", task_body("a", ""), 201, {}),
            ("PUT", "/v1/tasks/b", task_body("b", ""), 201, {}),
            ("PUT", "/v1/tasks/b", task_body("b", "x"), 200, {}),
            ("PATCH", "/v1/tasks/a", {"enabled": False}, 200, {}),
            ("PATCH", "/v1/tasks/a", patch, 200, MERGE),
            ("DELETE", "/v1/tasks/a", None, 202, {}),
            ("DELETE", "/v1/tasks/a", None, 404, {})):
        first, second = twice(node, method, path, body, status, **headers)
        said, again = first.json, second.json
        said.pop("request_id", None), again.pop("request_id", None)
        assert said == again and first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
        assert second.headers.get("ETag") == first.headers.get("ETag")


def test_a_repeat_shows_the_task_as_it_stands(node):
    before = node.index()
    made, _ = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    node.call("PATCH", "/v1/tasks/a", {"enabled": False})
    again, replayed = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    assert replayed and again.status == 201 and again.json["task"]["enabled"] is False
    assert made.headers["ETag"] == f'"{before + 1}"' and again.headers["ETag"] == f'"{before + 2}"'
    node.call("DELETE", "/v1/tasks/a")
    gone, replayed = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    assert replayed and gone.status == 201 and list(gone.json) == ["request_id"]
    assert "ETag" not in gone.headers and node.tasks() == {}


def test_refusals_are_repeated_word_for_word(node):
    node.call("POST", "/v1/tasks", task_body("a", ""))
    rows = [("POST", "/v1/tasks", task_body("a", ""), 400, {}),
            ("PUT", "/v1/tasks/a", task_body("a", ""), 412, {"If-Match": '"1"'}),
            ("PUT", "/v1/tasks/a", task_body("a", ""), 412, {"If-None-Match": "*"}),
            ("DELETE", "/v1/tasks/none", None, 404, {})]
    first = [keyed(node, *row[:3], f"k{at}", **row[4])[0] for at, row in enumerate(rows)]
    node.call("DELETE", "/v1/tasks/a")
    for at, row in enumerate(rows):
        again, replayed = keyed(node, *row[:3], f"k{at}", **row[4])
        assert replayed and again.status == first[at].status == row[3]
        assert again.json["error"] == first[at].json["error"]
    assert node.tasks() == {}


def test_what_the_door_refuses_is_not_kept(node):
    wrong, _ = keyed(node, "POST", "/v1/tasks", {"task": {}})
    assert wrong.status == 400
    right, replayed = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    assert right.status == 201 and not replayed


def test_another_request_with_the_same_key_is_422(node):
    keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    for method, path, body in (("POST", "/v1/tasks", task_body("b", "")),
                               ("PUT", "/v1/tasks/a", task_body("a", "")),
                               ("DELETE", "/v1/tasks/a", None)):
        answer, replayed = keyed(node, method, path, body)
        assert answer.status == 422 and not replayed and answer.json["code"] == "key_reused"
        assert answer.json["error"]["message"] == (
            "this Idempotency-Key came before with another method, path, condition or "
            "body: nothing is done")
    assert list(node.tasks()) == ["a"]


def test_repeats_at_the_same_moment_do_it_once(node):
    before = node.index()
    statuses = []

    def go():
        answer, _ = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
        statuses.append((answer.status, answer.headers.get("Retry-After")))

    threads = [threading.Thread(target=go) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {(201, None), (409, "1")} and (201, None) in statuses
    assert node.index() == before + 1


def test_a_merge_is_not_refused_for_what_it_made_itself(node):
    """A repeat is computed anew, from the task as the first one left it."""
    node.call("POST", "/v1/tasks", task_body("a", ""))
    patch = json.dumps({"variables": {"x": "1"}}).encode()
    tag = node.call("GET", "/v1/tasks/a").headers["ETag"]
    first, second = twice(node, "PATCH", "/v1/tasks/a", patch, 200, **MERGE, **{"If-Match": tag})
    assert second.json["task"] == first.json["task"]
    node.call("DELETE", "/v1/tasks/a")


def test_keys_last_through_a_restart(node):
    keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    node.call("DELETE", "/v1/tasks/a")
    facts = node.call("GET", "/v1/cluster").json["node"]
    assert facts["keys"] == 1 and facts["oldest_key_ms"] >= 0
    node.kill()
    node.start()
    wait_until("it leads again", node.leads)
    again, replayed = keyed(node, "POST", "/v1/tasks", task_body("a", ""))
    assert replayed and again.status == 201 and node.tasks() == {}
