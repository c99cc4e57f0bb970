# SPDX-License-Identifier: Apache-2.0
"""What is measured: three nodes of muster, three of etcd."""
import json
import os
import pathlib
import re
import subprocess
import urllib.error
import urllib.request

from lib.cluster import Cluster, free_ports
from lib.wait import wait_until

TICKS = os.sysconf("SC_CLK_TCK")
CTS_TASK = {"task": {"name": "one", "condition": {}, "module": "./m"}}


def processor_seconds(pids):
    """User and system time that the processes have had."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def resident_kib(pids):
    """Of the largest."""
    return max(int(re.search(r"VmRSS:\s+(\d+)",
                             pathlib.Path(f"/proc/{pid}/status").read_text())[1])
               for pid in pids)


class Muster:
    """A cluster as the tests have it, in a folder of its own."""

    def __init__(self, folder, settings=None):
        self.cluster = Cluster(folder, settings=settings)

    def start(self):
        self.cluster.start()
        self.cluster.wait_ready()
        assert self.cluster.leader().call("POST", "/v1/tasks", CTS_TASK).status == 201
        return self

    def url(self):
        return f"http://{self.cluster.leader().api}"

    def pids(self):
        return [node.process.pid for node in self.cluster.nodes if node.running()]

    def stop(self):
        for node in self.cluster.nodes:
            if node.running():
                node.stop()


class Etcd:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.processes = []
        self.urls = []

    def start(self):
        ports = free_ports(6)
        cluster = ",".join(f"e{n}=http://127.0.0.1:{ports[3 + n]}" for n in range(3))
        for n in range(3):
            client = f"http://127.0.0.1:{ports[n]}"
            peer = f"http://127.0.0.1:{ports[3 + n]}"
            with open(self.folder / f"e{n}.log", "w") as log:
                self.processes.append(subprocess.Popen(
                    ["etcd", "--name", f"e{n}", "--data-dir", str(self.folder / f"e{n}"),
                     "--enable-v2", "--listen-client-urls", client,
                     "--advertise-client-urls", client, "--listen-peer-urls", peer,
                     "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
                     "--initial-cluster-state", "new", "--log-level", "error"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            self.urls.append(client)
        self._call("/v2/keys/one", "PUT", b"value=" + b"x" * 180,
                   "application/x-www-form-urlencoded")
        self._call("/v3/kv/put", "POST", b'{"key":"b25l","value":"' + b"eHh4" * 60 + b'"}')
        return self

    def _call(self, path, method="GET", body=None, kind="application/json"):
        request = urllib.request.Request(self.url() + path, body, {"Content-Type": kind},
                                         method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def _leader(self):
        for url in self.urls:
            try:
                with urllib.request.urlopen(f"{url}/v2/stats/self", timeout=5) as answer:
                    if json.loads(answer.read()).get("state") == "StateLeader":
                        return url
            except (urllib.error.URLError, OSError):
                pass
        return None

    def url(self):
        return wait_until("a node of etcd leads", self._leader)

    def pids(self):
        return [process.pid for process in self.processes]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)
