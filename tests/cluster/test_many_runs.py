# SPDX-License-Identifier: Apache-2.0
"""Many live runs at once: all begin, once, spread over the nodes; they outlive nodes that are
killed, and at the end nothing is left of them."""
import os
from collections import Counter

from lib.driver import processes_with
from lib.many import Crowd, runs
from lib.runs import settings
from lib.wait import PATIENCE, wait_until

FULL, SHORT = (os.environ.get(f"MUSTER_TEST_{word}") for word in ("FULL", "SHORT"))
COUNT = 1000 if FULL else 20 if SHORT else 60
LONG = PATIENCE + COUNT / 4  # a deadline for what is done once a run


def numbers(found):
    return {run["id"]: run["task"] for run in found}


def adopted(node, wanted):
    """It is back and its runs are what they were, by its own word and by their leader's."""
    wait_until(f"{node.name} is ready", node.ready)
    wait_until(f"{node.name} has applied all", lambda: numbers(
        runs(node, "state=running")) == wanted, LONG)


def test_many_live_runs(cluster, tmp_path):
    leader = cluster.leader()
    settings(leader, run_lease_ms=60000)  # how long a restart takes is not what is tested
    crowd = Crowd(tmp_path / "crowd")
    placed = crowd.run(leader, crowd.create(leader, COUNT))
    assert len(set(placed)) == COUNT
    live = crowd.live(leader, LONG)
    wanted = numbers(live)
    assert sorted(wanted) == sorted(placed)
    spread = Counter(run["node"] for run in live)
    # Those that are under way are not counted exactly, and for a moment a node may not answer.
    assert len(spread) == 3 and min(spread.values()) >= COUNT // 6, spread
    wait_until("all programs have begun", lambda: len(crowd.begun()) == COUNT, LONG)

    for node in (cluster.followers()[0], cluster.leader()):
        node.kill()
        node.start()
        cluster.wait_ready()
        adopted(node, wanted)
    assert dict(crowd.begun()) == wanted and len(crowd.begun()) == COUNT  # each once

    leader = cluster.leader()
    assert not runs(leader, "state=ended")
    crowd.cancel(leader, wanted)
    for node in cluster.nodes:
        wait_until(f"{node.name} knows that all have ended",
                   lambda node=node: len(runs(node, "state=ended")) == COUNT, LONG)
        ended = runs(node, "state=ended")
        assert {(run["outcome"], run["stop"]) for run in ended} == {("cancelled", "cancel")}
    wait_until("no program is left",
               lambda: not processes_with(f"MUSTER_MODULE={crowd.module}"), LONG)
    wait_until("no supervisor is left", lambda: not processes_with(
        f"muster\0supervise\0{tmp_path}/", of="cmdline"), LONG)
    assert len(crowd.begun()) == COUNT
