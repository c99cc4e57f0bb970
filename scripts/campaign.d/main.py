# SPDX-License-Identifier: Apache-2.0
"""The schedule of scripts/campaign, from one seed, and what it comes to."""
import argparse
import collections
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))

# pylint: disable=wrong-import-position
from broken import Broken  # noqa: E402
from faults import Links, Wipe  # noqa: E402
from kinds import CLASSES, KINDS, WEIGHTS  # noqa: E402
from world import World  # noqa: E402

AUDIT_EVERY = 12  # steps
STUCK_SECONDS = 240


class Step:
    """Up to three faults at once, from the seed and the step's number alone."""

    def __init__(self, seed, number, nodes, kinds):
        chance = random.Random(f"{seed}/{number}")
        classes = [CLASSES[kind] for kind in kinds]
        chosen = chance.choices(classes, [WEIGHTS[each] for each in classes],
                                k=chance.choices([1, 2, 3], [5, 4, 1])[0])
        self.faults = []
        for each in chosen:
            if each.alone or any(fault.alone for fault in self.faults):
                self.faults = self.faults or [each(chance, nodes)]
            elif not any(type(fault) is each or issubclass(each, Links) and
                         isinstance(fault, Links) for fault in self.faults):
                self.faults.append(each(chance, nodes))
        self.gaps = [chance.random() ** 3 for _ in self.faults]
        self.hold = max([chance.choice([0, 0.3, 1, 3, 8]) * chance.random(),
                         *(fault.linger for fault in self.faults)])
        self.ends = chance.sample(range(len(self.faults)), len(self.faults))
        self.settles = chance.random() < 0.5 or any(isinstance(fault, Wipe)
                                                    for fault in self.faults)


class Campaign:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.began = time.monotonic()
        self.moved = self.began
        self.counts = collections.Counter()
        self.world = World(folder, options.nodes, options.seed, self.say)
        self.over = threading.Event()

    def say(self, text):
        self.moved = time.monotonic()
        print(f"{self.moved - self.began:8.1f} s  {text}", flush=True)

    def guard(self):
        """Ends what hangs: whoever waits for a node then sees it gone."""
        while not self.over.wait(5):
            if time.monotonic() - self.moved > STUCK_SECONDS:
                self.say(f"stuck for {STUCK_SECONDS} s: all nodes are killed")
                self.world.kill_everything()

    def kinds(self):
        kinds = [kind for kind in self.options.only or KINDS
                 if CLASSES[kind].needs not in self.world.missing]
        for what, why in self.world.missing.items():
            gone = [kind for kind in KINDS if CLASSES[kind].needs == what]
            self.say(f"without {', '.join(gone)}: {why}")
        if not kinds:
            raise Broken("no fault is left that can be made here")
        return kinds

    def carry_out(self, step):
        begun, taken = [], set()
        for number, fault in enumerate(step.faults):
            if not fault.choose(self.world, taken):
                continue
            taken.update(fault.victims)
            self.say(f"{fault.kind} {fault.text()}")
            fault.begin(self.world)
            self.counts[fault.kind] += 1
            begun.append(number)
            time.sleep(step.gaps[number])
        time.sleep(step.hold)
        for number in step.ends:
            if number in begun:
                step.faults[number].end(self.world)
                time.sleep(step.gaps[number] / 2)
        self.world.look()
        if step.settles:
            self.world.settle()

    def run(self):
        with self.world:
            kinds = self.kinds()
            threading.Thread(target=self.guard, daemon=True).start()
            end = self.began + self.options.minutes * 60
            number = 0
            while time.monotonic() < end:
                number += 1
                self.carry_out(Step(self.options.seed, number, self.options.nodes, kinds))
                if number % AUDIT_EVERY == 0:
                    self.audit()
            self.audit()

    def audit(self):
        self.world.settle()
        before = time.monotonic()
        self.world.audit()
        self.say(f"audit {self.world.audits}: {self.world.acknowledged()} writes acknowledged, "
                 f"{self.world.unknown()} of unknown outcome, all nodes equal "
                 f"({time.monotonic() - before:.1f} s)")
        if self.world.runs is not None:
            self.say(f"  {self.world.run_audit.text()}")

    def closing(self):
        kinds = ", ".join(f"{kind} {self.counts[kind]}" for kind in KINDS if self.counts[kind])
        print(f"campaign: {(time.monotonic() - self.began) / 60:.1f} min, seed "
              f"{self.options.seed}, {self.options.nodes} nodes: "
              f"{sum(self.counts.values())} faults ({kinds}), "
              f"{self.world.acknowledged()} writes acknowledged, {self.world.unknown()} of "
              f"unknown outcome, {self.world.audits} audits")
        if self.world.runs is not None:
            print(f"campaign: {self.world.run_audit.text()}")


def kinds_of(text):
    kinds = text.split(",")
    for kind in kinds:
        if kind not in KINDS:
            raise argparse.ArgumentTypeError(f"no fault {kind}; there are {' '.join(KINDS)}")
    return kinds


def interrupted(number, frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(prog="scripts/campaign")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--nodes", type=int, choices=(3, 5), default=3)
    parser.add_argument("--only", type=kinds_of)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    signal.signal(signal.SIGTERM, interrupted)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-campaign."))
    print(f"campaign: seed {options.seed}, {options.nodes} nodes, {options.minutes} minutes",
          flush=True)
    campaign = Campaign(options, folder)
    try:
        campaign.run()
    except (Broken, AssertionError) as problem:
        campaign.closing()
        print(f"campaign: broken: {problem}\ncampaign: what is left is in {folder}")
        sys.exit(1)
    except BaseException:
        print(f"campaign: ended early; what is left is in {folder}", file=sys.stderr)
        raise
    finally:
        campaign.over.set()
    campaign.closing()
    shutil.rmtree(folder, ignore_errors=True)
    print("campaign: ok")


if __name__ == "__main__":
    main()
