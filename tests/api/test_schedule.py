# SPDX-License-Identifier: Apache-2.0
"""Tasks that run by their schedules, on one real process. A second task is the clock of what
must not happen: while it ran twice, the other did not."""
import glob

import pytest

from api.conftest import settle
from lib.cluster import Node
from lib.wait import wait_until

EVERY_SECOND = {"schedule": {"cron": "* * * * * * *"}}
NEVER = {"schedule": {"cron": "0 0 30 2 *"}}


def module(folder, script):
    folder.mkdir(parents=True)
    (folder / "apply").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "apply").chmod(0o755)
    return folder


def put(node, name, path, condition=EVERY_SECOND):
    answer = node.call("PUT", f"/v1/tasks/{name}", {"task": {
        "name": name, "module": str(path), "condition": condition}})
    assert answer.status in (200, 201), answer.body


def ended(node, name):
    return node.call(
        "GET", f"/v1/events?type=run.ended&task={name}&limit=1000").json["events"]


def clock_goes_on(node):
    before = len(ended(node, "clock"))
    wait_until("two more seconds", lambda: len(ended(node, "clock")) >= before + 2)


@pytest.fixture
def ticking(node, tmp_path):
    node.good = module(tmp_path / "good", 'echo "$MUSTER_FENCE"')
    put(node, "clock", node.good)
    return node


def test_a_task_runs_at_its_times(ticking):
    put(ticking, "t", ticking.good)
    wait_until("it ran three times", lambda: len(ended(ticking, "t")) >= 3)
    events = ended(ticking, "t")
    assert all(event["data"]["success"] for event in events)
    placed = ticking.call("GET", "/v1/events?type=run.placed&task=t").json["events"]
    assert {event["data"]["cause"] for event in placed} == {"schedule"}
    seconds = [event["time"][:19] for event in placed]
    assert seconds == sorted(seconds)
    status = ticking.call("GET", "/v1/status/tasks/t").json["t"]
    assert status["status"] == "successful"


def test_a_disabled_task_does_not_run_and_runs_again_when_enabled(ticking):
    put(ticking, "t", ticking.good)
    wait_until("it ran", lambda: ended(ticking, "t"))
    assert ticking.call("PATCH", "/v1/tasks/t", {"enabled": False}).status == 200
    clock_goes_on(ticking)  # a run that was live has ended by now
    before = len(ended(ticking, "t"))
    clock_goes_on(ticking)
    assert len(ended(ticking, "t")) == before
    assert ticking.call("PATCH", "/v1/tasks/t", {"enabled": True}).status == 200
    wait_until("it runs again", lambda: len(ended(ticking, "t")) > before)


def test_a_schedule_that_was_changed_is_another_one(ticking):
    put(ticking, "t", ticking.good, NEVER)
    clock_goes_on(ticking)
    assert ended(ticking, "t") == []
    put(ticking, "t", ticking.good)
    wait_until("it runs", lambda: ended(ticking, "t"))
    put(ticking, "t", ticking.good, NEVER)
    clock_goes_on(ticking)
    before = len(ended(ticking, "t"))
    clock_goes_on(ticking)
    assert len(ended(ticking, "t")) == before


def test_ticks_that_come_during_a_run_are_skipped(ticking, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    put(ticking, "t", module(tmp_path / "slow", f'while [ -e "{hold}" ]; do sleep 0.1; done'))
    wait_until("it runs", lambda: ticking.call(
        "GET", "/v1/events?type=run.started&task=t").json["events"])
    clock_goes_on(ticking)
    put(ticking, "t", tmp_path / "slow", NEVER)
    hold.unlink()
    wait_until("it has ended", lambda: ended(ticking, "t"))
    clock_goes_on(ticking)
    assert len(ended(ticking, "t")) == 1


@pytest.fixture
def clock(tmp_path):
    """A node whose wall clock, and no other, is as a file says."""
    library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not library:
        pytest.skip("libfaketime is not installed")
    wall = tmp_path / "wall"
    wall.write_text("+0")
    node = Node(tmp_path / "n1", "n1")
    node.prefix = ["env", f"LD_PRELOAD={library[0]}", f"FAKETIME_TIMESTAMP_FILE={wall}",
                   "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                   "DONT_FAKE_MONOTONIC=1"]
    node.wall = wall
    node.good = module(tmp_path / "good", 'echo "$MUSTER_FENCE"')
    settle(node.start())
    yield node
    node.end()


def test_a_wall_clock_that_is_set_back_stops_no_schedule(clock):
    put(clock, "clock", clock.good)
    clock_goes_on(clock)
    for step in ("-2h", "+3d", "-1d"):
        clock.wall.write_text(step)
        clock_goes_on(clock)
    assert "the wall clock was set back by" in clock.log()


def test_it_goes_on_after_a_restart(ticking):
    wait_until("it ran", lambda: ended(ticking, "clock"))
    ticking.restart()
    wait_until("it leads", ticking.leads)
    clock_goes_on(ticking)


def test_a_module_that_was_moved_outside_is_not_run(tmp_path):
    """Where it leads is asked again by the node that runs it."""
    inside = module(tmp_path / "mods" / "web", "exit 0")
    outside = module(tmp_path / "outside", f"touch {tmp_path}/ran")
    node = Node(tmp_path / "n1", "n1", settings={"modules": [str(tmp_path / "mods")]})
    settle(node.start())
    put(node, "t", inside)
    wait_until("it ran", lambda: ended(node, "t"))
    (inside / "apply").unlink()
    inside.rmdir()
    inside.symlink_to(outside)
    wait_until("it is refused", lambda: "is in none of the folders of `modules`" in str(
        ended(node, "t")[-1]["data"]["error"]))
    assert not (tmp_path / "ran").exists()
    node.end()


def test_a_node_that_carries_out_no_runs_says_so_and_what_is_due_waits(tmp_path):
    good = module(tmp_path / "good", 'echo "$MUSTER_FENCE"')
    node = Node(tmp_path / "n1", "n1", settings={"runs": {"enabled": False}})
    settle(node.start())

    def drivers():
        return node.cluster()["members"][0]["drivers"]

    wait_until("its row says so", lambda: drivers() == [])
    put(node, "t", good)
    answer = node.call("POST", "/v1/tasks/t/run")
    assert answer.status == 409, answer
    assert "n1 carries out no runs (runs.enabled, or it cannot: see its log)" in answer.json["error"]["message"]
    wait_until("a tick waits for a node", lambda: "due tasks wait: no node" in node.log())
    put(node, "t", good, NEVER)
    assert node.call("GET", "/v1/events?type=run.placed").json["events"] == []
    config = node.folder / "config.json"
    config.write_text(config.read_text().replace('"enabled": false', '"enabled": true'))
    node.restart()
    wait_until("what was due begins", lambda: ended(node, "t"))
    assert drivers() == ["exec"]
    node.end()
