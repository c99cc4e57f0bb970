# SPDX-License-Identifier: Apache-2.0
"""Three nodes under load, and what befalls nodes: each acknowledged write is there
afterwards, the same on every node."""
import json
import os
import signal

import pytest

from lib.cluster import free_ports
from lib.http import NothingHappened, OutcomeUnknown
from lib.load import Load, task_body
from lib.wait import wait_until

ROUNDS = 5 if os.environ.get("MUSTER_TEST_FULL") else 2


def judge(cluster, load):
    load.check(cluster.settled())


@pytest.mark.sanitized
def test_three_nodes_form_answer_alike_and_stop_cleanly(cluster):
    with Load(cluster, writers=2) as load:
        load.goes_on(60)
    judge(cluster, load)
    ids = {node.cluster()["cluster_id"] for node in cluster.nodes}
    assert len(ids) == 1
    members = cluster.nodes[0].cluster()["members"]
    assert [m["name"] for m in members] == ["n1", "n2", "n3"]
    assert all(m["role"] == "voter" and m["reachable"] for m in members)


@pytest.mark.sanitized
def test_a_follower_refuses_writes_and_names_the_leader(cluster):
    leader = cluster.leader()
    follower = cluster.followers()[0]
    for method, path, body in [("POST", "/v1/tasks", task_body("a", "")),
                               ("PATCH", "/v1/tasks/none", {"enabled": True}),
                               ("DELETE", "/v1/tasks/none", None)]:
        answer = follower.call(method, path, body)
        assert answer.status == 400
        assert answer.headers["X-Muster-Not-Leader"] == "true"
        assert answer.headers["X-Muster-Leader"] == leader.name
        assert answer.headers["X-Muster-Leader-Address"] == leader.api
        told = answer.json
        assert told.pop("request_id") == answer.headers["X-Request-Id"]
        assert told == {
            "error": {"message": f"redirect requests to leader '{leader.name}' at "
                                 f"{leader.api}"},
            "leader": {"id": leader.name, "address": leader.api,
                       "url": f"http://{leader.api}"}}
    assert leader.tasks() == follower.tasks() == {}


def test_the_leader_is_killed_under_load(cluster):
    with Load(cluster) as load:
        for _ in range(ROUNDS):
            load.goes_on()
            victim = cluster.leader()
            victim.kill()
            load.goes_on()
            victim.start()
            cluster.wait_ready()
        load.goes_on()
    judge(cluster, load)


def test_a_follower_is_killed_under_load(cluster):
    with Load(cluster) as load:
        for _ in range(ROUNDS):
            load.goes_on()
            victim = cluster.followers()[0]
            victim.kill()
            load.goes_on()
            victim.start()
            cluster.wait_ready()
        load.goes_on()
    judge(cluster, load)


def test_the_leader_freezes_under_load(cluster):
    with Load(cluster, writers=4) as load:
        for _ in range(ROUNDS):
            load.goes_on()
            victim = cluster.leader()
            victim.pause()
            cluster.leader(among=[n for n in cluster.nodes if n is not victim])
            load.goes_on()
            victim.resume()
            cluster.wait_ready()
        load.goes_on()
    judge(cluster, load)


def test_a_follower_freezes_under_load(cluster):
    with Load(cluster) as load:
        for _ in range(ROUNDS):
            victim = cluster.followers()[0]
            victim.pause()
            load.goes_on(60)
            victim.resume()
            cluster.wait_ready()
    judge(cluster, load)


def test_all_three_are_killed_at_once(cluster):
    for _ in range(ROUNDS):
        with Load(cluster) as load:
            load.goes_on()
            for node in cluster.nodes:
                node.process.send_signal(signal.SIGKILL)
            for node in cluster.nodes:
                node.kill()
        cluster.start()
        load.writers[0].wrong += [text for writer in load.writers[1:]
                                  for text in writer.wrong]
        tasks = cluster.settled()
        names = {name for writer in load.writers for name in writer.known}
        load.check({name: task for name, task in tasks.items() if name in names})
        for name in tasks:
            assert cluster.leader().call("DELETE", f"/v1/tasks/{name}").status == 202


def test_all_three_are_restarted_one_after_the_other(cluster):
    with Load(cluster) as load:
        for node in cluster.nodes:
            load.goes_on(20)
            node.restart()
            cluster.wait_ready()
    judge(cluster, load)


def test_all_three_stop_and_start_again(cluster):
    with Load(cluster) as load:
        load.goes_on()
    before = cluster.settled()
    for node in cluster.nodes:
        node.stop()
    cluster.start()
    assert cluster.settled() == before


def test_one_node_of_three_writes_nothing_and_reads_on(cluster):
    with Load(cluster) as load:
        load.goes_on()
    before = cluster.settled()
    survivor, *others = [cluster.leader(), *cluster.followers()]
    for node in others:
        node.kill()

    # The old leader finds out that it is alone; until then a write has no outcome.
    answer = survivor.call("POST", "/v1/tasks", task_body("alone", ""))
    assert answer.status in (400, 503, 504), answer
    wait_until("it leads no more", lambda: not survivor.leads())
    answer = survivor.call("POST", "/v1/tasks", task_body("alone2", ""))
    assert answer.status == 400, answer
    assert answer.json["error"]["message"] == "redirect requests to leader"
    assert "leader" not in answer.json
    assert survivor.call("GET", "/v1/health").status == 200
    assert survivor.call("GET", "/v1/health/ready").status == 503
    assert survivor.tasks() == before

    cluster.start()
    tasks = cluster.settled()
    assert "alone2" not in tasks
    tasks.pop("alone", None)
    assert tasks == before


def test_a_frozen_leader_answers_nothing_false_when_it_wakes(cluster):
    """What was deleted through its successor must not be shown as written by it."""
    leader = cluster.leader()
    assert leader.call("POST", "/v1/tasks", task_body("old", "")).status == 201
    cluster.settled()
    leader.pause()
    successor = cluster.leader(among=[n for n in cluster.nodes if n is not leader])
    assert successor.call("DELETE", "/v1/tasks/old").status == 202
    leader.resume()
    answer = leader.call("PATCH", "/v1/tasks/old", {"enabled": False})
    assert answer.status in (400, 404, 503, 504), answer
    assert "old" not in cluster.settled()


def test_reads_are_answered_by_every_node_while_there_is_no_leader(cluster):
    before = cluster.settled()
    first, second = cluster.followers()
    cluster.leader().kill()
    first.kill()
    assert second.tasks() == before
    answer = second.call("GET", "/v1/tasks")
    assert "X-Muster-Last-Contact" in answer.headers
    cluster.start()
    cluster.settled()


def test_a_node_whose_peer_address_changed_says_so(cluster):
    """Its peers go on dialling the old one; without a word it waited for ever."""
    node = cluster.followers()[0]
    node.kill()
    path = node.folder / "config.json"
    before = path.read_text()
    config = json.loads(before)
    old = config["listen"]["peer"]
    config["listen"]["peer"] = new = f"127.0.0.1:{free_ports(1)[0]}"
    path.write_text(json.dumps(config))
    node.start()
    assert f"knows this node's peer address as {old}, now it is {new}" in node.log()
    answer = node.call("GET", "/v1/health/ready")
    assert answer.status == 503
    assert answer.json["error"]["message"] == \
        f"no leader: the cluster knows this node as {old}, not as {new}"
    node.kill()
    path.write_text(before)
    node.start()
    cluster.settled()


def test_a_client_that_goes_away_harms_nobody(cluster):
    leader = cluster.leader()
    for n in range(20):
        try:
            leader.call("POST", "/v1/tasks", task_body(f"t{n}", ""), timeout=0.0005)
        except (NothingHappened, OutcomeUnknown):
            pass
    cluster.settled()
