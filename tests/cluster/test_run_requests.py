# SPDX-License-Identifier: Apache-2.0
"""Runs asked for at any of three nodes: who waits for one while the leader is lost, and what
it prints, read from another node than the one that carries it out."""
import threading

import pytest

from lib.cli import done
from lib.cluster import QUICK, Cluster
from lib.module import Module
from lib.wait import wait_until

ON = {"enabled": True}


@pytest.fixture
def held(tmp_path):
    return Module(tmp_path / "held",
                  'echo "begun as $MUSTER_FENCE"\nread word < $GATE\necho "went $word"')


def asked(node, *arguments, **more):
    """A request in a thread of its own: its answer, once that is there."""
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(node.call(*arguments, timeout=60, **more)))
    thread.start()

    def answer():
        thread.join()
        return answers[0]
    return answer


def placed(node, after=0):
    """The run that has begun last, above that number."""
    def found():
        events = node.call("GET", "/v1/events?type=run.started&limit=1000").json["events"]
        return events and events[-1]["data"]["run"] > after and events[-1]["data"]["run"]
    return wait_until("a run has begun", found)


def run_of(node, run):
    return node.call("GET", f"/v1/runs/{run}?consistent").json["run"]


def carrier(three, run):
    """The node that carries it out, and the other two."""
    name = run_of(three.leader(), run)["node"]
    return (next(node for node in three.nodes if node.name == name),
            [node for node in three.nodes if node.name != name])


def log_of(node, run):
    return node.call("GET", f"/v1/runs/{run}/log").body.decode()


def test_a_follower_names_the_leader(three, held):
    leader, follower = three.leader(), three.followers()[0]
    assert leader.call("POST", "/v1/tasks", held.task("web")).status == 201
    for method, path, body in (("POST", "/v1/tasks/web/run", None),
                               ("POST", "/v1/tasks/none/run", None),
                               ("POST", "/v1/runs/1/cancel", None),
                               ("POST", "/v1/tasks?run=now", held.task("db")),
                               ("PATCH", "/v1/tasks/web?run=now", ON)):
        answer = follower.call(method, path, body)
        assert answer.status == 400 and answer.headers["X-Muster-Not-Leader"] == "true"
    wrong = follower.call("POST", "/v1/tasks/web/run?wait=x")
    assert wrong.status == 400 and "X-Muster-Not-Leader" not in wrong.headers


def test_who_waits_at_a_node_that_no_longer_leads_is_told_all_the_same(three, held):
    leader, other = three.leader(), three.followers()[0]
    answer = asked(leader, "POST", "/v1/tasks?run=now", held.task("web"))
    run = placed(leader)
    moved = leader.call("POST", "/v1/cluster/transfer", {"to": other.name})
    assert moved.status == 200, moved
    wait_until("another leads", other.leads)
    held.open()
    answer = answer()
    assert answer.status == 201 and answer.json["task"]["name"] == "web", answer
    assert run_of(other, run)["outcome"] == "success"
    assert list(three.settled()) == ["web"]
    for node in three.nodes:
        assert node.call("GET", "/v1/status/tasks/web").json["web"]["status"] == "successful"


def test_the_leader_is_killed_while_a_client_of_a_follower_waits(tmp_path, held):
    settings = {"cluster": {**QUICK["cluster"], "follower_writes": "forward"}}
    with Cluster(tmp_path, 3, settings) as three:
        three.start()
        three.wait_ready()
        leader, asker = three.leader(), three.followers()[0]
        assert asker.call("POST", "/v1/tasks", held.task("web", enabled=False)).status == 201
        run, carries = 0, leader
        while carries is leader:  # which would be lost with its run
            if run:
                held.open()
                assert answer().status == 200
            answer = asked(asker, "PATCH", "/v1/tasks/web?run=now", ON)
            run = placed(asker, run)
            carries = carrier(three, run)[0]
        leader.kill()
        three.leader([node for node in three.nodes if node is not leader])
        wait_until("the run is there yet", lambda: "begun" in log_of(asker, run))
        held.open()
        answer = answer()
        assert (answer.status, answer.json) == (200, {}), answer
        assert run_of(asker, run)["outcome"] == "success"
        leader.start()
        three.settled()


@pytest.mark.sanitized
def test_a_log_is_read_and_followed_at_every_node(three, held):
    leader = three.leader()
    assert leader.call("POST", "/v1/tasks", held.task("web")).status == 201
    run = leader.call("POST", "/v1/tasks/web/run").json["run"]["id"]
    for node in three.nodes:
        wait_until("it is read there", lambda: f"begun as {run}\n" == log_of(node, run))
    followed = [asked(node, "GET", f"/v1/runs/{run}/log?follow") for node in three.nodes]
    held.open("home")
    for answer in followed:
        assert answer().body.decode() == f"begun as {run}\nwent home\n"
    for node in three.nodes:
        assert done("task", "logs", "web", address=node.api) == f"begun as {run}\nwent home\n"


def test_a_log_whose_node_is_gone_is_410_with_the_reason(three, held):
    leader = three.leader()
    assert leader.call("POST", "/v1/tasks", held.task("web")).status == 201
    run = leader.call("POST", "/v1/tasks/web/run").json["run"]["id"]
    carries, others = carrier(three, run)
    followed = asked(others[0], "GET", f"/v1/runs/{run}/log?follow&consistent")
    held.open("away")
    wait_until("it has ended", lambda: run_of(others[0], run)["state"] == "ended")
    assert followed().body.decode() == f"begun as {run}\nwent away\n"
    carries.kill()
    for node in others:
        answer = wait_until("it is gone", lambda: next(
            (found for found in [node.call("GET", f"/v1/runs/{run}/log")]
             if found.status == 410), None))
        assert (f"node '{carries.name}', which has the log of run {run}"
                in answer.json["error"]["message"])
    carries.start()
    wait_until("it is back", lambda: log_of(others[0], run) == f"begun as {run}\nwent away\n")
