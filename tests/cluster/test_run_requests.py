# SPDX-License-Identifier: Apache-2.0
"""Runs asked for at any of three nodes: who waits for one while the leader is lost, and what
it prints, read from another node than the one that carries it out."""
import http.client
import threading

import pytest

from lib.cli import DONE, done, muster
from lib.cluster import QUICK, Cluster
from lib.http import Answer, OutcomeUnknown
from lib.module import Module
from lib.runs import shorten
from lib.wait import wait_until

ON = {"enabled": True}


@pytest.fixture
def held(tmp_path):
    return Module(tmp_path / "held",
                  'echo "begun as $MUSTER_FENCE"\nread word < $GATE\necho "went $word"')


def asked(node, *arguments, **more):
    """A request in a thread of its own: its answer, once that is there."""
    answers = []

    def ask():
        try:
            answers.append(node.call(*arguments, timeout=60, **more))
        except OutcomeUnknown as lost:
            answers.append(lost)

    thread = threading.Thread(target=ask)
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


def lead_last(three):
    """Have the last by name lead: runs then go to the first of the others, if they can."""
    three.known()
    last = three.nodes[-1]
    if not last.leads():
        answer = three.leader().call("POST", "/v1/cluster/transfer", {"to": last.name})
        assert answer.status == 200, answer
    wait_until(f"{last.name} leads", last.leads)


def off_leader(three, held, ask, run=0):
    """Ask until the run, above that number, is on a node that does not lead: its answer to
    come, its number, that node, the other one, the leader."""
    while True:
        lead_last(three)
        answer = ask()
        run = placed(three.leader(), run)
        leader, (carries, others) = three.leader(), carrier(three, run)
        if carries is not leader:
            return answer, run, carries, next(n for n in others if n is not leader), leader
        held.open()
        assert answer().status < 300


def ends_of(node, task):
    told = node.call("GET", f"/v1/events?type=run.ended&task={task}").json["events"]
    return [event["data"]["run"] for event in told]


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
    three.known()
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


@pytest.mark.parametrize("harm", ["kill", "pause"])
def test_the_leader_is_lost_while_a_client_of_a_follower_waits(tmp_path, held, harm):
    settings = {"cluster": {**QUICK["cluster"], "follower_writes": "forward"}}
    with Cluster(tmp_path, 3, settings) as three:
        three.start()
        three.wait_ready()
        asker = three.nodes[1]
        lead_last(three)
        assert asker.call("POST", "/v1/tasks", held.task("web", enabled=False)).status == 201
        answer, run, _, _, leader = off_leader(three, held, lambda: asked(
            asker, "PATCH", "/v1/tasks/web?run=now", ON))
        getattr(leader, harm)()
        three.leader([node for node in three.nodes if node is not leader])
        wait_until("the run is there yet", lambda: "begun" in log_of(asker, run))
        held.open()
        answer = answer()
        assert (answer.status, answer.json) == (200, {}), answer
        assert run_of(asker, run)["outcome"] == "success"
        if harm == "kill":
            leader.start()
        else:
            leader.resume()
        three.settled()
        assert ends_of(leader, "web").count(run) == 1


def test_a_run_that_is_handed_on_is_placed_with_all_members_in_mind(tmp_path, held):
    """Not on the node that was asked, if that drains."""
    with Cluster(tmp_path, 3, {"cluster": {**QUICK["cluster"], "follower_writes": "forward"}}) \
            as three:
        three.start()
        three.known()
        leader, asker = three.leader(), three.followers()[0]
        assert leader.call("POST", "/v1/cluster/drain", {"node": asker.name}).status == 200
        assert asker.call("POST", "/v1/tasks", held.task("web")).status == 201
        answer = asked(asker, "POST", "/v1/tasks/web/run?wait=1m")
        run = placed(leader)
        assert run_of(leader, run)["node"] != asker.name
        held.open()
        assert answer().json["run"]["outcome"] == "success"


def test_a_leader_that_was_frozen_tells_its_own_client_all_the_same(three, held):
    answer, run, carries, other, leader = off_leader(three, held, lambda: asked(
        three.leader(), "PUT", "/v1/tasks/web?run=now", held.task("web")))
    leader.pause()
    three.leader([carries, other])
    held.open()
    wait_until("it has ended", lambda: run_of(other, run)["state"] == "ended")
    leader.resume()
    answer = answer()
    assert answer.status in (200, 201) and answer.json["task"]["name"] == "web", answer
    assert ends_of(leader, "web").count(run) == 1


def test_a_client_whose_leader_was_killed_repeats_its_key_and_gets_that_run(three, held):
    """By hand, and by the command line, which does so by itself."""
    assert three.leader().call("POST", "/v1/tasks", held.task("web")).status == 201

    def enable():
        told = []
        cli = threading.Thread(target=lambda: told.append(muster(
            "task", "enable", "web", "--run", "now", address=",".join(three.addresses()))))
        cli.start()

        def answer():
            cli.join()
            assert (told[0].returncode, told[0].stdout) == (
                DONE, "task 'web' is enabled, its run has succeeded\n"), told[0]
            return Answer(200, {}, b"{}")
        return answer

    answer, first, carries, other, leader = off_leader(three, held, enable)
    leader.kill()
    three.leader([carries, other])
    held.open()
    answer()
    leader.start()
    three.wait_ready()
    keys = iter(range(99))
    answer, run, carries, other, leader = off_leader(three, held, lambda: asked(
        three.leader(), "PATCH", "/v1/tasks/web?run=now", ON,
        headers={"Idempotency-Key": f"k{next(keys)}"}), first)
    key = {"Idempotency-Key": f"k{next(keys) - 1}"}
    leader.kill()
    assert isinstance(answer(), OutcomeUnknown)
    after = three.leader([carries, other])
    answer = asked(after, "PATCH", "/v1/tasks/web?run=now", ON, headers=key)
    held.open()
    answer = answer()
    assert answer.status == 200 and answer.headers["Idempotency-Replayed"] == "true", answer
    ends = ends_of(after, "web")
    assert ends.count(first) == ends.count(run) == 1 and ends[-1] == run
    leader.start()
    three.settled()


def test_who_waits_for_a_run_whose_node_is_lost_is_told_so(three, held):
    shorten(three.leader())
    assert three.leader().call("POST", "/v1/tasks", held.task("web")).status == 201
    answer, run, carries, other, leader = off_leader(three, held, lambda: asked(
        three.leader(), "PATCH", "/v1/tasks/web?run=now", ON))
    wait_until("it waits at its gate", lambda: "begun" in log_of(leader, run))
    carries.kill()
    answer = answer()
    assert answer.status == 500 and answer.headers["Location"] == f"/v1/runs/{run}", answer
    said = answer.json["error"]["message"]
    assert said.startswith("error tf-apply for 'web': ") and carries.name in said
    later = placed(leader, run)  # it is run again, elsewhere
    assert run_of(other, later)["cause"] == "failover"
    held.open()
    wait_until("that has ended", lambda: run_of(other, later)["outcome"] == "success")
    status = other.call("GET", "/v1/status/tasks/web?include=events").json["web"]
    assert status["status"] == "successful"
    assert [event["success"] for event in status["events"][:2]] == [True, False]
    carries.start()
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
    assert three.leader().call("POST", "/v1/tasks", held.task("web")).status == 201
    _, run, carries, other, leader = off_leader(three, held, lambda: asked(
        three.leader(), "POST", "/v1/tasks/web/run?wait=1m"))
    begun = f"begun as {run}\n"
    wait_until("it waits", lambda: log_of(other, run) == begun)
    stream = http.client.HTTPConnection(other.api, timeout=60)
    stream.request("GET", f"/v1/runs/{run}/log?follow")
    followed = stream.getresponse()
    assert followed.read(len(begun)).decode() == begun
    beyond = other.call("GET", f"/v1/runs/{run}/log?after=1000")
    assert (beyond.status, beyond.body) == (200, b"")
    assert beyond.headers["X-Muster-Log-Next"] == "1000"
    assert beyond.headers["X-Muster-Log-Ended"] == "false"
    carries.kill()
    # lost in the middle: the last line says so
    last = followed.read().decode().strip()
    stream.close()
    assert last.startswith(f"[muster: node '{carries.name}', which has the log of run {run}"), last
    for node in (other, leader):
        answer = wait_until("it is gone", lambda: next(
            (found for found in [node.call("GET", f"/v1/runs/{run}/log")]
             if found.status == 410), None))
        assert (f"node '{carries.name}', which has the log of run {run}"
                in answer.json["error"]["message"])
    carries.start()
    wait_until("it is back", lambda: log_of(other, run) == begun)
    followed = asked(other, "GET", f"/v1/runs/{run}/log?follow&after={len(begun)}")
    held.open("home")
    assert followed().body.decode() == "went home\n"
    wait_until("it has ended", lambda: run_of(other, run)["state"] == "ended")
    # its node is removed: there is nobody to ask
    assert leader.call("DELETE", f"/v1/cluster/members/{carries.name}").status == 200
    answer = wait_until("it is gone", lambda: next(
        (found for found in [other.call("GET", f"/v1/runs/{run}/log")]
         if found.status == 410), None))
    assert answer.json["error"]["message"] == (
        f"the node that has the log of run {run} is no member any more")
