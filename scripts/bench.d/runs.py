# SPDX-License-Identifier: Apache-2.0
"""The rows of runs: how long one takes to begin and to be seen ended, how many a second, what
a live one costs, a thousand of them at once, schedules."""
import asyncio
import os
import pathlib
import re
import statistics
import subprocess
import threading
import time

from lib.driver import processes_with
from lib.fill import Failed
from lib.many import Crowd, ask_all
from lib.runs import settings
from lib.wait import wait_until
from load import measure
from systems import Muster, resident_kib
from watch import Ears, Health, Pipe

ROWS = ["run_start_ms", "run_seen_ms", "runs_per_s", "cpu_per_run_ms", "run_memory_kib",
        "runs_1000_start_s", "runs_1000_health_ms", "runs_1000_write_us", "tick_cost_growth",
        "herd_health_ms"]
ONES = 8          # runs one after the other in a round, at each node
AT_ONCE = 32      # runs that are under way while they are counted
SIZES = (10, 100, 1000)
SCHEDULED = (10, 10_000)
JITTER_MS = 15_000
HERD_S = 12       # it is looked at so long when all come due at once
NEVER = {"schedule": {"cron": "0 0 0 1 1 * 2099"}}
PLAIN = {"cluster": {"follower_writes": "forward"}}
PATIENCE = 120

SAYS = '#!/bin/sh\necho "$MUSTER_TASK" > {pipe}\n'


def script(folder, text):
    folder.mkdir()
    path = folder / "apply"
    path.write_text(text)
    path.chmod(0o755)
    return folder


def task(name, module, condition=None):
    return {"task": {"name": name, "module": str(module), "condition": condition or {}}}


def processor_ms():
    """That all of this machine was busy for."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    busy = sum(map(int, fields)) - int(fields[3]) - int(fields[4])  # not idle, not waiting
    return busy * 1000 / os.sysconf("SC_CLK_TCK")


def busy_ms(pids):
    """Processor time of these processes, all threads, by the scheduler's own account."""
    return sum(int(path.read_text().split()[0]) for pid in pids
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def pss_kib(pid):
    return int(re.search(r"^Pss:\s+(\d+)",
                         pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def spread(values, digits=1):
    ordered = sorted(values)
    return f"{ordered[len(ordered) // 10]:.{digits}f} to {ordered[len(ordered) * 9 // 10]:.{digits}f}"


class Runs:
    def __init__(self, bench):
        self.bench = bench
        self.folder = bench.folder / "runs"
        self.folder.mkdir()
        self.filling_s = 0  # what it took to write all scheduled tasks

    def wants(self, *rows):
        return self.bench.wanted & set(rows)

    # --- one ------------------------------------------------------------------------

    def bare_start_ms(self, pipe, program, number):
        """fork, exec and the same first word of the same program, by nobody but this."""
        name = f"bare_{number}"
        before = time.monotonic()
        child = subprocess.Popen([program], env={"MUSTER_TASK": name, "PATH": "/usr/bin:/bin"},
                                 stdin=subprocess.DEVNULL)
        took = pipe.when(name) - before
        child.wait()
        return took * 1000

    def one(self, node, ears, pipe, module, name):
        """A task is made and run by one request: ms to the program's word, and from there
        to where all nodes know its end; and of a plain write to where all know that."""
        before = time.monotonic()
        asking = threading.Thread(target=node.call, args=(
            "POST", "/v1/tasks?run=now", task(name, module)))
        asking.start()
        began = pipe.when(name)
        seen = ears.last("task.created", name)  # the event behind the run's end
        asking.join()
        plain = time.monotonic()
        node.call("POST", "/v1/tasks", task(f"{name}_plain", module))
        written = ears.last("task.created", f"{name}_plain")
        return (began - before) * 1000, (seen - began) * 1000, (written - plain) * 1000

    def ones(self):
        if not self.wants("run_start_ms", "run_seen_ms"):
            return
        self.bench.say("one run after the other")
        pipe = Pipe(self.folder / "pipe")
        module = script(self.folder / "says", SAYS.format(pipe=self.folder / "pipe"))
        system = self.bench.start(Muster, "ones", PLAIN)
        bare, found = [], []
        with Ears(system.cluster) as ears:
            for number in range(3):  # the first of a node has more to do
                self.one(system.cluster.nodes[number], ears, pipe, module, f"first_{number}")
            for number in range(self.bench.options.rounds * ONES * 3):
                bare.append(self.bare_start_ms(pipe, module / "apply", number))
                found.append(self.one(system.cluster.nodes[number % 3], ears, pipe, module,
                                      f"one_{number}"))
        self.bench.stop(system)
        pipe.close()
        started, seen, written = ([one[n] for one in found] for n in range(3))
        self.bench.note(f"a program by fork and exec alone: {statistics.median(bare):.1f} ms, "
                        f"80 % in {spread(bare)}; a write, until all nodes have it: "
                        f"{statistics.median(written):.1f} ms, {spread(written)}")
        for row, values, base in (("run_start_ms", started, bare),
                                  ("run_seen_ms", seen, written)):
            median = statistics.median(values)
            self.bench.row(row, round(median, 1), round(median / statistics.median(base), 1),
                           spread=spread(values))

    # --- many a second ----------------------------------------------------------------

    def bare_rate(self, program):
        """(a second, ms of processor each): as many processes as there are processors
        spawn it and wait for it."""
        code = ("import os, sys, time\nend, n = time.monotonic() + float(sys.argv[2]), 0\n"
                "while time.monotonic() < end:\n"
                "    os.waitpid(os.posix_spawn(sys.argv[1], [sys.argv[1]], {}), 0)\n    n += 1\n"
                "print(n)\n")
        seconds = self.bench.options.seconds
        before = processor_ms()
        spawners = [subprocess.Popen(["/usr/bin/python3", "-S", "-c", code, program, str(seconds)],
                                     stdout=subprocess.PIPE) for _ in range(os.cpu_count())]
        count = sum(int(spawner.communicate()[0]) for spawner in spawners)
        return count / seconds, (processor_ms() - before) / count

    def rate(self, node):
        before, begun, over = processor_ms(), time.monotonic(), []
        end = begun + self.bench.options.seconds
        host, port = node.api.rsplit(":", 1)

        async def client(number):
            reader, writer = await asyncio.open_connection(host, int(port))
            request = (f"POST /v1/tasks/rate_{number}/run?wait=60s HTTP/1.1\r\nHost: {host}\r\n"
                       "Content-Length: 0\r\n\r\n").encode()
            while time.monotonic() < end:
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
                body = await reader.readexactly(int(length))
                if b'"outcome":"success"' not in body:
                    raise Failed(f"{head!r} {body!r}")
                over.append(time.monotonic())
            writer.close()

        async def all_clients():
            await asyncio.gather(*(client(number) for number in range(AT_ONCE)))
        asyncio.run(all_clients())
        return len(over) / (over[-1] - begun), (processor_ms() - before) / len(over)

    def rates(self):
        if not self.wants("runs_per_s", "cpu_per_run_ms"):
            return
        self.bench.say(f"runs a second, {AT_ONCE} at once")
        module = script(self.folder / "true", "#!/bin/true\n")
        system = self.bench.start(Muster, "rates", PLAIN)
        ask_all(system.cluster.leader().api, [("POST", "/v1/tasks", task(
            f"rate_{number}", module, NEVER)) for number in range(AT_ONCE)], 201)
        self.rate(system.cluster.leader())  # the first of a node has more to do
        bare, ours = [], []
        for _ in range(self.bench.options.rounds):
            bare.append(self.bare_rate(str(module / "apply")))
            ours.append(self.rate(system.cluster.leader()))
        self.bench.stop(system)
        for row, of, digits in (("runs_per_s", 0, 1), ("cpu_per_run_ms", 1, 2)):
            values = [one[of] for one in ours]
            base = statistics.median(one[of] for one in bare)
            self.bench.note(f"{row}: the same program spawned alone {base:.{digits}f}")
            median = statistics.median(values)
            self.bench.row(row, round(median, digits), round(median / base, 3),
                           spread=spread(values, digits))

    # --- a thousand -------------------------------------------------------------------

    def crowd(self):
        if not self.wants("run_memory_kib", "runs_1000_start_s", "runs_1000_health_ms",
                          "runs_1000_write_us"):
            return
        self.bench.say(f"{SIZES[-1]} live runs")
        system = self.bench.start(Muster, "crowd", PLAIN)
        cluster, crowd = system.cluster, Crowd(self.folder / "crowd")
        with Health(cluster) as idle:
            before = self.write(system, "b")
        self.bench.note(f"no run: {idle}; nodes have up to {resident_kib(system.pids())} KiB")
        numbers, memory = self.fill(system, crowd)
        with Health(cluster) as live:
            during = self.write(system, "d")
            time.sleep(4)  # a lease: all are fed meanwhile, or stopped
        self.bench.note(f"{SIZES[-1]} live: {live}; nodes have up to "
                        f"{resident_kib(system.pids())} KiB")
        self.restart(cluster)
        self.empty(cluster, crowd, numbers)
        self.bench.stop(system)
        self.bench.row("run_memory_kib", memory[-1], round(memory[-1] / memory[0], 2))
        self.bench.row("runs_1000_health_ms", round(live.worst_ms, 1),
                       round(live.worst_ms / idle.worst_ms, 1))
        self.bench.row("runs_1000_write_us", round(during), round(during / before, 2))

    def write(self, system, mark):
        """p50 of writes at one connection, us."""
        return statistics.median(
            measure(system, "muster write", self.bench.options.seconds, 1, self.folder,
                    f"{mark}{turn}")["p50_us"] for turn in range(self.bench.options.rounds))

    def fill(self, system, crowd):
        """Up to so many live runs; their numbers, and KiB of a run at each size."""
        numbers, memory = [], []
        with Ears(system.cluster) as ears:
            for size in SIZES:
                leader = system.cluster.leader()
                names = crowd.create(leader, size - crowd.count)
                with Health(system.cluster) as health:
                    begun = time.monotonic()
                    numbers += crowd.run(leader, names)
                    ears.count("run.started", size, PATIENCE)
                    took = time.monotonic() - begun
                found = self.supervisors(system)
                memory.append(round(sum(map(pss_kib, found)) / size))
                self.bench.note(
                    f"{len(names)} runs began in {took:.1f} s, {len(names) / took:.0f} a second: "
                    f"{health}; at {size} live {memory[-1]} KiB a run in {len(found) / size:.2f} "
                    "processes and its program's")
        self.bench.row("runs_1000_start_s", round(took, 1), round(len(names) / took, 1))
        return numbers, memory

    def supervisors(self, system):
        folder = system.cluster.nodes[0].folder.parent
        return processes_with(f"muster\0supervise\0{folder}/", of="cmdline")

    def restart(self, cluster):
        """Each node once; the runs go on, which shows at their ends."""
        for node in list(cluster.nodes):
            node.kill()
            begun = time.monotonic()
            node.start()
            wait_until(f"{node.name} is ready", node.ready)
            self.bench.note(f"{node.name} was killed and ready again in "
                            f"{time.monotonic() - begun:.2f} s")
            cluster.wait_ready()
            cluster.leader()

    def empty(self, cluster, crowd, numbers):
        leader = cluster.leader()
        ended = leader.call("GET", "/v1/runs?state=ended&per_page=10").json["runs"]
        if ended or len(crowd.begun()) != len(numbers):
            raise Failed(f"runs have ended, or begun twice: {ended}")
        with Ears(cluster) as ears, Health(cluster) as health:
            begun = time.monotonic()
            crowd.cancel(leader, numbers)
            ears.count("run.ended", len(numbers), PATIENCE)
            took = time.monotonic() - begun
        left = wait_until("no process is left", lambda: not processes_with(
            f"MUSTER_MODULE={crowd.module}"), PATIENCE)
        self.bench.note(f"{len(numbers)} runs cancelled, ended and known to all in {took:.1f} s: "
                        f"{health}; nothing is left of them: {left}")

    # --- schedules --------------------------------------------------------------------

    def scheduled(self, node, first, last, condition, method="POST", status=201):
        """Tasks whose module is not there: their runs end at once, and no process is
        started. What is measured is the cluster."""
        begun = time.monotonic()
        ask_all(node.api, [(method, "/v1/tasks" + (f"/s_{n}" if method == "PUT" else ""),
                            task(f"s_{n}", "/nothing/is/here", condition))
                           for n in range(first, last + 1)], status)
        self.filling_s = time.monotonic() - begun

    def schedules(self):
        if not self.wants("tick_cost_growth", "herd_health_ms"):
            return
        system = self.bench.start(Muster, "schedules", PLAIN)
        self.ticks(system)
        if self.wants("herd_health_ms"):
            spaced = self.herd(system, JITTER_MS, PATIENCE)
            plain = self.herd(system, 0, HERD_S)
            self.bench.row("herd_health_ms", round(spaced, 1), round(spaced / plain, 2))
        self.bench.stop(system)

    def ticks(self, system):
        """CPU of all nodes in a second with one tick in each, few and many tasks not due."""
        leader, cost, made = system.cluster.leader(), [], 0
        leader.call("POST", "/v1/tasks", task("each_second", "/nothing/is/here",
                                              {"schedule": {"cron": "* * * * * * *"}}))
        for count in SCHEDULED:
            self.scheduled(leader, made + 1, count, NEVER)
            made = count
            time.sleep(1.5)  # the writes' last traces: a snapshot, freed memory
            cost.append([self.busy_a_second(system)
                         for _ in range(self.bench.options.rounds)])
            self.bench.note(f"{count} tasks not due: {statistics.median(cost[-1]):.1f} ms of "
                            f"processor a second, all nodes, {spread(cost[-1])}")
        leader.call("PATCH", "/v1/tasks/each_second", {"enabled": False})
        few, many = (statistics.median(one) for one in cost)
        self.bench.row("tick_cost_growth", round(many, 1), round(many / few, 2),
                       spread=spread(cost[-1]))

    def busy_a_second(self, system):
        seconds = max(2, self.bench.options.seconds)
        before = busy_ms(system.pids())
        time.sleep(seconds)
        return (busy_ms(system.pids()) - before) / seconds

    def herd(self, system, jitter_ms, patience):
        """All of them come due in one second, or in JITTER_MS: the worst answer in ms, until
        all have ended or for so long."""
        self.bench.say(f"{SCHEDULED[-1]} tasks come due, jitter {jitter_ms} ms")
        leader = system.cluster.leader()
        settings(leader, schedule_jitter_ms=jitter_ms)
        at = time.gmtime(time.time() + 3 + 1.5 * self.filling_s)
        cron = f"{at.tm_sec} {at.tm_min} {at.tm_hour} * * * *"
        with Ears(system.cluster) as ears:
            self.scheduled(leader, 1, SCHEDULED[-1], {"schedule": {"cron": cron}}, "PUT", 200)
            if ears.ears[0].counts.get("run.placed", 0):
                raise Failed("the tasks came due before all were there")
            with Health(system.cluster) as health:
                ears.count("run.placed", 1)
                begun = time.monotonic()
                ended = ears.reach("run.ended", SCHEDULED[-1], patience)
                took = time.monotonic() - begun
        self.bench.note(f"{SCHEDULED[-1]} due with a jitter of {jitter_ms} ms: {ended} had ended "
                        f"after {took:.1f} s; {health}")
        return health.worst_ms

    def measure(self):
        self.ones()
        self.rates()
        self.crowd()
        self.schedules()
