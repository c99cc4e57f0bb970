# SPDX-License-Identifier: Apache-2.0
"""HAProxy before a cluster, as scripts/haproxy.cfg has it."""
import csv
import io
import os
import pathlib
import socket
import subprocess

from lib.cluster import ROOT, free_ports
from lib.http import NothingHappened, OutcomeUnknown, request
from lib.wait import PATIENCE, wait_until

CONFIG = ROOT / "scripts" / "haproxy.cfg"


class Balancer:
    """`nodes` keep their API's addresses. Its own is `address`."""

    def __init__(self, folder, nodes, config=CONFIG):
        self.folder = pathlib.Path(folder)
        self.nodes = nodes
        self.config = config
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.control = self.folder / "haproxy.socket"
        self.log_path = self.folder / "haproxy.log"
        self.process = None

    def __enter__(self):
        more = self.folder / "control.cfg"
        more.write_text(f"global\n    stats socket {self.control} level admin\n")
        environment = {**os.environ, "MUSTER_BIND": self.address}
        for node in self.nodes:
            environment[f"MUSTER_{node.name.upper()}"] = node.api
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["haproxy", "-db", "-f", str(self.config), "-f", str(more)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        wait_until("HAProxy listens", self.answers)
        return self

    def __exit__(self, kind, value, trace):
        self.process.kill()
        self.process.wait(PATIENCE)
        print(f"--- log of HAProxy\n{self.log_path.read_text()[-4000:]}")  # if it failed

    def answers(self):
        assert self.process.poll() is None, self.log_path.read_text()
        try:
            return request(self.address, "GET", "/v1/health", timeout=5).status > 0
        except (NothingHappened, OutcomeUnknown):
            return False

    def servers(self):
        """backend: {server: its row of HAProxy's statistics}"""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(PATIENCE)
            control.connect(str(self.control))
            control.sendall(b"show stat\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        found = {}
        for row in csv.DictReader(io.StringIO(text.removeprefix("# "))):
            if row["svname"] not in ("FRONTEND", "BACKEND"):
                found.setdefault(row["pxname"], {})[row["svname"]] = row
        return found

    def up(self, backend):
        """The servers that it would send a request of that backend to."""
        return {name for name, row in self.servers()[backend].items()
                if row["status"].startswith("UP")}

    def wait_whole(self):
        """It sends reads to every node, and writes to one where it knows of a leader."""
        every = {node.name for node in self.nodes}

        def whole():
            leads = "leader" not in self.servers() or len(self.up("leader")) == 1
            return leads and self.up("ready") == every
        wait_until("HAProxy finds every node ready, and the leader", whole)
