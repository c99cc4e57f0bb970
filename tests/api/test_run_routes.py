# SPDX-License-Identifier: Apache-2.0
"""What each route of runs answers to what it cannot do: the status, the one shape of an error,
and what would be right. Nothing of it changes anything."""
import pytest

from lib.module import Module
from lib.wait import wait_until

KEY = {"Idempotency-Key": "k"}
NUMBER = "the number of a run must be a number from 1 to "
WAIT = "parameter 'wait' must be a duration such as 500ms or 1m30s, from 0s to 10m0s, not "
TWICE = "cannot support more than one run query parameter, got run values: [now inspect]"
NO_TASK = "a task with name 'none' does not exist or has not been initialized yet"
# method, path ({run}: one that has ended), body, headers, status, how its message begins
ROWS = [
    ("POST", "/v1/tasks/none/run", None, {}, 404, NO_TASK),
    ("POST", "/v1/tasks/web/run", b"[]", {}, 400, "this takes no body, or {}"),
    ("POST", "/v1/tasks/web/run?wait=-1s", None, {}, 400, WAIT + "'-1s'"),
    ("POST", "/v1/tasks/web/run?wait=1s&wait=2s", None, {}, 400, "parameter 'wait' is given 2"),
    ("POST", "/v1/tasks/web/run", None, {"Idempotency-Key": "a b"}, 400, "Idempotency-Key must"),
    ("POST", "/v1/tasks/web/run", None, {"If-Match": "*"}, 400, "If-Match"),
    ("POST", "/v1/tasks/off/run", None, {}, 409, "task 'off' is disabled"),
    ("GET", "/v1/tasks/web/run", None, {}, 405, "'GET' is not supported here"),
    ("PUT", "/v1/tasks/web?run=now&wait=11m", "web", {}, 400, WAIT + "'11m'"),
    ("PUT", "/v1/tasks/web?run=now&run=inspect", "web", {}, 400, TWICE),
    ("PUT", "/v1/tasks/web?run=x", "web", {}, 400, 'parameter "run" in query has an error'),
    ("PUT", "/v1/tasks/web?run=now", "web", {"If-Match": '"1"'}, 412, "task 'web' has revision"),
    ("PUT", "/v1/tasks/web?run=now", "web", {"If-None-Match": "*"}, 412, "task 'web' exists"),
    ("PUT", "/v1/tasks/none?run=now", "none", {"If-Match": "*"}, 412, "task 'none' does not"),
    ("PUT", "/v1/tasks/web?run=now", "off", {}, 400, "the path names task 'web', the body 'off'"),
    ("POST", "/v1/tasks?run=now&run=inspect", "new", {}, 400, TWICE),
    ("POST", "/v1/tasks?run=now&wait=x", "new", {}, 400, WAIT + "'x'"),
    ("PATCH", "/v1/tasks/web?run=now&run=inspect", {"enabled": True}, {}, 400, TWICE),
    ("PATCH", "/v1/tasks/none?run=now", {"enabled": True}, {}, 404, NO_TASK),
    ("PATCH", "/v1/tasks/none?run=now", {"enabled": False}, {}, 404, NO_TASK),
    ("PATCH", "/v1/tasks/web?run=now", {"enabled": False}, {"If-Match": '"1"'}, 412, "task 'web'"),
    ("GET", "/v1/runs/777", None, {}, 404, "there is no run 777, or it is not kept any more"),
    ("GET", "/v1/runs/777/log", None, {}, 404, "there is no run 777, or it is not kept any more"),
    ("POST", "/v1/runs/777/cancel", None, {}, 404, "there is no run 777, or it is not kept any"),
    ("GET", "/v1/runs/x", None, {}, 400, NUMBER),
    ("GET", "/v1/runs/0/log", None, {}, 400, NUMBER),
    ("POST", "/v1/runs/-1/cancel", None, {}, 400, NUMBER),
    ("POST", "/v1/runs/{run}/cancel", None, {}, 409, "run {run} of task 'web' has ended: success"),
    ("POST", "/v1/runs/{run}/cancel", b"x", {}, 400, "this takes no body, or {}"),
    ("POST", "/v1/runs/{run}/cancel", None, KEY, 501, "Idempotency-Key on a change of something"),
    ("DELETE", "/v1/runs/{run}", None, {}, 405, "'DELETE' is not supported here"),
    ("GET", "/v1/runs?state=over", None, {}, 400, "parameter 'state' must be pending, running,"),
    ("GET", "/v1/runs?task=a&task=b", None, {}, 400, "parameter 'task' is given 2 times"),
    ("GET", "/v1/runs?per_page=0", None, {}, 400, "parameter 'per_page' must be a number from 1"),
    ("GET", "/v1/runs/{run}?index=1&wait=x", None, {}, 400, WAIT + "'x'"),
    ("GET", "/v1/runs/{run}/log?after=x", None, {}, 400, "parameter 'after' must be a number"),
    ("GET", "/v1/runs/{run}/log?follow=on", None, {}, 400, "parameter 'follow' has no value, or"),
]


@pytest.fixture
def quick(tmp_path):
    return Module(tmp_path / "quick", "echo done")


def test_each_route_says_what_is_wrong(node, quick):
    for name, enabled in (("web", True), ("off", False)):
        assert node.call("POST", "/v1/tasks", quick.task(name, enabled=enabled)).status == 201
    run = node.call("POST", "/v1/tasks/web/run?wait=20s").json["run"]["id"]
    index = node.index()
    for method, path, body, headers, status, said in ROWS:
        if isinstance(body, str):
            body = quick.task(body)
        answer = node.call(method, path.format(run=run), body, headers=headers)
        assert answer.status == status, (method, path, answer)
        assert set(answer.json) <= {"error", "request_id", "code"}, answer
        assert list(answer.json["error"]) == ["message"]
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        message = answer.json["error"]["message"]
        assert message.startswith(said.replace("{run}", str(run))), (method, path, message)
        assert ("Allow" in answer.headers) == (status == 405)
    assert node.index() == index
    beyond = node.call("GET", f"/v1/runs/{run}/log?after=1000000")
    assert (beyond.status, beyond.body) == (200, b"")
    assert beyond.headers["X-Muster-Log-Ended"] == "true"
    assert node.call("GET", f"/v1/runs/{run}/log?after=1000000&follow").body == b""


def test_where_nobody_can_it_is_409_and_nothing_is_stored(node, quick):
    assert node.call("POST", "/v1/tasks", quick.task("web", enabled=False)).status == 201
    etag = node.call("GET", "/v1/tasks/web").headers["ETag"]
    assert node.call("POST", "/v1/cluster/drain", {"node": "n1"}).status == 200
    wait_until("it drains", lambda: node.cluster()["members"][0]["draining"])
    for method, path, body in (("POST", "/v1/tasks?run=now", quick.task("new")),
                               ("POST", "/v1/tasks?run=inspect", quick.task("new")),
                               ("PUT", "/v1/tasks/new?run=now", quick.task("new")),
                               ("PUT", "/v1/tasks/web?run=now", quick.task("web", enabled=True)),
                               ("PATCH", "/v1/tasks/web?run=now", {"enabled": True}),
                               ("PATCH", "/v1/tasks/web?run=inspect", {"enabled": True})):
        answer = node.call(method, path, body)
        assert answer.status == 409 and answer.json["code"] == "conflict", answer
        assert "n1 is draining" in answer.json["error"]["message"]
    assert list(node.tasks()) == ["web"]
    assert node.call("GET", "/v1/tasks/web").headers["ETag"] == etag
    assert node.call("GET", "/v1/runs").json["runs"] == []
    # what disables it needs nobody
    assert node.call("PATCH", "/v1/tasks/web?run=now", {"enabled": False}).status == 200
