# SPDX-License-Identifier: Apache-2.0
"""A network of its own for a cluster: one namespace a node, joined by a bridge in another
one, in which the test itself runs. Links between nodes are cut in either direction."""
import ctypes
import os
import pathlib
import subprocess

from lib.cluster import Cluster, Node

CLONE_NEWNET = 0x40000000


def command(*arguments, check=True):
    return subprocess.run(arguments, check=check, capture_output=True, text=True)


class Unavailable(Exception):
    """No namespaces or no packet filter here."""


class Network:
    """Node N has the address 10.77.0.N; the test has 10.77.0.100."""

    def __init__(self, count):
        self.count = count
        self.hub = f"muster{os.getpid()}-hub"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.cuts = set()
        self.entered = False

    def space(self, node):
        return f"muster{os.getpid()}-{node}"

    @staticmethod
    def address(node):
        return f"10.77.0.{node}"

    def inside(self, space, *arguments):
        return command("ip", "netns", "exec", space, *arguments)

    def __enter__(self):
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__(None, None, None)
            raise Unavailable(getattr(error, "stderr", None) or str(error)) from error
        return self

    def _build(self):
        command("ip", "netns", "add", self.hub)
        self.inside(self.hub, "ip", "link", "add", "bridge", "type", "bridge")
        self.inside(self.hub, "ip", "address", "add", "10.77.0.100/24", "dev", "bridge")
        self.inside(self.hub, "ip", "link", "set", "bridge", "up")
        self.inside(self.hub, "ip", "link", "set", "lo", "up")
        for node in range(1, self.count + 1):
            space = self.space(node)
            command("ip", "netns", "add", space)
            self.inside(self.hub, "ip", "link", "add", f"to{node}", "type", "veth",
                        "peer", "name", "eth0", "netns", space)
            self.inside(self.hub, "ip", "link", "set", f"to{node}", "master", "bridge",
                        "up")
            self.inside(space, "ip", "address", "add", f"{self.address(node)}/24",
                        "dev", "eth0")
            self.inside(space, "ip", "link", "set", "eth0", "up")
            self.inside(space, "ip", "link", "set", "lo", "up")
            self.inside(space, "iptables", "-L", "INPUT")
        with open(f"/run/netns/{self.hub}", "rb") as hub:
            self._enter(hub.fileno())
        self.entered = True

    @staticmethod
    def _enter(descriptor):
        """This thread, and those it starts from now on."""
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def __exit__(self, kind, value, trace):
        if self.entered:
            self._enter(self.home)
        os.close(self.home)
        for space in [self.hub, *map(self.space, range(1, self.count + 1))]:
            command("ip", "netns", "delete", space, check=False)

    def cut(self, sender, receiver):
        """Nothing of `sender` reaches `receiver` any more."""
        if (sender, receiver) not in self.cuts:
            self.cuts.add((sender, receiver))
            self.inside(self.space(receiver), "iptables", "-A", "INPUT", "-s",
                        self.address(sender), "-j", "DROP")

    def cut_both(self, one, other):
        self.cut(one, other)
        self.cut(other, one)

    def isolate(self, node):
        """From the other nodes; clients still reach it."""
        for other in range(1, self.count + 1):
            if other != node:
                self.cut_both(node, other)

    def heal(self):
        for _, receiver in self.cuts:
            self.inside(self.space(receiver), "iptables", "-F", "INPUT")
        self.cuts.clear()


class Separate(Cluster):
    """A cluster with a node in each namespace of a Network; node.number is its number
    there. Links are cut through `network`."""

    def __init__(self, folder, network, settings=None):
        self.network = network
        self.nodes = []
        numbers = range(1, network.count + 1)
        for n in numbers:
            peers = [f"{network.address(other)}:8658" for other in numbers if other != n]
            node = Node(pathlib.Path(folder) / f"n{n}", f"n{n}",
                        f"{network.address(n)}:8658", peers,
                        {**(settings or {}),
                         "listen": {"address": f"{network.address(n)}:8558",
                                    "insecure": True}})
            node.number = n
            node.prefix = ["ip", "netns", "exec", network.space(n)]
            self.nodes.append(node)
