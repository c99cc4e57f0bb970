# SPDX-License-Identifier: Apache-2.0
"""Real nodes on loopback: started, stopped, killed, frozen, brought back."""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess

from lib.http import NothingHappened, OutcomeUnknown, request
from lib.wait import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("MUSTER", str(ROOT / "build" / "muster"))


def free_ports(count):
    """Ports that were free a moment ago, below those that the kernel hands out: peers must
    know each other's before they start, and keep it over a restart."""
    held, ports = [], []
    try:
        while len(ports) < count:
            port = random.randrange(10000, 30000)
            candidate = socket.socket()
            held.append(candidate)
            try:
                candidate.bind(("127.0.0.1", port))
                ports.append(port)
            except OSError:
                pass
        return ports
    finally:
        for candidate in held:
            candidate.close()


# A cluster that soon notices who is gone.
QUICK = {"cluster": {"election_timeout": "300ms", "heartbeat": "50ms", "replace_after": "600ms"}}


class Node:
    """One process with its folder. The API's port is the kernel's, read from the ready
    line; it changes with each start."""

    def __init__(self, folder, name, peer=None, peers=(), settings=None):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.process = None
        self.prefix = []  # of the command line
        self.api = None
        self.log_path = self.folder / "log"
        self.data = self.folder / "data"
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {
            "node": {"name": name, "data_dir": str(self.data)},
            "cluster": {"name": "test", "expect": len(peers) + 1, "peers": list(peers)},
            "listen": {"address": "127.0.0.1:0", "drain": "0s"},  # no balancer to wait for
        }
        if peer:
            config["listen"]["peer"] = peer
        for block, values in (settings or {}).items():
            if isinstance(values, dict):
                config.setdefault(block, {}).update(values)
            else:
                config[block] = values
        self._write(config)

    def _write(self, config):
        (self.folder / "config.json").write_text(json.dumps(config))

    def move(self, data):
        """Its data lives in that folder; before the first start."""
        config = json.loads((self.folder / "config.json").read_text())
        config["node"]["data_dir"] = str(data)
        self.data = pathlib.Path(data)
        self._write(config)

    def launch(self):
        """Start the process; it may end by itself."""
        assert self.process is None
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, BINARY, "serve", "--config",
                 str(self.folder / "config.json")],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)

    def start(self):
        """Start and wait for the ready line."""
        self.launch()
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready api="), f"{self.name}: {line!r}\n{self.log()[-2000:]}"
        self.api = line.split()[1].removeprefix("api=")
        return self

    def start_fails(self):
        """Start what must refuse to; its exit code and what it said this time."""
        before = len(self.log())
        self.launch()
        code = self.process.wait(PATIENCE)
        self.forget()
        return code, self.log()[before:]

    def forget(self):
        """The process has ended."""
        self.process.stdout.close()
        self.process = None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """SIGTERM; the exit code, which must be 0 (leaks under a sanitizer show here)."""
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.forget()
        assert code == 0, f"{self.name} ended with {code}\n{self.log()[-3000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.forget()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        return self.start()

    def end(self):
        """At the end of a test: stop it if it is there, and hold it to a clean end."""
        if self.process is not None and self.process.poll() is None:
            self.stop()
        elif self.process is not None:
            code = self.process.returncode
            self.forget()
            raise AssertionError(f"{self.name} had ended with {code}\n{self.log()[-3000:]}")

    def wipe(self):
        shutil.rmtree(self.data)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def call(self, method, path, body=None, **more):
        return request(self.api, method, path, body, **more)

    def ready(self):
        try:
            return self.call("GET", "/v1/health/ready", timeout=2).status == 200
        except (NothingHappened, OutcomeUnknown):
            return False

    def leads(self):
        try:
            return self.call("GET", "/v1/health/leader", timeout=2).status == 200
        except (NothingHappened, OutcomeUnknown):
            return False

    def cluster(self):
        return self.call("GET", "/v1/cluster").json

    def tasks(self):
        """name: task, as this node answers."""
        answer = self.call("GET", "/v1/tasks")
        assert answer.status == 200, answer
        return {task["name"]: task for task in answer.json["tasks"]}

    def applied_index(self):
        """The index after all writes so far, from one that changes nothing; None if this
        node does not lead. A node that was just started is ready before it has it."""
        answer = self.call("DELETE", "/v1/tasks/there_is_no_such_task")
        return int(answer.headers["X-Muster-Index"]) if answer.status == 404 else None

    def index(self):
        return int(self.call("GET", "/v1/status").headers["X-Muster-Index"])


class Cluster:
    """With `fixed` the API's addresses stay what they are, as a balancer needs it."""

    def __init__(self, folder, count=3, settings=None, fixed=False):
        ports = free_ports(2 * count)
        addresses = [f"127.0.0.1:{port}" for port in ports[:count]]
        self.nodes = []
        for n in range(count):
            own = {block: dict(values) for block, values in (settings or {}).items()}
            if fixed:
                own.setdefault("listen", {})["address"] = f"127.0.0.1:{ports[count + n]}"
            self.nodes.append(
                Node(pathlib.Path(folder) / f"n{n + 1}", f"n{n + 1}", addresses[n],
                     [other for other in addresses if other != addresses[n]], own))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for node in self.nodes:
            if node.running():
                node.resume()
        problems = []
        for node in self.nodes:
            try:
                node.end()
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                problems.append(problem)
                if node.process is not None:
                    node.kill()
            print(f"--- log of {node.name}\n{node.log()[-4000:]}")  # seen if it failed
        if problems and kind is None:
            raise problems[0]

    def start(self):
        """Start what is not running."""
        for node in self.nodes:
            if node.process is None:
                node.start()

    def wait_ready(self, nodes=None):
        for node in nodes or self.nodes:
            wait_until(f"{node.name} is ready", node.ready)

    def known(self):
        """All members are in the registry: before that no run is placed."""
        self.wait_ready()
        wait_until("all members are known", lambda: len(self.leader().call(
            "GET", "/v1/events?type=member.joined").json["events"]) >= len(self.nodes))

    def leader(self, among=None):
        """The node that leads and that a majority would let write; waits for one."""
        def find():
            found = [n for n in among or self.nodes if n.running() and n.leads()]
            return found[0] if len(found) == 1 else None
        return wait_until("one node leads", find)

    def followers(self):
        leader = self.leader()
        return [node for node in self.nodes if node is not leader]

    def addresses(self):
        return [node.api for node in self.nodes if node.api]

    def settled(self, nodes=None):
        """Wait until the nodes have applied all there is; then every answer must be equal.
        Returns the tasks."""
        nodes = nodes or self.nodes
        self.wait_ready(nodes)
        index = wait_until("the leader has applied all there is",
                           lambda: self.leader(nodes).applied_index())
        for node in nodes:
            wait_until(f"{node.name} has index {index}", lambda: node.index() >= index)
        answers = [(node.tasks(), node.call("GET", "/v1/status/tasks").json)
                   for node in nodes]
        for node, answer in zip(nodes, answers):
            assert answer == answers[0], f"{node.name} and {nodes[0].name} differ"
        return answers[0][0]
