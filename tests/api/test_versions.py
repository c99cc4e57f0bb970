# SPDX-License-Identifier: Apache-2.0
"""PUT, merge patches, and writes that ask for a revision."""
import json
import threading

import pytest

from lib.load import task_body

pytestmark = pytest.mark.sanitized

MERGE = {"Content-Type": "application/merge-patch+json"}


def body(name="a", **more):
    made = task_body(name, "")
    made["task"].update(more)
    return made


def events(node, after):
    return [(event["type"], event["data"])
            for event in node.call("GET", f"/v1/events?after={after}").json["events"]]


def merge(node, patch, name="a", **headers):
    return node.call("PATCH", f"/v1/tasks/{name}", json.dumps(patch).encode(),
                     headers={**MERGE, **headers})


def test_put_creates_and_replaces(node):
    before = node.index()
    first = node.call("PUT", "/v1/tasks/a", body(description="1"))
    assert first.status == 201 and first.json["task"]["enabled"] is True
    assert first.headers["ETag"] == f'"{before + 1}"' == f'"{first.headers["X-Muster-Index"]}"'
    node.call("POST", "/v1/tasks", body("b"))
    second = node.call("PUT", "/tasks/a", body(description="2", enabled=False))
    assert second.status == 200 and second.headers["ETag"] == f'"{before + 3}"'
    assert second.json["task"]["description"] == "2" and not second.json["task"]["enabled"]
    kept = node.call("PUT", "/v1/tasks/a", body(description="3"))
    assert kept.json["task"]["enabled"] is False  # absent: unchanged
    assert list(node.tasks()) == ["a", "b"]  # in its place
    assert events(node, before) == [
        ("task.created", {"enabled": True}), ("task.created", {"enabled": True}),
        ("task.updated", {"changed": ["description", "enabled"]}),
        ("task.updated", {"changed": ["description"]})]


def test_a_replacement_that_changes_nothing_is_no_event(node):
    first = node.call("PUT", "/v1/tasks/a", body())
    for answer in (node.call("PUT", "/v1/tasks/a", body()), merge(node, {}),
                   merge(node, {"enabled": True, "variables": None})):
        assert answer.status == 200
        assert answer.headers["ETag"] == first.headers["ETag"]
        assert answer.headers["X-Muster-Index"] == first.headers["X-Muster-Index"]


def test_every_answer_with_one_task_has_its_revision(node):
    made = node.call("POST", "/v1/tasks", body())
    tags = [made.headers["ETag"]]
    for change in (lambda: node.call("PUT", "/v1/tasks/a", body(version="1")),
                   lambda: merge(node, {"version": "2"}),
                   lambda: node.call("PATCH", "/v1/tasks/a", {"enabled": False})):
        answer = change()
        assert answer.status == 200
        assert node.call("GET", "/v1/tasks/a").headers["ETag"] == answer.headers["ETag"]
        assert node.call("HEAD", "/v1/tasks/a").headers["ETag"] == answer.headers["ETag"]
        tags.append(answer.headers["ETag"])
    assert len(set(tags)) == 4


def test_only_the_revision_that_was_read_is_changed(node):
    tag = node.call("POST", "/v1/tasks", body()).headers["ETag"]
    changes = (lambda match: node.call("PUT", "/v1/tasks/a", body(version="1"), headers=match),
               lambda match: merge(node, {"version": "2"}, **match),
               lambda match: node.call("PATCH", "/v1/tasks/a", {"enabled": False},
                                       headers=match))
    for change in changes:
        before = node.index()
        answer = change({"If-Match": '"1"'})
        assert answer.status == 412 and answer.json["code"] == "precondition_failed"
        assert node.index() == before
        answer = change({"If-Match": tag})
        assert answer.status == 200
        tag = answer.headers["ETag"]
    assert node.call("DELETE", "/v1/tasks/a", headers={"If-Match": '"1"'}).status == 412
    assert node.call("DELETE", "/v1/tasks/a", headers={"If-Match": tag}).status == 202
    assert node.call("DELETE", "/v1/tasks/a", headers={"If-Match": "*"}).status == 412
    assert node.call("PUT", "/v1/tasks/a", body(), headers={"If-Match": "*"}).status == 412
    assert node.tasks() == {}
    once = {"If-None-Match": "*"}
    assert node.call("PUT", "/v1/tasks/a", body(), headers=once).status == 201
    assert node.call("PUT", "/v1/tasks/a", body(version="1"), headers=once).status == 412
    assert node.tasks()["a"]["version"] == ""
    assert node.call("PUT", "/v1/tasks/a", body(), headers={"If-Match": "*"}).status == 200
    assert node.call("DELETE", "/v1/tasks/a", headers={"If-Match": "*"}).status == 202


def test_a_merge_patch_changes_what_it_names(node):
    node.call("POST", "/v1/tasks", body(variables={"a": "1", "b": "2"}, enabled=False,
                                        condition={"services": {"names": ["web"]}}))
    before = node.index()
    answer = merge(node, {"variables": {"a": None, "c": "3"}, "enabled": True,
                          "condition": {"services": None, "schedule": {"cron": "@daily"}}})
    task = answer.json["task"]
    assert answer.status == 200 and task == node.tasks()["a"]
    assert task["variables"] == {"b": "2", "c": "3"} and task["enabled"] is True
    assert list(task["condition"]) == ["schedule"]
    assert events(node, before) == [("task.updated", {
        "changed": ["buffer_period", "condition", "enabled", "variables"]})]


def test_a_large_task_is_merged_and_replaced_in_the_pool(node):
    large = {f"v{n}": "x" * 1000 for n in range(300)}
    assert node.call("PUT", "/v1/tasks/a", body(variables=large)).status == 201
    assert merge(node, {"variables": {"v7": None}}).status == 200
    del large["v7"]
    assert node.tasks()["a"]["variables"] == large
    assert merge(node, {"description": "y" * 800_000}).status == 413
    assert node.tasks()["a"]["description"] == ""


def test_merges_that_meet_lose_none(node):
    """Each adds a variable of its own; what misses is computed anew, or is told 409."""
    node.call("POST", "/v1/tasks", body())
    done, wrong = [], []

    def add(number):
        for turn in range(10):
            name = f"v{number}_{turn}"
            answer = merge(node, {"variables": {name: "1"}})
            if answer.status == 200:
                done.append(name)
                if answer.json["task"]["variables"].get(name) != "1":
                    wrong.append(name)
            elif answer.status != 409:
                wrong.append(answer)
    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(node.tasks()["a"]["variables"]) == sorted(done) and done
