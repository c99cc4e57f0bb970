# SPDX-License-Identifier: Apache-2.0
"""Events and statuses of runs that really ran, sentence by sentence of spec/cts.md 1.10, 1.11
and 3. The node is one for all; each test has names of its own."""
import re

import pytest

from api.conftest import settle
from lib.cluster import Node
from lib.module import Module
from lib.wait import wait_until

ON, OFF = {"enabled": True}, {"enabled": False}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z"


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    made = Node(tmp_path_factory.mktemp("node") / "n1", "n1")
    settle(made.start())
    yield made
    made.end()


@pytest.fixture
def told(tmp_path):
    """It does what its folder's file says: exits with that code, after saying a word."""
    module = Module(tmp_path / "told", f'. "{tmp_path}/told/what"')
    module.says = lambda what: (module.folder / "what").write_text(what)
    return module


def created(node, module, name, **more):
    answer = node.call("POST", "/v1/tasks", module.task(name, **more))
    assert answer.status == 201, answer


def run(node, name):
    answer = node.call("POST", f"/v1/tasks/{name}/run?wait=20s")
    assert answer.status == 200, answer
    return answer.json["run"]


def shown(node, name, query="?include=events"):
    return node.call("GET", f"/v1/status/tasks/{name}{query}").json[name]


def summary(node):
    return node.call("GET", "/v1/status").json["task_summary"]


def test_an_event_is_what_the_contract_says(node, told):
    created(node, told, "ev", providers=["null.x", "local"])
    told.says("exit 0")
    run(node, "ev")
    told.says("echo first; echo 'no such host: db' >&2; exit 7")
    ended = run(node, "ev")
    task = shown(node, "ev")
    failed, success = task["events"]  # the newest first
    assert list(failed) == ["id", "success", "start_time", "end_time", "task_name", "error",
                            "config"]
    for event in (failed, success):
        assert re.fullmatch(UUID, event["id"]) and event["task_name"] == "ev"
        assert re.fullmatch(TIME, event["start_time"]) and re.fullmatch(TIME, event["end_time"])
        assert event["start_time"] <= event["end_time"]
        assert event["config"] == {"providers": ["null.x", "local"], "services": [],
                                   "module": str(told.folder)}
    assert failed["id"] != success["id"]
    assert success["success"] is True and success["error"] is None
    # what the program said last, with its exit code
    assert failed["success"] is False
    assert "exit code 7" in failed["error"]["message"]
    assert failed["error"]["message"].endswith("no such host: db")
    assert ended["message"] == failed["error"]["message"] and ended["exit_code"] == 7
    assert task["events_url"] == "/v1/status/tasks/ev?include=events"
    assert task["providers"] == ["null.x", "local"] and task["services"] == []
    assert "events" not in shown(node, "ev", "")


def test_a_signal_is_told_by_its_name(node, told):
    created(node, told, "sig")
    told.says("echo before; kill -SEGV $$")
    ended = run(node, "sig")
    said = shown(node, "sig")["events"][0]["error"]["message"]
    assert ended["signal"] == 11 and "SIGSEGV" in said and said.endswith("before"), said


def test_statuses_follow_the_rule(node, told):
    created(node, told, "st")
    before = summary(node)["status"]
    assert shown(node, "st") == {"task_name": "st", "status": "unknown", "enabled": True,
                                 "events_url": "", "providers": [], "services": []}
    for code, status in ((1, "errored"), (1, "critical"), (0, "successful"), (1, "critical"),
                         (0, "successful"), (0, "successful"), (0, "successful"),
                         (0, "successful"), (0, "successful"), (1, "errored")):
        told.says(f"exit {code}")
        run(node, "st")
        assert shown(node, "st")["status"] == status
        after = summary(node)["status"]
        assert after.pop(status) == before[status] + 1 and after["unknown"] == \
            before["unknown"] - 1
    events = shown(node, "st")["events"]  # five are kept, and they make the status
    assert [event["success"] for event in events] == [False, True, True, True, True]
    every = node.call("GET", "/v1/status/tasks?include=events").json
    assert every["st"]["events"] == events
    # a filter: of one task with events and another status an empty map
    assert node.call("GET", "/v1/status/tasks/st?status=Errored").json["st"]["task_name"] == "st"
    assert node.call("GET", "/v1/status/tasks/st?status=critical").json == {}
    assert "st" in node.call("GET", "/v1/status/tasks?status=errored").json
    assert "st" not in node.call("GET", "/v1/status/tasks?status=successful").json


def test_each_run_has_one_end_and_is_stored_when_it_has_ended(node, tmp_path):
    held = Module(tmp_path / "held", "echo begun\nread word < $GATE")
    created(node, held, "one")
    placed = node.call("POST", "/v1/tasks/one/run").json["run"]["id"]
    wait_until("it has begun", lambda: node.call(
        "GET", "/v1/events?type=run.started&task=one").json["events"])
    assert shown(node, "one")["status"] == "unknown"  # nothing is stored of a run under way
    held.open()
    wait_until("it has ended", lambda: shown(node, "one")["status"] == "successful")
    told = node.call("GET", "/v1/events?task=one").json["events"]
    assert [event["type"] for event in told] == ["task.created", "run.placed", "run.started",
                                                 "run.ended"]
    assert [event["data"]["run"] for event in told[1:]] == [placed] * 3
    assert told[1]["index"] == placed
    end = told[3]["data"]
    assert {key: end[key] for key in shown(node, "one")["events"][0]} == \
        shown(node, "one")["events"][0]


def test_what_a_client_asks_for_is_not_tried_again(node, tmp_path):
    again = Module(tmp_path / "again", f"echo x >> {tmp_path}/tries; exit 1")
    created(node, again, "again")
    run(node, "again")
    assert node.call("PATCH", "/v1/tasks/again?run=now", ON).status == 500
    assert node.call("POST", "/v1/tasks?run=now", again.task("new")).status == 500
    assert node.call("PUT", "/v1/tasks/again?run=now", again.task("again")).status == 500
    assert (tmp_path / "tries").read_text() == "x\n" * 4


def test_the_events_of_a_task_go_with_it(node, told):
    told.says("exit 0")
    created(node, told, "gone")
    run(node, "gone")
    assert node.call("DELETE", "/v1/tasks/gone").status == 202
    assert node.call("DELETE", "/v1/tasks/gone").status == 404
    created(node, told, "gone")
    assert shown(node, "gone")["status"] == "unknown" and "events" not in shown(node, "gone")


def test_a_task_that_waits_to_be_deleted(node, tmp_path):
    """Listed and with a status until its run ends, which goes on; its name is taken."""
    held = Module(tmp_path / "held", "read word < $GATE")
    created(node, held, "del")
    placed = node.call("POST", "/v1/tasks/del/run").json["run"]["id"]
    for _ in range(2):
        assert node.call("DELETE", "/v1/tasks/del").status == 202
    assert shown(node, "del")["deleting"] is True
    assert "deleting" not in node.call("GET", "/v1/tasks/del").json["task"]
    for query in ("", "?run=now", "?run=inspect"):
        answer = node.call("POST", f"/v1/tasks{query}", held.task("del"))
        assert answer.status == 400
        assert answer.json["error"]["message"] == "task with name del already exists"
        answer = node.call("PUT", f"/v1/tasks/del{query}", held.task("del"))
        assert answer.status == 409 and "is being deleted" in answer.json["error"]["message"]
    assert node.call("GET", f"/v1/runs/{placed}").json["run"]["state"] != "ended"
    held.open()
    wait_until("it is gone", lambda: node.call("GET", "/v1/tasks/del").status == 404)
    assert node.call("GET", f"/v1/runs/{placed}").json["run"]["outcome"] == "success"
    told = node.call("GET", "/v1/events?task=del").json["events"]
    assert [event["type"] for event in told if event["type"] != "run.started"] == [
        "task.created", "run.placed", "task.deleting", "run.ended", "task.deleted"]


def test_what_is_not_watched_is_a_warning_in_answers_and_status(node, told):
    said = "this version does not watch 'consul_kv': the task runs when it is asked to"
    told.says("exit 0")
    body = told.task("kv")
    body["task"]["condition"] = {"consul_kv": {"path": "a"}}
    merge = {"Content-Type": "application/merge-patch+json"}
    for answer in (node.call("POST", "/v1/tasks", body),
                   node.call("PUT", "/v1/tasks/kv", body),
                   node.call("PATCH", "/v1/tasks/kv", OFF),
                   node.call("PATCH", "/v1/tasks/kv?run=now", ON),
                   node.call("PATCH", "/v1/tasks/kv", {"description": "x"}, headers=merge),
                   node.call("PUT", "/v1/tasks/kv?run=inspect", body | {"task": {
                       **body["task"], "enabled": False}}),
                   node.call("GET", "/v1/tasks/kv")):
        assert answer.headers["X-Muster-Warning"] == said, answer
    assert shown(node, "kv")["warning"] == said
    assert node.call("GET", "/v1/status/tasks").json["kv"]["warning"] == said
    plain = node.call("POST", "/v1/tasks", told.task("plain"))
    assert "X-Muster-Warning" not in plain.headers and "warning" not in shown(node, "plain")


def test_a_module_without_a_driver_fails_with_that(node, tmp_path):
    """Nobody opens a module before a run of it (spec/muster.md 4)."""
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "main.tf").write_text("")
    for module, word in ((folder, "Terraform"), (tmp_path / "nowhere", "no module")):
        body = {"task": {"name": f"tf_{module.name}", "module": str(module), "condition": {}}}
        assert node.call("POST", "/v1/tasks", body).status == 201
        ended = run(node, f"tf_{module.name}")
        assert ended["outcome"] == "failed" and word.lower() in ended["message"].lower(), ended
        assert shown(node, f"tf_{module.name}")["status"] == "errored"
        for mode, status in (("now", 500), ("inspect", 400)):
            body["task"]["name"] = "new"
            answer = node.call("POST", f"/v1/tasks?run={mode}", body)
            assert answer.status == status
            assert word.lower() in answer.json["error"]["message"].lower(), answer


def test_events_and_statuses_outlive_a_restart(node, told):
    told.says("echo gone; exit 4")
    created(node, told, "kept")
    run(node, "kept")
    before = node.call("GET", "/v1/status/tasks?include=events").json
    overall = summary(node)
    node.restart()
    settle(node)
    assert node.call("GET", "/v1/status/tasks?include=events").json == before
    assert summary(node) == overall
