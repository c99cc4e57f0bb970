# SPDX-License-Identifier: Apache-2.0
"""Schedules go on whoever leads: a tick is nobody's memory."""
from lib.wait import wait_until

SECONDS = 1.0


def placed(node):
    return node.call(
        "GET", "/v1/events?type=run.placed&task=t&limit=1000").json["events"]


def second(event):
    hour, minute, rest = event["time"].split("T")[1].rstrip("Z").split(":")
    return (int(hour) * 60 + int(minute)) * 60 + float(rest)


def goes_on(node, count):
    before = len(placed(node))
    wait_until(f"{count} more runs", lambda: len(placed(node)) >= before + count)


def test_a_schedule_goes_on_through_killed_leaders(three, tmp_path):
    module = tmp_path / "module"
    module.mkdir()
    (module / "apply").write_text(f'#!/bin/sh\necho "$MUSTER_FENCE" >>"{tmp_path}/fences"\n')
    (module / "apply").chmod(0o755)
    task = {"name": "t", "module": str(module),
            "condition": {"schedule": {"cron": "* * * * * * *"}}}
    assert three.leader().call("POST", "/v1/tasks", {"task": task}).status == 201
    goes_on(three.leader(), 3)
    for _ in range(2):
        killed = three.leader()
        killed.kill()
        # A run that was on it is lost first, after its lease and its grace.
        goes_on(three.leader(), 3)
        killed.start()
        three.wait_ready()
    node = three.leader()
    events = placed(node)
    assert {event["data"]["cause"] for event in events} <= {"schedule", "failover"}
    ticks = [event for event in events if event["data"]["cause"] == "schedule"]
    span = (second(ticks[-1]) - second(ticks[0])) % 86400
    assert len(ticks) <= span / SECONDS + 2  # none came twice
    node.call("PATCH", "/v1/tasks/t", {"enabled": False})
    wait_until("none is live", lambda: len(placed(node)) == len(node.call(
        "GET", "/v1/events?type=run.ended&task=t&limit=1000").json["events"]))
    fences = [int(line) for line in (tmp_path / "fences").read_text().split()]
    assert fences == sorted(set(fences))
    assert set(fences) <= {event["data"]["run"] for event in placed(node)}
