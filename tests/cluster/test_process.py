# SPDX-License-Identifier: Apache-2.0
"""One process: how it is told, how it starts, how it ends."""
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

from lib.cluster import BINARY, Node
from lib.http import request
from lib.load import task_body
from lib.wait import PATIENCE, wait_until

pytestmark = pytest.mark.sanitized


def run(*arguments, **more):
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, **more)


def test_help_and_version_are_told_on_stdout():
    for arguments in (["--help"], ["help"], ["serve", "--help"], ["validate", "--help"]):
        told = run(*arguments)
        assert told.returncode == 0 and told.stdout and not told.stderr, arguments
    assert run("--version").stdout == run("version").stdout
    assert run("--version").stdout.startswith("muster ")


@pytest.mark.parametrize("arguments", [
    [], ["what"], ["serve"], ["serve", "--what"], ["serve", "more", "--dev"], ["validate"],
])
def test_a_wrong_command_line_is_2(arguments):
    told = run(*arguments)
    assert told.returncode == 2 and told.stderr and not told.stdout


def test_a_wrong_configuration_is_3_and_names_file_key_and_remedy(tmp_path):
    path = tmp_path / "n1.json"
    path.write_text(json.dumps({"cluster": {"expect": 4}}))
    for command in ("serve", "validate"):
        told = run(command, "--config", str(path))
        assert told.returncode == 3
        assert told.stderr == f"muster {command}: {path}: cluster.expect: " \
                              "must be 1, 3 or 5, not 4\n"


def test_validate_says_valid_and_describes_every_setting(tmp_path):
    path = tmp_path / "n1.json"
    path.write_text("{}")
    assert run("validate", "--config", str(path)).stdout == "valid\n"
    described = run("validate", "--describe").stdout
    assert "cluster.election_timeout" in described and "limits.trusted_proxies" in described


def test_a_listener_outside_loopback_is_refused_unless_insecure(tmp_path):
    told = run("serve", "--dev", "--listen", "0.0.0.0:0")
    assert told.returncode == 3 and "listen.advertise_address" in told.stderr
    told = run("serve", "--dev", "--listen", "10.1.2.3:0")
    assert told.returncode == 3 and "listen.insecure" in told.stderr


def start_dev(*arguments, **more):
    process = subprocess.Popen([BINARY, "serve", "--dev", "--listen", "127.0.0.1:0",
                                *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, **more)
    line = process.stdout.readline()
    assert line.startswith("ready api=127.0.0.1:") and line.endswith(" peer=-\n"), \
        process.communicate()
    return process, line.split()[1].removeprefix("api=")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_dev_is_one_node_in_a_folder_that_is_gone_after(tmp_path, number):
    process, address = start_dev(env={**os.environ, "TMPDIR": str(tmp_path)})
    assert len(list(tmp_path.iterdir())) == 1
    wait_until("it leads",
               lambda: request(address, "GET", "/v1/health/leader").status == 200)
    assert request(address, "POST", "/v1/tasks", task_body("a", "")).status == 201
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_insecure_is_allowed_and_warned_of_at_every_start(tmp_path):
    node = Node(tmp_path, "n1", settings={
        "listen": {"insecure": True, "address": "0.0.0.0:0",
                   "advertise_address": "127.0.0.1:9"}})
    for starts in (1, 2):
        node.start()
        assert node.log().count("[WARN] listen.insecure is set") == starts
        node.stop()


def test_a_restart_keeps_everything(dev):
    wait_until("it leads", dev.leads)
    assert dev.call("POST", "/v1/tasks", task_body("kept", "for good")).status == 201
    before = dev.tasks()
    dev.restart()
    wait_until("it has applied its log", dev.applied_index)
    assert dev.tasks() == before
    dev.kill()
    dev.start()
    wait_until("it has applied its log", dev.applied_index)
    assert dev.tasks() == before


def test_a_folder_belongs_to_one_process(dev, tmp_path):
    other = Node(tmp_path / "other", "n1", settings={"node": {"data_dir": str(dev.data)}})
    code, said = other.start_fails()
    assert code == 4
    assert str(dev.data) in said
    assert dev.running()


def test_a_taken_port_is_4_and_named(dev, tmp_path):
    other = Node(tmp_path / "other", "n2", settings={"listen": {"address": dev.api}})
    code, said = other.start_fails()
    assert code == 4
    assert f"cannot listen on {dev.api}: address already in use" in said


def test_a_taken_peer_port_is_4_and_named(cluster, tmp_path):
    taken = cluster.nodes[0].cluster()["members"][0]["peer_address"]
    other = Node(tmp_path / "other", "n9", peer=taken, peers=["127.0.0.1:1", "127.0.0.1:2"])
    code, said = other.start_fails()
    assert code == 4
    assert taken in said and "in use" in said


def test_a_data_folder_that_cannot_be_made_is_4(tmp_path):
    (tmp_path / "file").write_text("")
    node = Node(tmp_path / "n1", "n1",
                settings={"node": {"data_dir": str(tmp_path / "file" / "data")}})
    code, said = node.start_fails()
    assert code == 4
    assert str(tmp_path / "file") in said


def test_a_connection_left_open_does_not_hold_up_the_end(dev):
    host, port = dev.api.split(":")
    with socket.create_connection((host, int(port))) as idle, \
            socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /v1/tasks HTTP/1.1\r\nHost: localhost\r\n")
        idle.sendall(b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        dev.stop()


def test_clients_that_take_every_descriptor_do_not_end_the_node(tmp_path):
    """The log needs one for each segment; idle clients must leave it some."""
    node = Node(tmp_path / "n1", "n1")
    node.prefix = ["prlimit", "--nofile=96:96"]
    node.start()
    host, port = node.api.split(":")
    writer = http.client.HTTPConnection(host, int(port), timeout=PATIENCE)
    idle = []
    try:
        assert "the process may open 96 files" in node.log()
        wait_until("it leads", node.leads)
        writer.connect()
        for number in range(40):  # 20 MB: the log goes on to its next segments
            while len(idle) < 5 * (number + 1):
                idle.append(socket.create_connection((host, int(port))))
            writer.request("POST", "/v1/tasks",
                           json.dumps(task_body(f"t{number}", "x" * 500000)),
                           {"Content-Type": "application/json"})
            answer = writer.getresponse()
            assert (answer.status, answer.read() != b"") == (201, True)
    finally:
        writer.close()
        for connection in idle:
            connection.close()
        node.end()


def test_the_ready_line_is_not_said_before_requests_are_answered(dev):
    for _ in range(3):
        dev.restart()
        assert dev.call("GET", "/v1/health").status == 200
