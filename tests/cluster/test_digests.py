# SPDX-License-Identifier: Apache-2.0
"""A node whose state is not that of the others: it is noticed, stops serving and says so,
takes nobody along, and comes back with an empty folder."""
import json

import pytest

from lib.cluster import Cluster, Node, free_ports
from lib.load import task_body
from lib.store import Segment, log_holds
from lib.wait import wait_until

EVERY = 1000  # entries: raft/digest_watch.h

SETTINGS = {"cluster": {"replace_after": "600ms"}}


@pytest.fixture
def astray(tmp_path):
    """Three nodes, one of which holds another description of the task `one`, in a log whose
    checksums are all right. `three.stray` is that one; it follows."""
    with Cluster(tmp_path, 3, SETTINGS) as three:
        three.start()
        three.wait_ready()
        leader = three.leader()
        three.stray = three.followers()[0]
        answer = leader.call("POST", "/v1/tasks", task_body("one", "the truth"))
        assert answer.status == 201, answer
        three.settled()
        wait_until("its log has it", lambda: log_holds(three.stray, b"the truth"))
        three.stray.kill()
        Segment(three.stray).exchange(b"the truth", b"the false")
        three.stray.start()
        three.wait_ready()
        assert three.stray.tasks()["one"]["description"] == "the false"
        yield three


def write_past_a_comparison(three, among):
    """Entries until the next multiple of EVERY is behind; whoever leads takes them."""
    leader = three.leader(among)
    end = (leader.cluster()["node"]["applied"] // EVERY + 1) * EVERY + 1
    number = 0
    while leader.cluster()["node"]["applied"] < end:
        for _ in range(50):
            number += 1
            body = {"enabled": number % 2 == 0}
            answer = leader.call("PATCH", "/v1/tasks/one", body)
            if answer.status != 200:  # it learns that it is the one
                leader = three.leader(among)


def unfit(node):
    return node.cluster()["node"].get("unfit", "")


def test_a_follower_that_differs_serves_nothing_until_it_begins_anew(astray):
    stray = astray.stray
    rest = [node for node in astray.nodes if node is not stray]
    write_past_a_comparison(astray, rest)
    wait_until("it is noticed", lambda: unfit(stray))
    assert "differs from that of a majority" in stray.log()
    for path in ("/v1/health", "/v1/health/ready", "/v1/tasks", "/v1/events", "/v1/status",
                 "/v1/snapshot", "/v1/tasks/one?consistent"):
        answer = stray.call("GET", path)
        assert answer.status == 503, (path, answer)
    assert "differs" in stray.call("GET", "/v1/health/ready").json["error"]["message"]
    for node in rest:
        wait_until(f"{node.name} knows which one", lambda: [
            member["name"] for member in node.cluster()["members"]
            if member.get("differs")] == [stray.name])
        assert node.ready() and not unfit(node)
    # what is in its log is found again after a restart, without any new entry
    stray.kill()
    stray.start()
    wait_until("it is noticed again", lambda: unfit(stray))
    # it still votes: of three, another one may die
    leader = astray.leader(rest)
    leader.kill()
    new = astray.leader([node for node in rest if node is not leader])
    assert new.call("POST", "/v1/tasks", task_body("two", "")).status == 201
    leader.start()
    # the way back
    stray.kill()
    stray.wipe()
    stray.start()
    wait_until("it is back", lambda: stray.ready() and not unfit(stray))
    assert astray.settled()["one"]["description"] == "the truth"


def test_a_leader_that_differs_gives_the_lead_away(astray):
    stray = astray.stray
    rest = [node for node in astray.nodes if node is not stray]
    answer = astray.leader().call("POST", "/v1/cluster/transfer", {"to": stray.name})
    assert answer.status == 200, answer
    assert astray.leader() is stray
    write_past_a_comparison(astray, astray.nodes)
    wait_until("it is noticed", lambda: unfit(stray))
    leader = astray.leader(rest)
    assert leader.call("POST", "/v1/tasks", task_body("two", "")).status == 201
    assert stray.call("GET", "/v1/tasks").status == 503
    answer = leader.call("POST", "/v1/cluster/transfer", {"to": stray.name})
    assert answer.status == 409 and "differs" in answer.json["error"]["message"], answer


def test_a_standby_that_differs_gets_no_vote(tmp_path):
    with Cluster(tmp_path, 3, SETTINGS) as four:
        four.start()
        four.wait_ready()
        answer = four.leader().call("POST", "/v1/tasks", task_body("one", "the truth"))
        assert answer.status == 201, answer
        peers = [json.loads((node.folder / "config.json").read_text())["listen"]["peer"]
                 for node in four.nodes]
        address, nobody = (f"127.0.0.1:{port}" for port in free_ports(2))
        founders, n4 = list(four.nodes), Node(tmp_path / "n4", "n4", address,
                                              [*peers, nobody], SETTINGS)
        four.nodes.append(n4)
        n4.start()
        wait_until("n4 is a standby and has it", lambda: n4.ready() and "one" in n4.tasks())
        wait_until("its log has it", lambda: log_holds(n4, b"the truth"))
        n4.kill()
        Segment(n4).exchange(b"the truth", b"the false")
        n4.start()
        wait_until("n4 is ready", n4.ready)
        write_past_a_comparison(four, founders)
        wait_until("it is noticed", lambda: unfit(n4))
        leader = four.leader(founders)
        wait_until("the leader knows", lambda: any(
            member.get("differs") for member in leader.cluster()["members"]))
        answer = leader.call("POST", "/v1/cluster/members", {"name": "n4"})
        assert answer.status == 409 and "differs" in answer.json["error"]["message"], answer
