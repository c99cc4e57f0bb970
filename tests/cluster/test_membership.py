# SPDX-License-Identifier: Apache-2.0
"""Members come and go: wiped nodes, old folders, newcomers, removed ones, leaders that
give the lead away."""
import json
import pathlib
import shutil

import pytest

from lib.cluster import QUICK, Node, free_ports
from lib.load import Load, churn, task_body
from lib.store import raise_term
from lib.wait import wait_until


def create(node, name):
    answer = node.call("POST", "/v1/tasks", task_body(name, name))
    assert answer.status == 201, answer


def members(node):
    """name: role, as this node knows."""
    return {member["name"]: member["role"] for member in node.cluster()["members"]}


def voters(node):
    return sorted(name for name, role in members(node).items() if role == "voter")


def node_id(node):
    return node.cluster()["node"]["id"]


def newcomer(cluster, tmp_path, name):
    """A node with an empty folder whose peers are the cluster's nodes."""
    peers = [json.loads((node.folder / "config.json").read_text())["listen"]["peer"]
             for node in cluster.nodes]
    address, nobody = (f"127.0.0.1:{port}" for port in free_ports(2))
    if len(peers) % 2:
        peers = peers + [nobody]  # `expect` counts them; it is for forming only
    node = Node(pathlib.Path(tmp_path) / name, name, address, peers, QUICK)
    cluster.nodes.append(node)
    return node


def change(cluster, method, path, body=None):
    """Ask whoever leads, as a client that follows the leader."""
    def ask():
        answer = cluster.leader().call(method, path, body)
        if answer.status == 400 and "X-Muster-Not-Leader" in answer.headers:
            return None
        return answer
    answer = wait_until(f"{method} {path} is decided", ask)
    assert answer.status == 200, answer
    return answer.json


def test_a_wiped_node_comes_back_as_another_and_nothing_is_lost(three):
    """A and B acknowledge, B is wiped, A dies: C and the new B must have it."""
    leader = three.leader()
    wiped, other = three.followers()
    create(leader, "before")
    other.pause()
    create(leader, "acknowledged")  # by the leader and the one that is wiped next
    old_id = node_id(wiped)
    wiped.kill()
    wiped.wipe()
    other.resume()
    wiped.start()
    wait_until("it votes again, as all know", lambda: wiped.ready() and all(
        voters(node) == ["n1", "n2", "n3"] for node in three.nodes))
    assert node_id(wiped) != old_id
    leader.kill()
    rest = [wiped, other]
    wait_until("one of the two leads", lambda: three.leader(rest))
    for node in rest:
        wait_until(f"{node.name} has both",
                   lambda: set(node.tasks()) == {"before", "acknowledged"})
    leader.start()
    assert set(three.settled()) == {"before", "acknowledged"}


def test_a_wiped_node_does_not_vote_away_what_it_acknowledged(three):
    """The same, but A dies at once: B is blank, C lags, and nobody may lead."""
    leader = three.leader()
    wiped, other = three.followers()
    other.pause()
    create(leader, "acknowledged")
    wiped.kill()
    wiped.wipe()
    leader.kill()
    other.resume()
    wiped.start()
    wait_until("it sees that it is no member",
               lambda: "is not a member" in wiped.cluster().get("reason", ""))
    wait_until("the other looks for a leader", lambda: other.cluster()["leader"] is None)
    assert other.call("GET", "/v1/health/ready").status == 503
    reason = wait_until("it says why", lambda: other.cluster().get("reason"))
    assert "2 of 3 voters unreachable" in reason
    leader.start()
    assert set(three.settled()) == {"acknowledged"}
    wait_until("all vote", lambda: voters(three.leader()) == ["n1", "n2", "n3"])


def test_a_wiped_node_gets_a_snapshot_and_catches_up_under_load(three):
    leader = three.leader()
    wiped = three.followers()[0]
    churn(leader, 80)  # until the log is cut behind a snapshot
    with Load(three, writers=3, seed=2) as load:
        wiped.kill()
        wiped.wipe()
        load.goes_on(20)
        wiped.start()
        wait_until("it votes again", lambda: wiped.ready() and all(
            voters(node) == ["n1", "n2", "n3"] for node in three.nodes))
        load.goes_on(20)
    assert "is installed" in wiped.log()
    load.check(three.settled())


STEPS = {  # of a replacement, as the leader's member list shows them
    "it is removed": lambda leader, name: name not in members(leader),
    "it is a standby": lambda leader, name: members(leader).get(name) == "standby",
    "it votes": lambda leader, name: members(leader).get(name) == "voter",
}


@pytest.mark.parametrize("step", STEPS)
def test_a_leader_killed_in_the_middle_of_a_replacement(three, step):
    """Also that of the newcomer, at the same moment: both find their way back."""
    leader = three.leader()
    wiped = three.followers()[0]
    old = node_id(wiped)
    with Load(three, writers=3, seed=3) as load:
        wiped.kill()
        wiped.wipe()
        wiped.start()
        wait_until("the old one is missed", lambda: not all(
            member["reachable"] for member in leader.cluster()["members"])
            or old not in {member["id"] for member in leader.cluster()["members"]})
        wait_until(step, lambda: STEPS[step](leader, wiped.name)
                   or (voters(leader) == ["n1", "n2", "n3"] and wiped.ready()))
        leader.kill()
        wiped.kill()
        leader.start()
        wiped.start()
        wait_until("all vote", lambda: wiped.ready() and node_id(wiped) != old and all(
            voters(node) == ["n1", "n2", "n3"] for node in three.nodes))
        load.goes_on(20)
    load.check(three.settled())


def test_a_folder_that_was_put_back_is_refused(three):
    leader = three.leader()
    node = three.followers()[0]
    create(leader, "early")
    node.stop()
    copy = node.folder / "copy"
    shutil.copytree(node.data, copy)
    node.start()
    for n in range(20):
        create(leader, f"late{n}")
    three.settled()
    wait_until("what it acknowledged is known", lambda: node.index() == leader.index())
    node.kill()
    node.wipe()
    shutil.copytree(copy, node.data)
    code, said = node.start_fails()
    assert code != 0
    assert "remove this folder" in said
    node.wipe()
    node.start()
    assert len(three.settled()) == 21


def test_a_name_that_is_held_is_not_given_away(three, tmp_path):
    double = newcomer(three, tmp_path, "n4")
    config = json.loads((double.folder / "config.json").read_text())
    config["node"]["name"] = "n1"
    (double.folder / "config.json").write_text(json.dumps(config))
    double.start()
    wait_until("it is told", lambda: "name n1 is held by member" in
               double.cluster().get("reason", ""))
    assert voters(three.leader(three.nodes[:3])) == ["n1", "n2", "n3"]
    double.stop()
    three.nodes.remove(double)


def test_three_become_five_and_three_again_under_load(three, tmp_path):
    with Load(three, writers=4, seed=1) as load:
        for name in ("n4", "n5"):
            node = newcomer(three, tmp_path, name)
            node.start()
            wait_until(f"{name} is a standby",
                       lambda: members(three.leader()).get(name) == "standby")
            assert change(three, "POST", "/v1/cluster/members", {"name": name})["leader"]
            assert members(three.leader())[name] == "voter"
        assert voters(three.leader()) == ["n1", "n2", "n3", "n4", "n5"]
        for name in ("n1", "n2"):
            change(three, "DELETE", f"/v1/cluster/members/{name}")
            gone = next(node for node in three.nodes if node.name == name)
            wait_until(f"{name} knows", lambda: gone.cluster()["node"]["role"] == "removed")
            assert gone.call("GET", "/v1/health/ready").status == 503
            gone.stop()
            three.nodes.remove(gone)
            load.goes_on(20)
        assert voters(three.leader()) == ["n3", "n4", "n5"]
    load.check(three.settled())


def test_a_removed_node_of_a_newer_term_learns_of_it(three):
    """It had campaigned before it went; no leader of its cluster reaches that term."""
    leader = three.leader()
    gone = three.followers()[0]
    create(leader, "one")
    gone.kill()
    raise_term(gone, 1000)
    wait_until("it is missed", lambda: not all(
        member["reachable"] for member in leader.cluster()["members"]))
    change(three, "DELETE", f"/v1/cluster/members/{gone.name}")
    gone.start()
    wait_until("it knows", lambda: gone.cluster()["node"]["role"] == "removed")
    assert gone.call("GET", "/v1/health/ready").status == 503
    assert leader.leads() and leader.cluster()["node"]["term"] < 1000
    gone.stop()
    three.nodes.remove(gone)


def test_a_newcomer_removed_while_it_was_down_learns_of_it(three, tmp_path):
    """Nobody has its address in its configuration: it is the one that dials."""
    founders = list(three.nodes)
    node = newcomer(three, tmp_path, "n4")
    node.start()
    wait_until("n4 is a standby",
               lambda: members(three.leader(founders)).get("n4") == "standby")
    wait_until("n4 is ready", node.ready)
    node.kill()
    three.nodes.remove(node)
    change(three, "DELETE", "/v1/cluster/members/n4")
    node.start()
    wait_until("n4 knows", lambda: node.cluster()["node"]["role"] == "removed")
    node.stop()


def test_the_lead_is_given_away_on_request_and_on_sigterm(three):
    leader = three.leader()
    target = three.followers()[0]
    answer = leader.call("POST", "/v1/cluster/transfer", {"to": target.name})
    assert answer.status == 200, answer
    assert answer.json["leader"]["id"] == target.name
    assert three.leader() is target
    create(target, "one")
    term = target.cluster()["node"]["term"]
    target.stop()
    rest = [node for node in three.nodes if node is not target]
    new = three.leader(rest)
    create(new, "two")
    assert new.cluster()["node"]["term"] == term + 1
    assert "the lead is not given away" not in target.log()
    target.start()
    assert set(three.settled()) == {"one", "two"}


def test_a_lead_that_is_given_away_at_once_arrives(three):
    """A new leader still proposes the member rows, and who is to lead lacks the last."""
    for _ in range(15):
        leader = three.leader()
        target = next(node for node in three.nodes if node is not leader)
        answer = leader.call("POST", "/v1/cluster/transfer", {"to": target.name})
        assert answer.status == 200, answer
        assert answer.json["leader"]["id"] == target.name


def test_what_cannot_be_changed_is_said(three):
    leader = three.leader()
    follower = three.followers()[0]
    for method, path, body in (("POST", "/v1/cluster/transfer", {}),
                               ("POST", "/v1/cluster/members", {"name": "n9"}),
                               ("DELETE", "/v1/cluster/members/n1", None)):
        answer = follower.call(method, path, body)
        assert answer.status == 400 and answer.headers["X-Muster-Not-Leader"] == "true"
    rows = (
        ("POST", "/v1/cluster/transfer", {"to": leader.name}, 409, "leads already"),
        ("POST", "/v1/cluster/transfer", {"to": "n9"}, 404, "no member 'n9'"),
        ("POST", "/v1/cluster/transfer", {"to": 1}, 400, "must be an object like"),
        ("POST", "/v1/cluster/transfer", {"too": "n1"}, 400, "must be an object like"),
        ("POST", "/v1/cluster/members", {}, 400, "must be an object like"),
        ("POST", "/v1/cluster/members", {"name": "n9"}, 404, "has asked to join"),
        ("DELETE", "/v1/cluster/members/n9", None, 404, "no member 'n9'"),
    )
    for method, path, body, status, text in rows:
        answer = leader.call(method, path, body)
        assert answer.status == status and text in answer.json["error"]["message"], answer
    dead = three.followers()[1]
    dead.kill()
    wait_until("it is missed", lambda: not all(
        member["reachable"] for member in leader.cluster()["members"]))
    answer = leader.call("DELETE", f"/v1/cluster/members/{follower.name}")
    assert answer.status == 409 and "no majority" in answer.json["error"]["message"]
    dead.start()
