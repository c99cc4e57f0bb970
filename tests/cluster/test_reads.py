# SPDX-License-Identifier: Apache-2.0
"""What a node answers when it cannot know everything: never less than it knew, and never
less than was asked for."""
import threading

from lib.http import NothingHappened, OutcomeUnknown
from lib.load import task_body
from lib.wait import PATIENCE, wait_until


def test_a_node_alone_after_a_restart_still_has_what_was_committed(cluster):
    leader = cluster.leader()
    for number in range(6):
        assert leader.call("POST", "/v1/tasks", task_body(f"t{number}", "x")).status == 201
    last = leader.index()
    wait_until("all have it", lambda: {node.index() for node in cluster.nodes} == {last})
    for node in cluster.nodes:
        node.kill()
    alone = cluster.nodes[0].start()

    # no majority, so no leader; the log says itself how far it was committed
    assert alone.call("GET", "/v1/health/ready").status == 503
    answer = alone.call("GET", "/v1/tasks")
    assert answer.headers["X-Muster-Known-Leader"] == "false"
    assert {f"t{number}" for number in range(4)} <= set(alone.tasks())

    cluster.start()
    assert set(cluster.settled()) == {f"t{number}" for number in range(6)}


def test_a_consistent_read_on_any_node_shows_what_was_acknowledged_a_moment_before(cluster):
    leader = cluster.leader()
    for number in range(40):
        name = f"t{number}"
        written = leader.call("POST", "/v1/tasks", task_body(name, "x"))
        assert written.status == 201
        node = cluster.nodes[number % 3]
        answer = node.call("GET", f"/v1/tasks/{name}?consistent")
        assert answer.status == 200 and answer.json["task"]["name"] == name
        assert int(answer.headers["X-Muster-Index"]) >= int(written.headers["X-Muster-Index"])


def test_an_index_carries_a_write_from_node_to_node(cluster):
    leader = cluster.leader()
    for number in range(40):
        index = leader.call("POST", "/v1/tasks", task_body(f"t{number}", "x")
                            ).headers["X-Muster-Index"]
        node = cluster.followers()[number % 2]
        assert node.call("GET", f"/v1/tasks/t{number}?min_index={index}&wait=10s").status == 200


def test_a_leader_without_its_followers_reads_only_what_need_not_be_consistent(cluster):
    leader = cluster.leader()
    followers = cluster.followers()
    assert leader.call("POST", "/v1/tasks", task_body("a", "x")).status == 201
    for follower in followers:
        follower.pause()
    answer = leader.call("GET", "/v1/tasks/a?consistent")
    assert answer.status == 503 and answer.headers["Retry-After"] == "1", answer
    assert "a consistent read is not possible now" in answer.json["error"]["message"]
    assert leader.call("GET", "/v1/tasks/a").status == 200
    wait_until("it knows that its word is old",
               lambda: leader.call("GET", "/v1/tasks/a?max_stale=1s").status == 503)
    assert leader.call("GET", "/v1/tasks/a?max_stale=1h").status == 200
    for follower in followers:
        follower.resume()
    wait_until("it reads again",
               lambda: leader.call("GET", "/v1/tasks/a?consistent&max_stale=1s").status == 200)


def test_a_leader_that_was_frozen_shows_nothing_old_when_it_wakes(cluster):
    """Its clients asked while it was frozen; another one leads and has written since."""
    frozen = cluster.leader()
    others = cluster.followers()
    assert frozen.call("POST", "/v1/tasks", task_body("a", "x")).status == 201
    frozen.pause()
    leader = cluster.leader(among=others)
    assert leader.call("PATCH", "/v1/tasks/a", {"enabled": False}).status == 200
    answers = []
    readers = [threading.Thread(
        target=lambda: answers.append(frozen.call("GET", "/v1/tasks/a?consistent")))
        for _ in range(20)]
    for reader in readers:
        reader.start()
    frozen.resume()
    for reader in readers:
        reader.join(PATIENCE)
    assert len(answers) == len(readers)
    for answer in answers:
        assert answer.status in (200, 503), answer
        if answer.status == 200:
            assert answer.json["task"]["enabled"] is False
    wait_until("it reads again",
               lambda: frozen.call("GET", "/v1/tasks/a?consistent").status == 200)


def test_consistent_reads_go_on_over_a_planned_handover(cluster):
    assert cluster.leader().call("POST", "/v1/tasks", task_body("a", "x")).status == 201
    done, wrong = threading.Event(), []

    def read(node):
        while not done.is_set():
            answer = node.call("GET", "/v1/tasks/a?consistent")
            if answer.status != 200:
                wrong.append(answer)
    readers = [threading.Thread(target=read, args=(node,)) for node in cluster.nodes]
    for reader in readers:
        reader.start()
    for _ in range(3):
        leader = cluster.leader()
        answer = leader.call("POST", "/v1/cluster/transfer", {})
        assert answer.status == 200, answer
        wait_until("another one leads", lambda: cluster.leader() is not leader)
    done.set()
    for reader in readers:
        reader.join(PATIENCE)
    assert wrong == []


def test_a_long_poll_outlives_a_failover(cluster):
    killed = cluster.leader()
    others = cluster.followers()
    index = killed.call("POST", "/v1/tasks", task_body("a", "x")).headers["X-Muster-Index"]
    got = {}

    def poll(node):
        got[node.name] = node.call("GET", f"/v1/tasks/a?index={index}&wait=1m",
                                   timeout=2 * PATIENCE)
    polls = [threading.Thread(target=poll, args=(node,)) for node in others]
    for one in polls:
        one.start()
    killed.kill()

    def written():
        try:
            return cluster.leader(among=others).call(
                "PATCH", "/v1/tasks/a", {"enabled": False}).status == 200
        except (NothingHappened, OutcomeUnknown):
            return False
    wait_until("the new leader writes", written)
    for one in polls:
        one.join(PATIENCE)
    for node in others:
        assert got[node.name].status == 200
        assert got[node.name].json["task"]["enabled"] is False
    cluster.start()
    cluster.wait_ready()
