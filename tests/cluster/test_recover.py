# SPDX-License-Identifier: Apache-2.0
"""A majority is lost for good, or every node stops at the same entry: one folder becomes a
new cluster, which the others join with empty ones."""
import re

import pytest

from lib.cli import muster
from lib.load import Load, task_body
from lib.runs import Witness, ended, events, node_of, settings, successor
from lib.store import Segment, log_holds, flip
from lib.wait import wait_until

EPOCH = 2**32


@pytest.fixture
def dev_with_a_run(dev, tmp_path):
    """A node alone, a witness whose run is alive there, and that run's number."""
    wait_until("it leads", dev.leads)
    witness = Witness(tmp_path)
    settings(dev, run_lease_ms=30000, run_grace_ms=500)
    witness.create(dev)
    run = witness.run(dev)
    witness.begun(run)
    yield dev, witness, run
    witness.end()
    wait_until("no program is left", lambda: not witness.alive())


def recover(node, *more):
    return muster("cluster", "recover", "--config", node.folder / "config.json", *more)


def last_entry(node):
    """(term, index), as the dry run prints it for the operator to compare."""
    found = recover(node, "--dry-run")
    assert found.returncode == 0, found.stderr
    index, term = re.search(r"last entry: index (\d+) of term (\d+)", found.stdout).groups()
    return int(term), int(index)


def entries(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "LOCK"}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_of_three_folders_are_lost_and_the_third_goes_on(three):
    with Load(three, 4) as load:
        wait_until("much is written", lambda: load.acknowledged > 200)
        for node in three.nodes:
            node.kill()
        # the load ends with the cluster: what it was promised is on a majority's disks
    ahead = max(three.nodes, key=last_entry)
    rest = [node for node in three.nodes if node is not ahead]
    old_folder = entries(ahead.data / "raft")
    before = recover(ahead, "--dry-run").stdout
    assert "nothing was written" in before and "does not answer" in before
    assert names(ahead.data) == ["raft", "runs", "work"]
    assert entries(ahead.data / "raft") == old_folder
    last = int(re.search(r"events +\d+, \d+ to (\d+)", before).group(1))
    cluster = re.search(r"of cluster (\d+)", before).group(1)

    found = recover(ahead)
    assert found.returncode == 0, found.stderr
    assert f"its events go on with {last + 1 + EPOCH}" in found.stdout
    kept = ahead.data / f"raft.old-{cluster}"
    assert f"is kept as {kept}" in found.stdout
    assert entries(kept) == old_folder
    assert names(ahead.data) == ["raft", kept.name, "runs", "work"]

    for node in rest:
        node.wipe()
    three.start()
    wait_until("all of them vote", lambda: [
        row["role"] for row in three.leader().cluster()["members"]] == ["voter"] * 3)
    load.check(three.settled())
    assert ahead.cluster()["cluster_id"] != cluster
    for node in three.nodes:
        told = node.call("GET", f"/v1/events?after={last}&limit=1").json
        assert told["first"] == last + 1 + EPOCH
        assert told["events"][0]["type"] == "cluster.recovered"
        assert told["events"][0]["data"] == {"after": last}
    three.leader().kill()  # it is a cluster like any other
    alive = [node for node in three.nodes if node.running()]
    answer = three.leader(alive).call("POST", "/v1/tasks", task_body("after", ""))
    assert answer.status == 201 and int(answer.headers["X-Muster-Index"]) > last + EPOCH
    three.start()
    three.settled()


def test_a_run_that_is_alive_somewhere_is_over_before_the_next_one_begins(three, tmp_path):
    witness = Witness(tmp_path)
    leader = three.leader()
    settings(leader, run_lease_ms=6000, run_grace_ms=500)
    witness.create(leader)
    run = witness.run(leader)
    witness.begun(run)
    three.settled()
    node = node_of(three, run)
    for each in three.nodes:
        each.kill()
    assert witness.alive()  # its supervisor knows of nothing
    left = max((each for each in three.nodes if each is not node), key=last_entry)
    found = recover(left)
    assert found.returncode == 0, found.stderr
    assert "runs that may still be alive" in found.stdout
    left.start()
    wait_until("it leads", left.leads)
    answer = left.call("POST", f"/v1/tasks/{witness.name}/run")
    assert answer.status == 409, answer
    assert "runs begin in" in answer.json["error"]["message"], answer
    assert ended(three, run, [left])["outcome"] == "lost"
    after = successor(three, run, [left])
    witness.begun(after)
    assert after > run + EPOCH and witness.numbers() == [run, after]
    assert events(left, "run.placed")[-1]["cause"] == "failover"
    witness.end()
    assert ended(three, after, [left])["outcome"] == "success"
    witness.check()


def test_its_own_run_that_is_alive_is_stopped_by_the_recovered_node(dev_with_a_run):
    dev, witness, run = dev_with_a_run
    dev.kill()
    assert recover(dev).returncode == 0
    assert witness.alive()
    dev.start()
    wait_until("it is killed",
               lambda: f"run {run} was claimed by another node" in dev.log())
    wait_until("nothing of it is left", lambda: not witness.alive())
    end, = events(dev, "run.ended")  # of the recovery: its node is another one now
    assert (end["run"], end["outcome"]) == (run, "lost")
    assert witness.numbers() == [run] and not events(dev, "run.placed")


def test_it_refuses_while_a_majority_runs_and_changes_nothing(three):
    leader = three.leader()
    assert leader.call("POST", "/v1/tasks", task_body("one", "")).status == 201
    three.settled()
    node = three.followers()[0]
    found = recover(node)
    assert found.returncode == 1 and "another process holds" in found.stderr, found.stderr
    node.kill()
    before = entries(node.data / "raft")
    for more in ([], ["--dry-run"]):
        found = recover(node, *more)
        assert found.returncode == 1, found.stdout
        assert "2 of 3 voters of this cluster run" in found.stderr
        assert "knows a leader" in found.stdout
    assert entries(node.data / "raft") == before
    # with one that runs, it is the operator's to say that the others are lost
    other = three.leader([peer for peer in three.nodes if peer is not node])
    other.kill()
    alive = next(peer for peer in three.nodes if peer.running())
    wait_until("it knows no leader", lambda: alive.cluster()["leader"] is None)
    found = recover(node, "--dry-run")
    assert found.returncode == 0, found.stderr
    assert re.search(rf"voter {alive.name} .*: runs: .* entries known as committed \d+",
                     found.stdout)
    node.start()
    other.start()
    three.settled()


def test_an_entry_that_no_node_can_apply_is_left_out(three):
    leader = three.leader()
    for name in ("first", "badname"):
        assert leader.call("POST", "/v1/tasks", task_body(name, "")).status == 201
    three.settled()
    for node in three.nodes:
        wait_until(f"{node.name}'s log has it", lambda: log_holds(node, b"badname"))
        node.kill()
    for node in three.nodes:
        Segment(node).exchange(b"badname", b"bad\0ame")  # as a bug would have written it
    for node in three.nodes:
        node.launch()
    wait_until("all but one at the most stop at it", lambda: sum(
        node.running() for node in three.nodes) < 2)  # one alone does not know it committed
    one = next(node for node in three.nodes if not node.running())
    assert one.process.returncode == 1
    for node in three.nodes:
        node.kill()
    index = re.search(r"entry (\d+) of term", one.log()).group(1)
    found = recover(one)
    assert found.returncode == 1 and f"entry {index} of term" in found.stderr
    assert "1 commands of" in found.stderr
    for wrong, words in ((str(int(index) - 1), "only what cannot is left out"),
                         ("99999", "there is no entry 99999")):
        found = recover(one, "--skip-entry", wrong)
        assert found.returncode == 1 and words in found.stderr, found.stderr
    found = recover(one, "--skip-entry", index)
    assert found.returncode == 0, found.stderr
    assert f"left out: entry {index} of term" in found.stdout
    for node in three.nodes:
        if node is not one:
            node.wipe()
    three.start()
    assert set(three.settled()) == {"first"}


def test_what_cannot_be_recovered_is_said(three, tmp_path):
    node = three.nodes[0]
    for arguments in ([], ["--config"], ["--config", node.folder / "config.json", "more"],
                      ["--config", node.folder / "config.json", "--skip-entry", "x"]):
        assert muster("cluster", "recover", *arguments).returncode == 2, arguments
    assert muster("cluster", "recover", "--config", tmp_path / "none").returncode == 3
    assert muster("cluster", "recover", "--help").returncode == 0
    for each in three.nodes:
        each.kill()
    segment = Segment(node)
    flip(segment.path, segment.frames[segment.last] + 100)
    found = recover(node)
    assert found.returncode == 1 and "damaged" in found.stderr, found.stderr
    node.wipe()
    found = recover(node)
    assert found.returncode == 1 and "no node has run in this folder" in found.stderr
    assert not node.data.exists()
