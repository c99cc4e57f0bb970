# SPDX-License-Identifier: Apache-2.0
"""Writes that reach a node which does not lead, and are handed on to the one that does."""
import threading

import pytest

from lib.cluster import Cluster
from lib.load import Load, task_body
from lib.wait import wait_until


@pytest.fixture
def forwarding(tmp_path):
    settings = {"cluster": {"follower_writes": "forward"}}
    with Cluster(tmp_path, settings=settings) as three:
        three.start()
        three.wait_ready()
        yield three


@pytest.mark.sanitized
def test_a_follower_answers_as_the_leader_would(forwarding):
    leader, follower = forwarding.leader(), forwarding.followers()[0]
    body = task_body("web", "one")
    created = follower.call("POST", "/v1/tasks", body)
    assert created.status == 201 and created.json["task"]["name"] == "web", created
    index = int(created.headers["X-Muster-Index"])
    assert created.headers["ETag"] == f'"{index}"'
    assert leader.call("GET", "/v1/tasks/web").headers["ETag"] == created.headers["ETag"]
    assert follower.index() >= index
    for method, path, wanted in (("POST", "/v1/tasks", body),
                                 ("PATCH", "/v1/tasks/none", {"enabled": True}),
                                 ("PATCH", "/v1/tasks/web", {"enabled": "no"}),
                                 ("POST", "/v1/tasks", {"task": {"name": "x"}})):
        here = follower.call(method, path, wanted)
        there = leader.call(method, path, wanted)
        assert here.status == there.status >= 400, (here, there)
        assert here.json["error"] == there.json["error"]
    assert follower.call("PATCH", "/v1/tasks/web", {"enabled": False}).status == 200
    assert follower.tasks()["web"]["enabled"] is False
    assert follower.call("DELETE", "/v1/tasks/web").status == 202
    assert follower.tasks() == {}
    changed = follower.call("PUT", "/v1/settings", {"task_events": 9})
    assert changed.status == 200, changed
    assert changed.json["settings"]["task_events"]["value"] == 9
    refused = follower.call("POST", "/v1/cluster/transfer", {})
    assert refused.status == 400 and refused.headers["X-Muster-Not-Leader"] == "true"


def test_leaders_are_killed_while_all_nodes_are_written_to(forwarding):
    with Load(forwarding, writers=4, seed=7) as load:
        for _ in range(4):
            load.goes_on(40)
            leader = forwarding.leader()
            leader.kill()
            forwarding.leader([node for node in forwarding.nodes if node is not leader])
            load.goes_on(40)
            leader.start()
            forwarding.wait_ready()
    load.check(forwarding.settled())


def test_a_lead_given_away_under_load_refuses_no_write(cluster):
    """All writers stay with the node that led first, and none of them tries again."""
    old = cluster.leader()
    failed, done, over = [], [], threading.Event()

    def write(number):
        count = 0
        while not over.is_set():
            count += 1
            answer = old.call("POST", "/v1/tasks", task_body(f"t{number}_{count}", "x"))
            (done if answer.status == 201 else failed).append(answer)

    writers = [threading.Thread(target=write, args=(n,), daemon=True) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        wait_until("writes go on", lambda: len(done) > 50)
        answer = old.call("POST", "/v1/cluster/transfer", {})
        assert answer.status == 200, answer
        assert not old.leads()
        count = len(done)
        wait_until("they go on at the old leader", lambda: len(done) > count + 50 or failed)
    finally:
        over.set()
        for writer in writers:
            writer.join(30)
    assert not failed, failed[:3]
    assert len(cluster.settled()) == len(done)
