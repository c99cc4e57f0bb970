# SPDX-License-Identifier: Apache-2.0
"""Runs that clients ask for, on one node, with programs that really run."""
import os
import pathlib
import tempfile
import threading

import pytest

from api.conftest import settle
from lib.cli import DONE, FAILED, NOT_FOUND, USAGE, done, muster, refused
from lib.cluster import Node
from lib.load import task_body
from lib.module import Module
from lib.wait import wait_until

ON, OFF = {"enabled": True}, {"enabled": False}
HELD = 'echo "begun as $MUSTER_FENCE"\nread word < $GATE\necho "went $word"'


def message(answer):
    return answer.json["error"]["message"]


@pytest.fixture
def quick(tmp_path):
    return Module(tmp_path / "quick", "echo done", "echo 'would do it'; exit 2")


@pytest.fixture
def broken(tmp_path):
    return Module(tmp_path / "broken", "echo starting; echo 'no such host' >&2; exit 3",
                  "echo 'cannot plan'; exit 1")


@pytest.fixture
def held(tmp_path):
    return Module(tmp_path / "held", HELD)


def events(node, name):
    return node.call("GET", f"/v1/status/tasks/{name}?include=events").json[name].get("events", [])


def status(node, name):
    return node.call("GET", f"/v1/status/tasks/{name}").json[name]["status"]


def logged(node, run, text):
    """Its log has that text, once it has."""
    return wait_until(f"run {run} prints '{text}'", lambda: text in node.call(
        "GET", f"/v1/runs/{run}/log").body.decode())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_root_is_needed():
    """A node of an ordinary user: its runs are that user's too."""
    with tempfile.TemporaryDirectory() as folder:
        node = Node(pathlib.Path(folder) / "n1", "n1")
        node.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        module = Module(node.folder / "who", "id -u")
        for path in (pathlib.Path(folder), *pathlib.Path(folder).rglob("*")):
            os.chown(path, 65534, 65534)
        settle(node.start())
        try:
            made = node.call("POST", "/v1/tasks?run=now", module.task("web"))
            assert made.status == 201, made
            run, = node.call("GET", "/v1/runs").json["runs"]
            assert logged(node, run["id"], "65534")
        finally:
            node.end()


@pytest.mark.sanitized
def test_post_run_now_creates_the_task_if_the_run_succeeds(node, quick, broken):
    made = node.call("POST", "/v1/tasks?run=now", quick.task("web"))
    assert made.status == 201 and made.json["task"]["name"] == "web" and "run" not in made.json
    assert made.headers["ETag"] == node.call("GET", "/v1/tasks/web").headers["ETag"]
    assert status(node, "web") == "successful"
    assert [event["success"] for event in events(node, "web")] == [True]
    again = node.call("POST", "/v1/tasks?run=now", quick.task("web"))
    assert again.status == 400 and message(again) == "task with name web already exists"
    failed = node.call("POST", "/v1/tasks?run=now", broken.task("db"))
    assert failed.status == 500, failed
    assert message(failed).startswith("error tf-apply for 'db': ")
    assert "no such host" in message(failed) and "3" in message(failed)
    assert list(node.tasks()) == ["web"]
    # disabled: created, and no run of it
    made = node.call("POST", "/v1/tasks?run=now", broken.task("off", enabled=False))
    assert made.status == 201 and status(node, "off") == "unknown"


def test_post_run_inspect_stores_nothing(node, quick, broken):
    shown = node.call("POST", "/v1/tasks?run=inspect", quick.task("web"))
    assert shown.status == 200
    assert shown.json["run"] == {"changes_present": True, "plan": "would do it\n"}
    assert shown.json["task"]["name"] == "web" and "ETag" not in shown.headers
    failed = node.call("POST", "/v1/tasks?run=inspect", broken.task("web"))
    assert failed.status == 400 and "cannot plan" in message(failed)
    off = node.call("POST", "/v1/tasks?run=inspect", quick.task("web", enabled=False))
    assert off.json["run"] == {"changes_present": False,
                               "plan": "Task is disabled, inspection was skipped."}
    assert node.tasks() == {}


def test_put_beside_a_trial_of_its_name_conflicts(node, quick, held):
    """It was told that there is such a task, which PUT would have replaced."""
    asked = node.call("POST", "/v1/tasks?run=now&wait=0s", held.task("web"))
    assert asked.status == 504, asked
    run = asked.headers["Location"].rsplit("/", 1)[1]
    put = node.call("PUT", "/v1/tasks/web", quick.task("web"))
    assert put.status == 409, put
    assert message(put) == f"task 'web' has a live run: {run}"
    held.open()
    wait_until("the trial has made it", lambda: "web" in node.tasks())
    assert node.call("PUT", "/v1/tasks/web", quick.task("web")).status == 200


def test_a_long_plan_comes_from_the_log(node, tmp_path):
    module = Module(tmp_path / "long", "true", "seq 1 20000; exit 2")
    plan = node.call("POST", "/v1/tasks?run=inspect", module.task("web")).json["run"]["plan"]
    assert plan == "".join(f"{n}\n" for n in range(1, 20001))
    module.put("plan", "seq 1 200000; exit 0")
    shown = node.call("POST", "/v1/tasks?run=inspect", module.task("web")).json["run"]
    assert shown["changes_present"] is False
    assert shown["plan"].startswith("1\n2\n") and "cut: it is longer than" in shown["plan"][-80:]


@pytest.mark.sanitized
def test_patch_run_now_and_inspect(node, quick, broken):
    node.call("POST", "/v1/tasks", quick.task("web", enabled=False))
    etag = node.call("GET", "/v1/tasks/web").headers["ETag"]
    shown = node.call("PATCH", "/v1/tasks/web?run=inspect", ON)
    assert shown.status == 200
    assert shown.json == {"inspect": {"changes_present": True, "plan": "would do it\n"}}
    shown = node.call("PATCH", "/v1/tasks/web?run=Inspect", OFF)
    assert shown.json == {"inspect": {"changes_present": False, "plan": ""}}
    assert node.call("GET", "/v1/tasks/web").headers["ETag"] == etag
    assert events(node, "web") == []
    answer = node.call("PATCH", "/v1/tasks/web?run=NOW", ON)
    assert (answer.status, answer.json) == (200, {})
    assert node.tasks()["web"]["enabled"] is True and status(node, "web") == "successful"
    # one that fails has an event, and what was stored before it stays
    node.call("PUT", "/v1/tasks/web", broken.task("web", enabled=False))
    answer = node.call("PATCH", "/v1/tasks/web?run=now", ON)
    assert answer.status == 500 and message(answer).startswith("error tf-apply for 'web': ")
    assert node.tasks()["web"]["enabled"] is True and status(node, "web") == "errored"
    assert message(answer).endswith(events(node, "web")[0]["error"]["message"])
    answer = node.call("PATCH", "/v1/tasks/web?run=inspect", ON)
    assert answer.status == 500
    assert message(answer).startswith("Error updating task 'web'. Unable to inspect task: ")
    for run in ("now", "inspect"):
        for body in (ON, OFF):
            assert node.call("PATCH", f"/v1/tasks/none?run={run}", body).status == 404


def test_an_active_task_is_neither_patched_nor_run(node, held):
    node.call("POST", "/v1/tasks", held.task("web"))
    placed = node.call("POST", "/v1/tasks/web/run")
    assert placed.status == 202 and placed.json["run"]["task"] == "web"
    run = placed.json["run"]["id"]
    assert placed.headers["Location"] == f"/v1/runs/{run}"
    for query in ("", "?run=now", "?run=inspect"):
        answer = node.call("PATCH", f"/v1/tasks/web{query}", OFF)
        assert answer.status == 500
        assert message(answer) == "task 'web' is active and cannot be updated at this time"
    answer = node.call("POST", "/v1/tasks/web/run")
    assert answer.status == 409 and message(answer) == f"task 'web' has a live run: {run}"
    assert node.call("DELETE", "/v1/tasks/web").status == 202
    for method, path, body in (("PATCH", "/v1/tasks/web", OFF),
                               ("POST", "/v1/tasks/web/run", None),
                               ("PUT", "/v1/tasks/web", held.task("web"))):
        answer = node.call(method, path, body)
        assert answer.status == 409 and "is being deleted" in message(answer), answer
    held.open()
    wait_until("it is deleted", lambda: node.tasks() == {})


def test_a_run_is_waited_for_and_its_key_is_that_run(node, quick):
    node.call("POST", "/v1/tasks", quick.task("web"))
    key = {"Idempotency-Key": "k1"}
    first = node.call("POST", "/v1/tasks/web/run?wait=10s", headers=key)
    assert first.status == 200 and first.json["run"]["outcome"] == "success"
    again = node.call("POST", "/v1/tasks/web/run?wait=10s", headers=key)
    assert again.status == 200 and again.headers["Idempotency-Replayed"] == "true"
    assert again.json["run"] == first.json["run"]
    assert len(events(node, "web")) == 1
    other = node.call("POST", "/v1/tasks/web/run?wait=9s", headers=key)
    assert other.status == 422
    node.call("PATCH", "/v1/tasks/web", OFF)
    answer = node.call("POST", "/v1/tasks/web/run")
    assert answer.status == 409 and message(answer) == "task 'web' is disabled"
    assert node.call("POST", "/v1/tasks/none/run").status == 404


def test_a_run_that_is_late_is_told_as_it_stands(node, held):
    node.call("POST", "/v1/tasks", held.task("web"))
    late = node.call("POST", "/v1/tasks/web/run?wait=100ms")
    assert late.status == 202 and late.json["run"]["state"] in ("pending", "running")
    held.open()
    wait_until("it has ended", lambda: status(node, "web") == "successful")
    now = node.call("PATCH", "/v1/tasks/web?run=now&wait=100ms", ON)
    assert now.status == 504 and now.json["code"] == "outcome_unknown"
    assert now.headers["Location"].startswith("/v1/runs/")
    held.open()
    wait_until("both are told", lambda: len(events(node, "web")) == 2)


@pytest.mark.sanitized
def test_a_log_is_followed_as_it_is_written(node, held):
    node.call("POST", "/v1/tasks", held.task("web"))
    run = node.call("POST", "/v1/tasks/web/run").json["run"]["id"]
    logged(node, run, "begun")
    told = []
    reader = threading.Thread(target=lambda: told.append(
        node.call("GET", f"/v1/runs/{run}/log?follow")))
    reader.start()
    so_far = node.call("GET", f"/v1/runs/{run}/log")
    assert so_far.body.decode() == f"begun as {run}\n"
    assert so_far.headers["Content-Type"].startswith("text/plain")
    assert so_far.headers["X-Muster-Log-Ended"] == "false"
    held.open("home")
    reader.join()
    assert told[0].status == 200 and told[0].body.decode() == f"begun as {run}\nwent home\n"
    wait_until("it has ended", lambda: status(node, "web") == "successful")
    rest = node.call("GET", f"/v1/runs/{run}/log?after={so_far.headers['X-Muster-Log-Next']}")
    assert rest.body.decode() == "went home\n"
    assert rest.headers["X-Muster-Log-Ended"] == "true"
    assert node.call("GET", "/v1/runs/999/log").status == 404


def test_a_run_is_cancelled(node, tmp_path):
    module = Module(tmp_path / "long", "trap 'echo told; exit 1' INT\necho begun\n"
                                       "read word < $GATE")
    node.call("POST", "/v1/tasks", module.task("web"))
    run = node.call("POST", "/v1/tasks/web/run").json["run"]["id"]
    logged(node, run, "begun")
    answer = node.call("POST", f"/v1/runs/{run}/cancel")
    assert answer.status == 202 and answer.json["run"]["state"] == "stopping"
    wait_until("its end is told", lambda: events(node, "web"))
    answer = node.call("POST", f"/v1/runs/{run}/cancel")
    assert answer.status == 409 and "has ended: cancelled" in message(answer)
    assert node.call("POST", "/v1/runs/999/cancel").status == 404
    assert node.call("POST", "/v1/runs/x/cancel").status == 400


def test_a_node_that_stops_tells_who_waits_where_to_look(node, held):
    node.call("POST", "/v1/tasks", held.task("web"))
    told = []
    waiter = threading.Thread(target=lambda: told.append(
        node.call("PATCH", "/v1/tasks/web?run=now", ON)))
    waiter.start()
    wait_until("it runs", lambda: node.call("GET", "/v1/events?type=run.started").json["events"])
    node.stop()
    waiter.join()
    assert told[0].status == 504 and "this node stops" in message(told[0])
    node.start()  # it finds the run alive
    held.open()
    wait_until("it has ended", lambda: node.leads() and status(node, "web") == "successful")


def test_the_command_line(node, held, broken):
    node.call("POST", "/v1/tasks", held.task("web"))
    assert "run " in done("task", "run", "web", address=node.api)
    assert "has a live run" in refused(FAILED, "task", "run", "web", address=node.api)
    shown = done("runs", "--task", "web", address=node.api)
    run = shown.splitlines()[1].split()[0]
    held.open("home")
    assert done("task", "logs", "web", "--follow", address=node.api) == (
        f"begun as {run}\nwent home\n")
    assert done("task", "logs", "--run", run, address=node.api).endswith("went home\n")
    node.call("POST", "/v1/tasks", broken.task("db"))
    found = muster("task", "run", "db", "--wait", address=node.api)
    assert found.returncode == FAILED and "no such host" in found.stderr, found
    assert "has ended" in refused(FAILED, "run", "cancel", run, address=node.api)
    refused(NOT_FOUND, "task", "logs", "none", address=node.api)
    refused(NOT_FOUND, "task", "run", "none", address=node.api)
    refused(USAGE, "task", "logs", address=node.api)
    assert DONE == 0


def test_what_cannot_run_here_says_so(node):
    node.call("POST", "/v1/tasks", task_body("web", ""))
    answer = node.call("POST", "/v1/tasks/web/run?wait=10s")
    assert answer.status == 200 and answer.json["run"]["outcome"] == "failed"
    assert "modules/none" in answer.json["run"]["message"]


@pytest.mark.sanitized
def test_put_with_a_run(node, quick, broken):
    """Where there is no task as POST has it, else stored first, as PATCH has it."""
    failed = node.call("PUT", "/v1/tasks/web?run=now", broken.task("web"))
    assert failed.status == 500 and message(failed).startswith("error tf-apply for 'web': ")
    assert node.tasks() == {}
    made = node.call("PUT", "/v1/tasks/web?run=now", quick.task("web"))
    assert made.status == 201 and made.json["task"]["name"] == "web"
    etag = made.headers["ETag"]
    shown = node.call("PUT", "/v1/tasks/web?run=inspect", quick.task("web", description="new"))
    assert shown.status == 200 and "ETag" not in shown.headers
    assert shown.json["run"] == {"changes_present": True, "plan": "would do it\n"}
    assert shown.json["task"]["description"] == "new"
    # it is the text as it would be that is inspected
    answer = node.call("PUT", "/v1/tasks/web?run=inspect", broken.task("web"))
    assert answer.status == 400 and "cannot plan" in message(answer)
    assert message(answer).startswith("error tf-plan for 'web': ")
    assert node.call("GET", "/v1/tasks/web").headers["ETag"] == etag
    assert len(events(node, "web")) == 1
    for run in ("now", "inspect"):
        answer = node.call("PUT", f"/v1/tasks/web?run={run}", broken.task("web"),
                           headers={"If-Match": '"1"'})
        assert answer.status == 412, answer
    answer = node.call("PUT", "/v1/tasks/web?run=now", broken.task("web"),
                       headers={"If-Match": etag})
    assert answer.status == 500 and "no such host" in message(answer)
    assert node.tasks()["web"]["module"] == str(broken.folder) and status(node, "web") == "errored"
    replaced = node.call("PUT", "/v1/tasks/web?run=now", quick.task("web"),
                         headers={"Idempotency-Key": "k1"})
    again = node.call("PUT", "/v1/tasks/web?run=now", quick.task("web"),
                      headers={"Idempotency-Key": "k1"})
    assert replaced.status == again.status == 200
    assert replaced.json["task"] == again.json["task"] == node.tasks()["web"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert [event["success"] for event in events(node, "web")] == [True, False, True]


def test_a_merge_patch_with_a_run(node, quick, broken):
    merge = {"Content-Type": "application/merge-patch+json"}
    node.call("POST", "/v1/tasks", quick.task("web"))
    shown = node.call("PATCH", "/v1/tasks/web?run=inspect", {"description": "new"}, headers=merge)
    assert shown.json["run"] == {"changes_present": True, "plan": "would do it\n"}
    assert shown.json["task"]["description"] == "new"
    answer = node.call("PATCH", "/v1/tasks/web?run=inspect", {"module": str(broken.folder)},
                       headers=merge)
    assert answer.status == 500
    assert message(answer).startswith("Error updating task 'web'. Unable to inspect task: ")
    assert node.tasks()["web"]["description"] == "" and events(node, "web") == []
    done_now = node.call("PATCH", "/v1/tasks/web?run=now", {"description": "new"}, headers=merge)
    assert done_now.status == 200 and done_now.json["task"] == node.tasks()["web"]
    assert node.tasks()["web"]["description"] == "new" and len(events(node, "web")) == 1
    for body, code in (({"module": ""}, 400), ({"nonsense": 1}, 400)):
        answer = node.call("PATCH", "/v1/tasks/web?run=now", body, headers=merge)
        assert answer.status == code, answer
    answer = node.call("PATCH", "/v1/tasks/none?run=now", {"description": "x"}, headers=merge)
    assert answer.status == 404
    assert len(events(node, "web")) == 1


def test_run_now_of_what_is_disabled_is_an_event_all_the_same(node, broken):
    """CTS: a success with no work; only a task that was there has it."""
    node.call("POST", "/v1/tasks?run=now", broken.task("new", enabled=False))
    node.call("POST", "/v1/tasks", broken.task("web"))
    for change in (lambda: node.call("PATCH", "/v1/tasks/web?run=now", OFF),
                   lambda: node.call("PUT", "/v1/tasks/web?run=now", broken.task("web"))):
        assert change().status == 200
        assert node.tasks()["web"]["enabled"] is False
    told = events(node, "web")
    assert [event["success"] for event in told] == [True, True] and told[0]["error"] is None
    assert status(node, "web") == "successful" and status(node, "new") == "unknown"
    runs = node.call("GET", "/v1/runs?task=web").json["runs"]
    assert {run["message"] for run in runs} == {"the task is disabled: nothing was run"}
    assert node.call("PATCH", "/v1/tasks/web", OFF).status == 200  # without a run: no event
    assert len(events(node, "web")) == 2
