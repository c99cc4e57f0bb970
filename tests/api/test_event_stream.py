# SPDX-License-Identifier: Apache-2.0
"""/v1/events/stream of one real process. What needs its clock is in
tests/unit/api/test_event_stream.c."""
import json
import threading

import pytest

from lib.events import LINES, Stream
from lib.load import task_body
from lib.raw import Raw
from lib.wait import wait_until

sanitized = pytest.mark.sanitized


def toggle(node, name, rounds, pieces=50):
    """2 * rounds * pieces events of that task, as fast as one connection can."""
    both = b"".join(
        b"PATCH /v1/tasks/%s HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (name.encode(), len(body), body)
        for body in (b'{"enabled":false}', b'{"enabled":true}'))
    with Raw(node.api) as raw:
        for _ in range(rounds):
            raw.send(both * pieces)
            for _ in range(2 * pieces):
                assert raw.answer().status == 200


def create(node, name):
    assert node.call("POST", "/v1/tasks", task_body(name, "")).status == 201


@sanitized
def test_a_thousand_that_were_and_those_that_come_are_one_row(node):
    create(node, "a")
    toggle(node, "a", 10)
    writer = threading.Thread(target=toggle, args=(node, "a", 4))
    with Stream(node.api, "?after=0") as stream:
        writer.start()
        events = stream.take(1000)
        writer.join()
        last = node.index()
        events += stream.take(last - 1000)
        create(node, "b")
        events.append(stream.next())
    assert last > 1400 and events[-1]["task"] == "b"
    assert [event["index"] for event in events] == list(range(1, last + 2))
    after, listed = 0, []
    while after < last:
        answer = node.call("GET", f"/v1/events?after={after}&limit=1000").json
        listed += answer["events"]
        after = answer["next"]
    assert events == listed


@sanitized
def test_each_form_says_the_same(node):
    create(node, "a")
    create(node, "b")
    with Stream(node.api, "?after=0&task=b") as stream:
        event = stream.next()
        assert event["task"] == "b" and event["type"] == "task.created"
        assert stream.headers["Content-Type"] == LINES
    with Stream(node.api, "?after=0", accept="text/event-stream") as stream:
        blocks = stream.take(node.index())
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert stream.headers["Access-Control-Allow-Origin"] == "*"
        assert stream.headers["X-Muster-Index"] == str(node.index())
    assert json.loads(blocks[-1]["data"]) == event
    assert blocks[-1]["id"] == str(event["index"]) and blocks[-1]["event"] == event["type"]
    with Stream(node.api, "?after=0", headers={"Last-Event-ID": blocks[-2]["id"]}) as stream:
        assert stream.next() == event
    with Stream(node.api, "?type=task.deleted") as stream:  # from now on
        create(node, "c")
        assert node.call("DELETE", "/v1/tasks/a").status == 202
        assert stream.next()["type"] == "task.deleted"
    answer = node.call("HEAD", "/v1/events/stream")
    assert (answer.status, answer.body) == (200, b"")


@sanitized
def test_a_node_that_stops_says_goodbye(node):
    create(node, "a")
    last = node.index()
    with Stream(node.api, f"?after={last - 1}") as lines, \
            Stream(node.api, accept="text/event-stream") as blocks:
        assert lines.next()["index"] == last
        node.restart()
        assert lines.rest() == [{"type": "bye", "after": last}]
        assert blocks.rest() == [{"id": str(last), "event": "bye",
                                  "data": f'{{"type":"bye","after":{last}}}'}]
    with Stream(node.api, f"?after={last}") as stream:  # the same numbers go on
        wait_until("it leads", node.leads)
        create(node, "b")
        events = stream.take(node.index() - last)
    # its own row changes as well, with its port, before that or after it
    assert [event["index"] for event in events] == \
        list(range(last + 1, last + 1 + len(events)))
    assert [event["task"] for event in events if "task" in event] == ["b"]


def test_who_does_not_read_is_cut_and_can_go_on(node):
    names = [f"t{n}" for n in range(16)]
    for name in names:
        create(node, name)
    with Stream(node.api, window=4096) as slow:
        first = node.index()
        writers = [threading.Thread(target=toggle, args=(node, name, 17)) for name in names]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        last = node.index()
        *events, cut = slow.rest()
    assert cut == {"type": "cut", "after": events[-1]["index"]}
    with Stream(node.api, f"?after={cut['after']}") as again:
        events += again.take(last - cut["after"])
    assert [event["index"] for event in events] == list(range(first + 1, last + 1))


@sanitized
@pytest.mark.parametrize("query, said", [
    ("after=-1", "must be a number from 0 to"), ("after=1&after=2", "given 2 times"),
    ("type=made", "no event type 'made'"), ("task=a%20b", "must be the name of a task")])
def test_wrong_questions(shared, query, said):
    answer = shared.call("GET", f"/v1/events/stream?{query}")
    assert answer.status == 400 and said in answer.json["error"]["message"]
