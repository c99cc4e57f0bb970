# SPDX-License-Identifier: Apache-2.0
"""At most one live run of a task and no run forgotten, whatever befalls nodes and leader:
a program that holds a lock while it lives is the witness."""
import contextlib
import os
import signal

import pytest

from lib.driver import parent, processes_with, wait_gone
from lib.runs import Toucher, Witness, ended, events, node_of, settings, shorten, successor
from lib.wait import wait_until


@pytest.fixture
def witness(tmp_path):
    """It is held to its word at the end, and its last program ends."""
    made = Witness(tmp_path)
    yield made
    made.check()
    made.end()
    wait_until("no program is left", lambda: not made.alive())


def others(cluster, node):
    return [other for other in cluster.nodes if other is not node]


def lead(cluster, node):
    """Have that node lead."""
    if not node.leads():
        answer = cluster.leader().call("POST", "/v1/cluster/transfer", {"to": node.name})
        assert answer.status == 200, answer
    wait_until(f"{node.name} leads", node.leads)


def started(cluster, witness):
    """A run that has begun, as all know; its number and its node."""
    leader = cluster.leader()
    witness.create(leader)
    run = witness.run(leader)
    witness.begun(run)
    wait_until("the leader knows that it has begun", lambda: run in [
        data["run"] for data in events(cluster.leader(), "run.started")])
    return run, node_of(cluster, run)


def once(cluster, run):
    """Exactly one end, on every node."""
    cluster.settled()
    for node in cluster.nodes:
        assert [data["run"] for data in events(node, "run.ended")].count(run) == 1


@pytest.mark.sanitized
def test_a_run_outlives_the_end_of_its_node_and_is_adopted(dev, tmp_path, witness):
    wait_until("it leads", dev.leads)
    witness.create(dev)
    run = witness.run(dev)
    witness.begun(run)
    dev.restart()
    assert witness.alive() and witness.numbers() == [run]
    wait_until("it leads", dev.leads)
    wait_until("it was adopted", lambda: f"run {run} of an earlier start" in dev.log())
    dev.kill()
    dev.start()
    assert witness.alive()
    witness.end(3)
    wait_until("it has ended", lambda: events(dev, "run.ended"))
    end, = events(dev, "run.ended")
    assert end["outcome"] == "failed" and end["exit_code"] == 3
    assert witness.numbers()[0] == run


@pytest.mark.sanitized
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_run_goes_on_when_its_node_is_killed_and_comes_back(three, witness, role):
    run, node = started(three, witness)
    lead(three, node if role == "leader" else others(three, node)[0])
    node.kill()
    node.start()
    three.wait_ready()
    assert witness.alive()
    witness.end()
    assert ended(three, run)["outcome"] == "success"
    assert witness.numbers() == [run]
    once(three, run)


def test_a_run_lives_as_long_as_its_lease_is_renewed(three, witness):
    shorten(three.leader())
    run, node = started(three, witness)
    lead(three, others(three, node)[0])
    wait_until("it has outlived its first lease", lambda: witness.age() > 3)
    settings(three.leader(), run_lease_ms=60000)  # of runs to come: it goes on with its own
    wait_until("and several more", lambda: witness.age() > 7)
    witness.end()
    assert ended(three, run)["outcome"] == "success"
    assert witness.numbers() == [run]


def test_the_runs_of_a_node_that_stays_away_are_lost_and_run_again(three, witness):
    shorten(three.leader())
    run, node = started(three, witness)
    lead(three, others(three, node)[0])
    node.kill()
    left = others(three, node)
    end = ended(three, run, left)
    assert end["outcome"] == "lost" and node.name in end["error"]["message"]
    after = successor(three, run, left)
    witness.begun(after)
    assert node_of(three, after, left) is not node
    node.start()
    three.wait_ready()
    witness.end()
    assert ended(three, after)["outcome"] == "success"
    assert witness.numbers() == [run, after]
    once(three, run)


def test_a_frozen_node_has_its_run_stopped_by_the_deadline(three, witness):
    shorten(three.leader())
    run, node = started(three, witness)
    left = others(three, node)
    lead(three, left[0])
    node.pause()
    wait_until("its supervisor has stopped it", lambda: not witness.alive())
    assert ended(three, run, left)["outcome"] == "lost"
    after = successor(three, run, left)
    witness.begun(after)
    node.resume()
    three.wait_ready()
    assert witness.alive()
    witness.end()
    assert ended(three, after)["outcome"] == "success"
    assert witness.numbers() == [run, after]
    once(three, run)


def test_what_wakes_too_late_is_refused_by_what_it_touches(three, tmp_path):
    """Outside of the promise: all that could stop a run is frozen for longer than its lease
    and grace, and its program is the first to wake."""
    toucher = Toucher(tmp_path)
    shorten(three.leader())
    run, node = started(three, toucher)
    left = others(three, node)
    lead(three, left[0])
    program, = processes_with(f"MUSTER_FENCE={run}\0")
    record = (node.data / "runs" / str(run) / "record").read_bytes()
    supervisor = int.from_bytes(record[8:16], "little")
    frozen = [parent(supervisor), supervisor, program]
    try:
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        node.pause()
        assert ended(three, run, left)["outcome"] == "lost"
        after = successor(three, run, left)
        toucher.begun(after)
        assert toucher.refused() is None
        os.kill(program, signal.SIGCONT)
        assert wait_until("it is refused", toucher.refused) == run
    finally:
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        node.resume()
    wait_gone(program, supervisor)
    three.wait_ready()
    toucher.end()
    assert ended(three, after)["outcome"] == "success"
    assert toucher.numbers() == [run, after]
    once(three, run)


def test_a_run_is_reported_once_to_whoever_leads_then(three, witness):
    run, node = started(three, witness)
    leader = others(three, node)[0]
    lead(three, leader)
    leader.kill()
    left = others(three, leader)
    wait_until("another one leads", lambda: any(other.leads() for other in left))
    assert witness.alive()
    witness.end(1)
    end = ended(three, run, left)
    assert end["outcome"] == "failed" and end["exit_code"] == 1
    leader.start()
    three.wait_ready()
    assert witness.numbers() == [run]
    once(three, run)


def test_a_run_that_ends_while_nobody_leads_is_reported_later(three, witness):
    run, node = started(three, witness)
    left = others(three, node)
    for other in left:
        other.kill()
    witness.end(7)
    wait_until("its node knows", lambda: f"run {run} has ended" in node.log())
    for other in left:
        other.start()
    three.wait_ready()
    assert ended(three, run)["exit_code"] == 7
    once(three, run)


def test_without_a_majority_runs_end_by_their_deadline(three, witness):
    shorten(three.leader())
    run, node = started(three, witness)
    left = others(three, node)
    for other in left:
        other.kill()
    wait_until("it was stopped", lambda: not witness.alive())
    for other in left:
        other.start()
    three.wait_ready()
    assert ended(three, run)["outcome"] in ("lost", "cancelled")
    after = successor(three, run)
    witness.begun(after)
    witness.end()
    assert ended(three, after)["outcome"] == "success"
    assert witness.numbers() == [run, after]
    once(three, run)


def test_a_node_that_is_removed_kills_its_runs(three, witness):
    shorten(three.leader())
    run, node = started(three, witness)
    left = others(three, node)
    lead(three, left[0])
    answer = left[0].call("DELETE", f"/v1/cluster/members/{node.name}")
    assert answer.status == 200, answer
    wait_until("it kills it", lambda: f"run {run} is killed" in node.log())
    end = ended(three, run, left)
    assert end["outcome"] == "lost"
    assert end["error"]["message"].endswith("its node is no member of the cluster any more")
    after = successor(three, run, left)
    witness.begun(after)
    witness.end()
    assert ended(three, after, left)["outcome"] == "success"


def test_a_drain_moves_what_has_not_ended_by_its_deadline(three, witness):
    settings(three.leader(), drain_deadline_ms=500, run_grace_ms=500)
    run, node = started(three, witness)
    answer = three.leader().call("POST", "/v1/cluster/drain", {"node": node.name})
    assert answer.status == 200, answer
    assert ended(three, run)["outcome"] == "cancelled"
    after = successor(three, run)
    witness.begun(after)
    assert node_of(three, after) is not node
    witness.end()
    assert ended(three, after)["outcome"] == "success"
    assert witness.numbers() == [run, after]
