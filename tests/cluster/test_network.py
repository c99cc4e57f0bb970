# SPDX-License-Identifier: Apache-2.0
"""Three nodes in networks of their own, and links between them that are cut, in one
direction or both: who cannot lead writes nothing, and nothing acknowledged is lost."""
import itertools
import os
import random

import pytest

from lib.load import Load, task_body
from lib.network import Network, Separate, Unavailable
from lib.runs import Witness, ended, node_of, shorten, successor
from lib.wait import wait_until

STEPS = 40 if os.environ.get("MUSTER_TEST_FULL") else 5
SEED = int(os.environ.get("MUSTER_TEST_SEED", random.randrange(1 << 32)))


@pytest.fixture
def separate(tmp_path):
    try:
        network = Network(3).__enter__()
    except Unavailable as reason:
        pytest.skip(f"needs network namespaces and iptables: {reason}")
    try:
        with Separate(tmp_path, network) as three:
            three.start()
            three.wait_ready()
            yield three
            network.heal()
    finally:
        network.__exit__(None, None, None)


def others(cluster, node):
    return [other for other in cluster.nodes if other is not node]


def test_a_leader_that_is_cut_off_acknowledges_nothing_and_comes_back(separate):
    with Load(separate, writers=4) as load:
        load.goes_on()
        cut_off = separate.leader()
        separate.network.isolate(cut_off.number)
        separate.leader(among=others(separate, cut_off))
        load.goes_on()
        wait_until("it leads no more", lambda: not cut_off.leads())
        answer = cut_off.call("POST", "/v1/tasks", task_body("lost", ""))
        assert answer.status == 400, answer
        assert cut_off.call("GET", "/v1/health/ready").status == 503
        separate.network.heal()
        separate.wait_ready()
        load.goes_on()
    tasks = separate.settled()
    load.check(tasks)


@pytest.mark.parametrize("hears", [True, False])
def test_a_leader_that_only_hears_or_only_speaks_is_replaced(separate, hears):
    with Load(separate, writers=4) as load:
        load.goes_on()
        half = separate.leader()
        for other in others(separate, half):
            if hears:
                separate.network.cut(half.number, other.number)
            else:
                separate.network.cut(other.number, half.number)
        separate.leader(among=others(separate, half))
        load.goes_on()
        separate.network.heal()
        separate.wait_ready()
        load.goes_on()
    load.check(separate.settled())


def test_a_link_between_two_of_three_is_cut_and_the_leader_that_both_can_reach_stays(
        separate):
    """The one that hears nothing of the leader must not depose it again and again."""
    with Load(separate, writers=4) as load:
        load.goes_on()
        leader = separate.leader()
        deaf, other = others(separate, leader)
        separate.network.cut_both(leader.number, deaf.number)
        wait_until("one has noticed", lambda: not deaf.ready())
        term = leader.cluster()["node"]["term"]
        load.goes_on(300)
        assert leader.leads()
        assert leader.cluster()["node"]["term"] == term
        separate.network.heal()
        separate.wait_ready()
        load.goes_on()
    load.check(separate.settled())


@pytest.mark.parametrize("seed", [SEED])
def test_links_are_cut_in_any_way_and_nothing_acknowledged_is_lost(separate, seed):
    print(f"MUSTER_TEST_SEED={seed}")
    chance = random.Random(seed)
    links = list(itertools.permutations((1, 2, 3), 2))
    with Load(separate, writers=5, seed=seed) as load:
        for step in range(STEPS):
            for link in chance.sample(links, chance.randrange(1, 6)):
                separate.network.cut(*link)
            print(step, sorted(separate.network.cuts), load.acknowledged)
            if chance.random() < 0.3:
                victim = chance.choice(separate.nodes)
                victim.kill()
                victim.start()
            before = load.acknowledged
            try:  # who cannot be reached by two others cannot write; both are fine
                wait_until("some writes", lambda: load.acknowledged > before + 20,
                           deadline=chance.random() * 2.5)
            except AssertionError:
                pass
            separate.network.heal()
            load.goes_on(10)
    load.check(separate.settled())


def test_the_run_of_a_leader_that_is_cut_off_is_over_before_its_successor_begins(
        separate, tmp_path):
    witness = Witness(tmp_path)
    shorten(separate.leader())
    witness.create(separate.leader())
    run = witness.run(separate.leader())
    witness.begun(run)
    node = node_of(separate, run)
    if not node.leads():
        separate.leader().call("POST", "/v1/cluster/transfer", {"to": node.name})
        wait_until(f"{node.name} leads", node.leads)
    separate.network.isolate(node.number)
    left = others(separate, node)
    assert ended(separate, run, left)["outcome"] == "lost"
    after = successor(separate, run, left)
    witness.begun(after)
    assert node_of(separate, after, left) is not node
    separate.network.heal()
    separate.wait_ready()
    assert witness.alive()
    witness.end()
    assert ended(separate, after)["outcome"] == "success"
    assert witness.numbers() == [run, after]
    witness.check()
