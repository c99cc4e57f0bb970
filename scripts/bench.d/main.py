# SPDX-License-Identifier: Apache-2.0
"""The measuring part of scripts/bench: rows, rounds, the table."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests"))

# pylint: disable=wrong-import-position
from disk import bare_sync_us  # noqa: E402
from failover import failover_ms  # noqa: E402
from lib.fill import Failed, fill  # noqa: E402
from load import measure  # noqa: E402
from runs import ROWS as RUN_ROWS  # noqa: E402
from runs import Runs  # noqa: E402
from systems import Etcd, Muster, resident_kib  # noqa: E402

CONNECTIONS = (1, 16, 64, 256)
ROWS = [f"writes_{count}" for count in CONNECTIONS] + [
    "reads_64", "cpu_per_write_64", "rss_idle", "write_latency_over_fsync",
    "failover_kill_ms", "failover_stop_over_timeout", "restart_100k_s", "write_cost_growth",
    *RUN_ROWS]
ETCD = ("etcd v2", "etcd v3")
FAILOVERS = 20
ELECTION_TIMEOUT_MS = 1000  # the default of cluster.election_timeout
MANY = 100_000
GROWTH = (10, 1000, MANY)
GROWTH_CONNECTIONS = 16


def median_of(samples):
    return {key: statistics.median(sample[key] for sample in samples) for key in samples[0]}


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        self.wanted = set(options.only or ROWS)
        self.rows = {}
        self.details = []  # (what, median)
        self.notes = []
        self.running = []

    def start(self, kind, name, *more):
        system = kind(self.folder / name, *more)
        self.running.append(system)
        return system.start()

    def stop(self, system):
        system.stop()
        self.running.remove(system)

    def row(self, name, muster, ratio, etcd=None, spread=None):
        if name in self.wanted:
            self.rows[name] = {"muster": muster, "etcd": etcd, "ratio": ratio,
                               "spread": spread}

    def note(self, text):
        """What stands below the table."""
        self.notes.append(text)
        self.say(f"  {text}")

    def say(self, text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    # --- beside etcd ----------------------------------------------------------------

    def loads(self):
        """(kind, connections) to measure on both systems."""
        found = [("write", count) for count in CONNECTIONS if f"writes_{count}" in self.wanted]
        if "cpu_per_write_64" in self.wanted and ("write", 64) not in found:
            found.append(("write", 64))
        return found + ([("read", 64)] if "reads_64" in self.wanted else [])

    def beside_etcd(self):
        loads = self.loads()
        if not loads and "rss_idle" not in self.wanted:
            return
        samples, idle = {}, {"muster": [], "etcd": []}
        for turn in range(self.options.rounds):
            self.say(f"round {turn + 1} of {self.options.rounds} beside etcd")
            systems = {"muster": self.start(Muster, f"muster{turn}"),
                       "etcd": self.start(Etcd, f"etcd{turn}")}
            for name, system in systems.items():
                idle[name].append(resident_kib(system.pids()))
            for load in loads:
                for script in ("muster", *ETCD):
                    samples.setdefault((script, *load), []).append(measure(
                        systems[script.split()[0]], f"{script} {load[0]}",
                        self.options.seconds, load[1], self.folder,
                        f"r{script[-1]}_{load[1]}"))
            for system in systems.values():
                self.stop(system)
        self.compare({key: median_of(found) for key, found in samples.items()})
        muster, etcd = (statistics.median(idle[name]) for name in ("muster", "etcd"))
        self.row("rss_idle", round(muster), round(muster / etcd, 3), round(etcd))

    def compare(self, found):
        for (script, kind, connections), median in found.items():
            self.details.append((f"{script} {kind} {connections}", median))
            if script != "muster":
                continue
            etcd = max(found[(other, kind, connections)]["rate"] for other in ETCD)
            self.row(f"{kind}s_{connections}", round(median["rate"]),
                     round(median["rate"] / etcd, 2), round(etcd))
        if ("muster", "write", 64) in found:
            etcd = min(found[(other, "write", 64)]["cpu_us"] for other in ETCD)
            ours = found[("muster", "write", 64)]["cpu_us"]
            self.row("cpu_per_write_64", round(ours, 1), round(ours / etcd, 3), round(etcd, 1))

    # --- alone ----------------------------------------------------------------------

    def latency(self):
        if "write_latency_over_fsync" not in self.wanted:
            return
        self.say("a write at one connection beside a bare write + fdatasync")
        system = self.start(Muster, "latency")
        bare, ours = [], []
        for turn in range(self.options.rounds):
            bare.append(bare_sync_us(self.folder, self.options.seconds))
            ours.append(measure(system, "muster write", self.options.seconds, 1, self.folder,
                                f"l{turn}"))
        self.stop(system)
        bare, ours = statistics.median(bare), median_of(ours)
        self.details.append((f"muster write 1, a bare one {bare:.0f} us", ours))
        self.row("write_latency_over_fsync", round(ours["p50_us"]),
                 round(ours["p50_us"] / bare, 2))

    def failover(self):
        for row, stop, unit in (("failover_kill_ms", False, 1),
                                ("failover_stop_over_timeout", True, ELECTION_TIMEOUT_MS)):
            if row not in self.wanted:
                continue
            self.say(f"{'SIGSTOP' if stop else 'kill -9'} of the leader, {FAILOVERS} times")
            system = self.start(Muster, row)
            found = failover_ms(system.cluster, FAILOVERS, stop)
            self.stop(system)
            self.say(f"  {min(found):.0f} to {max(found):.0f} ms")
            median = statistics.median(found)
            self.row(row, round(median), round(median / unit, 2))

    def many(self):
        if not self.wanted & {"restart_100k_s", "write_cost_growth"}:
            return
        system = self.start(Muster, "many")
        costs, made = {}, 0
        for count in GROWTH:
            self.say(f"with {count} tasks")
            fill(system.cluster.leader().api, made + 1, count)
            made = count
            if "write_cost_growth" in self.wanted:
                costs[count] = median_of([
                    measure(system, "muster change", self.options.seconds,
                            GROWTH_CONNECTIONS, self.folder, "g", count)
                    for _ in range(self.options.rounds)])
                self.details.append((f"muster change, of {count} tasks", costs[count]))
        if costs:
            first, last = costs[GROWTH[0]]["cpu_us"], costs[MANY]["cpu_us"]
            self.row("write_cost_growth", round(last, 1), round(last / first, 2))
        self.say(f"memory of the largest node with {MANY} tasks: "
                 f"{resident_kib(system.pids()) / 1024:.0f} MiB")
        if "restart_100k_s" in self.wanted:
            self.restart(system)
        self.stop(system)

    def restart(self, system):
        took = []
        for _ in range(self.options.rounds):
            node = system.cluster.followers()[0]
            node.kill()
            before = time.monotonic()
            node.start()
            while not node.ready():
                time.sleep(0.005)
            took.append(time.monotonic() - before)
        seconds = round(statistics.median(took), 2)
        self.row("restart_100k_s", seconds, seconds)

    def run(self):
        try:
            self.beside_etcd()
            self.latency()
            self.failover()
            self.many()
            Runs(self).measure()
        finally:
            for system in list(self.running):
                self.stop(system)


def shown(value):
    return "" if value is None else f"{value}"


def report(bench):
    print(f"{os.cpu_count()} processors, {bench.options.seconds} s a measurement, median of "
          f"{bench.options.rounds} rounds\n")
    if bench.details:
        print(f"{'':38}{'a second':>10}{'p50 us':>9}{'p99 us':>9}{'CPU us, all nodes':>19}")
    for what, row in bench.details:
        print(f"{what:38}{row['rate']:10.0f}{row['p50_us']:9.0f}{row['p99_us']:9.0f}"
              f"{row['cpu_us']:19.1f}")
    print(f"\n{'':28}{'muster':>10}{'etcd':>10}{'ratio':>9}   80 % in")
    ordered = {name: bench.rows[name] for name in ROWS if name in bench.rows}
    for name, row in ordered.items():
        print(f"{name:28}{shown(row['muster']):>10}{shown(row['etcd']):>10}"
              f"{shown(row['ratio']):>9}   {shown(row['spread'])}".rstrip())
    for note in bench.notes:
        print(note)
    if bench.options.json:
        print(json.dumps(ordered))


def rows_of(text):
    rows = [row for word in text.split(",")
            for row in (RUN_ROWS if word == "runs" else [word])]
    for row in rows:
        if row not in ROWS:
            raise argparse.ArgumentTypeError(f"no row {row}; there are {' '.join(ROWS)}, "
                                             "and runs for all of those of runs")
    return rows


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--seconds", type=positive, default=4)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--only", type=rows_of)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="muster-bench."))
    bench = Bench(options, folder)
    try:
        bench.run()
    except Failed as problem:
        raise SystemExit(f"bench: {problem}") from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report(bench)


if __name__ == "__main__":
    main()
