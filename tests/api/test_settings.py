# SPDX-License-Identifier: Apache-2.0
"""/v1/settings of one real process, and the command line's."""
import json

import pytest

from lib.cli import FAILED, USAGE, done, refused
from lib.load import task_body
from lib.wait import wait_until

pytestmark = pytest.mark.sanitized


def values(node):
    settings = node.call("GET", "/v1/settings").json["settings"]
    return {name: one["value"] for name, one in settings.items()}


def test_settings_are_changed_together_and_outlive_a_restart(node):
    before = values(node)
    answer = node.call("PUT", "/v1/settings", {"events_max_count": 100, "ready_lag": 7})
    assert answer.status == 200
    assert int(answer.headers["X-Muster-Index"]) == node.index()
    after = {**before, "events_max_count": 100, "ready_lag": 7}
    assert values(node) == after
    events = node.call("GET", "/v1/events?type=setting.changed").json["events"]
    assert [event["data"] for event in events[-2:]] == [
        {"name": "events_max_count", "from": before["events_max_count"], "value": 100},
        {"name": "ready_lag", "from": before["ready_lag"], "value": 7}]
    answer = node.call("PUT", "/v1/settings", {"ready_lag": 8, "task_events": 0})
    assert answer.status == 400 and "from 1 to 100" in answer.json["error"]["message"]
    assert values(node) == after
    node.restart()
    wait_until("it has applied all there is", node.applied_index)
    assert values(node) == after


def test_a_lower_retention_is_kept_to(node):
    for number in range(150):
        assert node.call("POST", "/v1/tasks", task_body(f"t{number}", "")).status == 201
    node.call("PUT", "/v1/settings", {"events_max_count": 100})
    events = node.call("GET", "/v1/events?limit=1000").json
    assert len(events["events"]) == 100 == events["last"] - events["first"] + 1


def test_settings_on_the_command_line(node):
    here = {"address": node.api}
    head, *rows = done("settings", **here).splitlines()
    assert head.split() == ["NAME", "VALUE", "DEFAULT", "MAY", "BE", "UNIT"]
    assert [row.split()[0] for row in rows] == list(values(node))
    shown = done("settings", "ready_lag=12", "task_events=9", **here)
    assert ["ready_lag", "12", "1000", "0", "to", "1000000", "entries"] in [
        row.split() for row in shown.splitlines()]
    assert values(node)["task_events"] == 9
    said = json.loads(done("settings", "task_events=8", "-o", "json", **here))
    assert said["settings"]["task_events"]["value"] == 8
    assert "from 1 to 100" in refused(FAILED, "settings", "task_events=0", **here)
    assert "there is no setting 'x'" in refused(FAILED, "settings", "x=0", **here)
    assert "'voters' is not set here" in refused(FAILED, "settings", "voters=3", **here)
    for wrong in ("x", "=1", "x=", "x=-1", "x=1k", "x=" + "1" * 19):
        assert "must be NAME=NUMBER" in refused(USAGE, "settings", wrong, **here)
    assert "given twice" in refused(USAGE, "settings", "a=1", "a=2", **here)


def test_the_time_zone_of_schedules(node):
    assert values(node)["schedule_zone"] == "UTC"
    answer = node.call("PUT", "/v1/settings", {"schedule_zone": "Europe/Berlin"})
    assert answer.status == 200
    assert answer.json["settings"]["schedule_zone"] == {
        "value": "Europe/Berlin", "default": "UTC", "unit": "time zone", "writable": True}
    event = node.call("GET", "/v1/events?type=setting.changed").json["events"][-1]
    assert event["data"] == {"name": "schedule_zone", "from": "UTC", "value": "Europe/Berlin"}
    for wrong, said in (("Europe/Atlantis", "no such time zone"), ("../etc", "name of a time zone"),
                        (1, "name of a time zone"), ("", "name of a time zone")):
        answer = node.call("PUT", "/v1/settings", {"schedule_zone": wrong})
        assert answer.status == 400 and said in answer.json["error"]["message"]
    answer = node.call("PUT", "/v1/settings", {"schedule_zone": "UTC", "task_events": 9})
    assert answer.status == 400 and "changed alone" in answer.json["error"]["message"]
    node.restart()
    wait_until("it has applied all there is", node.applied_index)
    assert values(node)["schedule_zone"] == "Europe/Berlin"
    here = {"address": node.api}
    shown = done("settings", "schedule_zone=Asia/Tokyo", **here)
    assert ["schedule_zone", "Asia/Tokyo", "UTC", "a", "name", "time", "zone"] in [
        row.split() for row in shown.splitlines()]
    assert values(node)["schedule_zone"] == "Asia/Tokyo"
