# SPDX-License-Identifier: Apache-2.0
"""Whatever comes, in an order from a seed: at most one node is away at a time, sometimes
all of them are killed."""
import os
import random

import pytest

from lib.load import Load

STEPS = 60 if os.environ.get("MUSTER_TEST_FULL") else 12
SEED = int(os.environ.get("MUSTER_TEST_SEED", random.randrange(1 << 32)))


def freeze(cluster, node, load, chance):
    node.pause()
    load.goes_on(chance.randrange(1, 20))
    node.resume()


def kill(cluster, node, load, chance):
    node.kill()
    load.goes_on(chance.randrange(1, 20))
    node.start()


def blink(cluster, node, load, chance):
    node.kill()
    node.start()


def restart(cluster, node, load, chance):
    node.restart()


def kill_all(cluster, node, load, chance):
    for each in chance.sample(cluster.nodes, len(cluster.nodes)):
        each.kill()
    cluster.start()


def freeze_twice(cluster, node, load, chance):
    other = chance.choice([n for n in cluster.nodes if n is not node])
    node.pause()
    other.pause()
    chance.choice([node, other]).resume()
    load.goes_on(1)
    node.resume()
    other.resume()


@pytest.mark.parametrize("seed", [SEED])
def test_whatever_comes_nothing_acknowledged_is_lost(cluster, seed):
    print(f"MUSTER_TEST_SEED={seed}")
    chance = random.Random(seed)
    with Load(cluster, writers=5, seed=seed) as load:
        for step in range(STEPS):
            load.goes_on(chance.randrange(1, 30))
            deed = chance.choices([freeze, kill, blink, restart, kill_all, freeze_twice],
                                  [3, 3, 3, 1, 1, 2])[0]
            leads = [n for n in cluster.nodes if n.leads()]
            victim = leads[0] if leads and chance.random() < 0.6 \
                else chance.choice(cluster.nodes)
            print(step, deed.__name__, victim.name, load.acknowledged)
            deed(cluster, victim, load, chance)
            cluster.wait_ready()
        load.goes_on()
    load.check(cluster.settled())
