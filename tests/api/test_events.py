# SPDX-License-Identifier: Apache-2.0
"""/v1/events: numbers without gaps, in parts, filtered."""
import pytest

from lib.load import task_body

pytestmark = pytest.mark.sanitized


@pytest.fixture
def busy(node):
    for name in ("a", "b"):
        node.call("POST", "/v1/tasks", task_body(name, ""),
                  headers={"X-Request-Id": f"create-{name}"})
    node.call("PATCH", "/v1/tasks/a", {"enabled": False})
    node.call("PATCH", "/v1/tasks/a", {"enabled": False})  # changes nothing
    node.call("PATCH", "/v1/tasks/a", {"enabled": True})
    node.call("DELETE", "/v1/tasks/b")
    return node


def events(node, query=""):
    answer = node.call("GET", f"/v1/events{query}")
    assert answer.status == 200, answer
    assert list(answer.json) == ["request_id", "events", "first", "last", "next"]
    return answer.json


def test_every_change_is_one_event_and_numbers_have_no_gaps(busy):
    told = events(busy)
    assert [event["index"] for event in told["events"]] == \
        list(range(1, told["last"] + 1))
    assert told["first"] == 1 and told["next"] == told["last"] == busy.index()
    tasks = [(event["type"], event["task"]) for event in told["events"] if "task" in event]
    assert tasks == [
        ("task.created", "a"), ("task.created", "b"), ("task.disabled", "a"),
        ("task.enabled", "a"), ("task.deleted", "b")]
    created = [event for event in told["events"] if event["type"] == "task.created"]
    assert [event["request_id"] for event in created] == ["create-a", "create-b"]
    assert all(event["time"].endswith("Z") and "data" in event and event["actor"] == ""
               for event in created)


def test_events_come_in_parts(busy):
    everything = events(busy)
    parts, after = [], 0
    while after < everything["last"]:
        part = events(busy, f"?after={after}&limit=2")
        assert 1 <= len(part["events"]) <= 2
        parts += part["events"]
        after = part["next"]
    assert parts == everything["events"]
    beyond = events(busy, f"?after={everything['last']}")
    assert beyond["events"] == [] and beyond["next"] == everything["last"]


def test_events_are_filtered(busy):
    told = events(busy, "?task=a")
    assert [event["type"] for event in told["events"]] == \
        ["task.created", "task.disabled", "task.enabled"]
    told = events(busy, "?type=task.created&task=b")
    assert [event["task"] for event in told["events"]] == ["b"]
    assert told["next"] == told["last"]
    assert events(busy, "?task=none")["events"] == []


@pytest.mark.parametrize("query", [
    "after=-1", "after=x", "after=", "after=1&after=2", "after=99999999999999999999",
    "limit=0", "limit=1001", "limit=1x", "type=nothing", "type=", "task=a&task=b"])
def test_wrong_questions(shared, query):
    assert shared.call("GET", f"/v1/events?{query}").status == 400
