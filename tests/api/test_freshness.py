# SPDX-License-Identifier: Apache-2.0
"""How fresh an answer is, and the long poll, as one node alone keeps them."""
import contextlib
import os
import signal
import threading

import pytest

from lib.load import task_body
from lib.raw import Raw, head
from lib.wait import PATIENCE, wait_until

READS = ["/v1/tasks", "/v1/tasks/a", "/v1/status", "/v1/status/tasks", "/v1/status/tasks/a",
         "/v1/status/cluster", "/v1/events", "/v1/cluster", "/v1/snapshot"]
POLLED = READS[:-1]


def index_of(answer):
    return int(answer.headers["X-Muster-Index"])


def message(answer):
    return answer.json["error"]["message"]


def create(node, name):
    answer = node.call("POST", "/v1/tasks", task_body(name, "x"))
    assert answer.status == 201, answer
    return index_of(answer)


def enable(node, name, enabled):
    answer = node.call("PATCH", f"/v1/tasks/{name}", {"enabled": enabled})
    assert answer.status == 200, answer
    return index_of(answer)


class Poll(threading.Thread):
    """A request that is answered when it is answered."""

    def __init__(self, node, path):
        super().__init__(daemon=True)
        self.node, self.path, self.got = node, path, None
        self.start()

    def run(self):
        self.got = self.node.call("GET", self.path, timeout=2 * PATIENCE)

    def answer(self):
        self.join(PATIENCE)
        assert self.got is not None, f"{self.path} is not answered"
        return self.got


@pytest.mark.sanitized
@pytest.mark.parametrize("query", [
    "consistent", "consistent=true", "consistent=false", "min_index=1", "max_stale=1s",
    "min_index=1&wait=2s", "consistent&min_index=1&max_stale=5s&index=0&wait=1ms",
    "wait=1s", "index=0&wait=0s"])
def test_every_read_takes_them_all(node, query):
    create(node, "a")
    for path in READS:
        if "index=0" in query and path not in POLLED:
            continue
        answer = node.call("GET", f"{path}?{query}")
        assert answer.status == 200, (path, answer)
        assert index_of(answer) == node.index()


@pytest.mark.parametrize("query, said", [
    ("consistent=1", "parameter 'consistent' has no value, or is 'true' or 'false', not '1'"),
    ("consistent&consistent", "parameter 'consistent' is given 2 times"),
    ("min_index=", "parameter 'min_index' must be a number from 0 to 9223372036854775807, not ''"),
    ("min_index=-1", "parameter 'min_index' must be a number from 0 to 9223372036854775807, "
     "not '-1'"),
    ("index=x", "parameter 'index' must be a number from 0 to 9223372036854775807, not 'x'"),
    ("index=9223372036854775808", "parameter 'index' must be a number from 0 to "
     "9223372036854775807, not '9223372036854775808'"),
    ("index=1&index=2", "parameter 'index' is given 2 times"),
    ("max_stale=5", "parameter 'max_stale' must be a duration such as 500ms or 1m30s, from 0s "
     "to 2562047h47m16.854s, not '5'"),
    ("max_stale=-1s", "parameter 'max_stale' must be a duration such as 500ms or 1m30s, from "
     "0s to 2562047h47m16.854s, not '-1s'"),
    ("index=1&wait=10m1ns", "parameter 'wait' must be a duration such as 500ms or 1m30s, from "
     "0s to 10m0s, not '10m1ns'"),
    ("wait=", "parameter 'wait' must be a duration such as 500ms or 1m30s, from 0s to 10m0s, "
     "not ''"),
])
def test_a_value_that_is_none_is_400_and_says_what_is_right(shared, query, said):
    answer = shared.call("GET", f"/v1/tasks?{query}")
    assert answer.status == 400 and message(answer) == said


def test_a_snapshot_is_no_noun_to_wait_for(shared):
    answer = shared.call("GET", "/v1/snapshot?index=1")
    assert answer.status == 400 and "'index'" in message(answer)


def test_health_is_answered_whatever_is_asked(shared):
    assert shared.call("GET", "/v1/health?consistent&index=x").status == 200


def test_an_index_that_is_not_reached_in_time_is_503(shared):
    answer = shared.call("GET", f"/v1/tasks?min_index={shared.index() + 1}&wait=20ms")
    assert answer.status == 503 and answer.headers["Retry-After"] == "1"
    assert "index" in message(answer)


@pytest.mark.sanitized
def test_an_index_that_is_reached_is_answered(node):
    polls = [Poll(node, f"/v1/tasks?min_index={node.index() + n}&wait=10s")
             for n in (2, 1, 3)]
    indices = [create(node, name) for name in ("a", "b", "c")]
    for poll, at_least in zip(polls, (indices[1], indices[0], indices[2])):
        assert poll.answer().status == 200
        assert index_of(poll.answer()) >= at_least


@pytest.mark.sanitized
def test_a_long_poll_is_answered_when_its_noun_has_changed_and_not_before(node):
    create(node, "a")
    create(node, "b")
    after = node.index()
    of_a = [Poll(node, f"{path}?index={after}") for path in
            ("/v1/tasks/a", "/v1/status/tasks/a")]
    of_all = [Poll(node, f"{path}?index={after}") for path in
              ("/v1/tasks", "/v1/status", "/v1/status/tasks", "/v1/events")]
    for number in range(5):
        enable(node, "b", number % 2 == 0)
    for poll in of_all:
        assert poll.answer().status == 200 and index_of(poll.answer()) > after
    assert all(poll.got is None for poll in of_a)
    changed = enable(node, "a", False)
    for poll in of_a:
        assert poll.answer().status == 200 and index_of(poll.answer()) >= changed
    assert of_a[0].answer().json["task"]["enabled"] is False


def test_a_change_that_was_missed_is_answered_at_once(node):
    created = create(node, "a")
    create(node, "b")
    for path in ("/v1/tasks", "/v1/tasks/a", "/v1/status/tasks/a", "/v1/events"):
        answer = node.call("GET", f"{path}?index={created - 1}")
        assert answer.status == 200 and index_of(answer) == node.index()
    # of the members nothing has changed since: their last change was before
    poll = Poll(node, f"/v1/cluster?index={created - 1}&wait=50ms")
    assert poll.answer().status == 200


def test_a_task_that_is_not_there_can_be_waited_for_and_one_that_goes(node):
    after = node.index()
    comes = Poll(node, f"/v1/tasks/a?index={after}")
    create(node, "b")
    created = create(node, "a")
    assert comes.answer().status == 200 and index_of(comes.answer()) >= created
    goes = Poll(node, f"/v1/tasks/a?index={node.index()}")
    assert node.call("DELETE", "/v1/tasks/a").status == 202
    assert goes.answer().status == 404
    # that it went is told to who asks later, too
    assert node.call("GET", f"/v1/tasks/a?index={created}").status == 404


def test_a_long_poll_ends_with_the_state_as_it_is(node):
    create(node, "a")
    answer = node.call("GET", f"/v1/tasks/a?index={node.index()}&wait=30ms")
    assert answer.status == 200 and answer.json["task"]["name"] == "a"
    assert node.call("HEAD", f"/v1/tasks?index={node.index()}&wait=30ms").status == 200
    assert node.call("GET", f"/v1/tasks/none?index={node.index()}&wait=30ms").status == 404


@pytest.mark.skipif(not os.environ.get("MUSTER_TEST_FULL"), reason="eleven seconds")
def test_a_long_poll_outlives_the_time_that_a_request_has(node):
    answer = node.call("GET", f"/v1/tasks?index={node.index()}&wait=11s")
    assert answer.status == 200


def test_a_connection_goes_on_after_a_long_poll(node):
    with Raw(node.api) as raw:
        for _ in range(3):
            raw.send(head("GET", f"/v1/tasks?index={node.index()}&wait=20ms"))
            assert raw.answer().status == 200


def test_requests_behind_a_long_poll_wait_their_turn(node):
    with Raw(node.api) as raw:
        raw.send(head("GET", f"/v1/tasks?index={node.index()}&wait=50ms")
                 + head("GET", "/v1/version"))
        assert "tasks" in raw.answer().json
        assert "version" in raw.answer().json


def test_a_client_that_wants_no_more_is_not_waited_for(node):
    """It has shut its side, as one that has gone has: it is answered within a second or
    two, not in ten minutes."""
    with Raw(node.api) as raw:
        raw.send(head("GET", f"/v1/tasks?index={node.index()}&wait=10m")).end()
        assert raw.answer().status == 200
        assert raw.closed()


def descriptors(node):
    return len(os.listdir(f"/proc/{node.process.pid}/fd"))


@pytest.mark.sanitized
def test_clients_that_go_away_leave_nothing_behind(node):
    before = descriptors(node)
    for query in (f"index={node.index()}&wait=10m", f"min_index={node.index() + 99}&wait=10m"):
        raws = [Raw(node.api) for _ in range(20)]
        for raw in raws:
            raw.send(head("GET", "/v1/version"))
            assert raw.answer().status == 200
            raw.send(head("GET", f"/v1/tasks?{query}"))
        for raw in raws:
            raw.__exit__()
        wait_until("none is left", lambda: descriptors(node) <= before)


@pytest.mark.sanitized
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_stops_answers_who_waits(node, number):
    create(node, "a")
    queries = [f"{path}?index={node.index()}&wait=10m" for path in POLLED]
    queries.append(f"/v1/tasks?min_index={node.index() + 99}&wait=10m")
    with contextlib.ExitStack() as stack:
        raws = [stack.enter_context(Raw(node.api)) for _ in queries]
        for raw, query in zip(raws, queries):
            raw.send(head("GET", "/v1/version"))
            assert raw.answer().status == 200  # its connection is taken
            raw.send(head("GET", query))
        node.process.send_signal(number)
        statuses = []
        for raw in raws:
            statuses.append(raw.answer().status)
            assert raw.closed()
        assert statuses == [200] * len(POLLED) + [503]
    assert node.process.wait(PATIENCE) == 0
    node.process.stdout.close()
    node.process = None
