# SPDX-License-Identifier: Apache-2.0
"""A snapshot that is saved, judged, and becomes the first node of a new cluster."""
import json
import resource

import pytest

from lib.cli import muster
from lib.cluster import Cluster, Node, free_ports
from lib.load import Load, task_body
from lib.snapshot import Snapshot
from lib.store import flip
from lib.wait import wait_until

EPOCH = 2**32


def save(node, path):
    answer = node.call("GET", "/v1/snapshot")
    assert answer.status == 200, answer
    path.write_bytes(answer.body)
    return int(answer.headers["X-Muster-Index"])


def restore(path, node, **more):
    return muster("snapshot", "restore", path, "--config", node.folder / "config.json", **more)


@pytest.fixture
def fresh(tmp_path):
    """A node of a cluster to be, that was never started."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(3)]
    node = Node(tmp_path / "fresh", "n1", ports[0], ports[1:])
    yield node
    if node.process is not None:
        node.end()


@pytest.fixture
def saved(dev, tmp_path):
    """A snapshot with three tasks; its node, and its index."""
    wait_until("it leads", dev.leads)
    for name in ("a", "b", "c"):
        assert dev.call("POST", "/v1/tasks", task_body(name, name * 5)).status == 201
    assert dev.call("PATCH", "/v1/tasks/b", {"enabled": False}).status == 200
    wait_until("it is in the member list",
               lambda: dev.call("GET", "/v1/events?type=member.joined").json["events"])
    path = tmp_path / "saved"
    return path, dev, save(dev, path)


def test_a_cluster_is_saved_under_load_and_goes_on_in_a_new_one(cluster, fresh, tmp_path):
    under_load, quiet = tmp_path / "under-load", tmp_path / "quiet"
    with Load(cluster, 4) as load:
        wait_until("much is written", lambda: load.acknowledged > 300)
        for node in cluster.nodes:  # each from its own state
            save(node, under_load)
            found = muster("snapshot", "verify", under_load)
            assert found.returncode == 0, found.stderr
            assert f"tasks    {len(Snapshot(under_load.read_bytes()).tasks())}, " in found.stdout
    before = cluster.settled()
    index = save(cluster.followers()[0], quiet)
    status = cluster.nodes[0].call("GET", "/v1/status/tasks").json
    name = next(iter(before))
    etag = cluster.nodes[0].call("GET", f"/v1/tasks/{name}").headers["ETag"]
    for node in cluster.nodes:
        node.stop()

    found = restore(quiet, fresh)
    assert found.returncode == 0, found.stderr
    fresh.start()
    wait_until("it leads", fresh.leads)
    assert fresh.tasks() == before
    assert fresh.call("GET", "/v1/status/tasks").json == status
    assert fresh.call("GET", f"/v1/tasks/{name}").headers["ETag"] == etag
    told = wait_until("it is in the member list", lambda: (
        lambda told: len(told["events"]) > 1 and told)(
            fresh.call("GET", f"/v1/events?after={index}").json))
    assert [(event["index"], event["type"]) for event in told["events"]] == [
        (index + 1 + EPOCH, "cluster.recovered"), (index + 2 + EPOCH, "member.joined")]
    assert told["first"] == index + 1 + EPOCH
    assert told["events"][0]["data"] == {"after": index}
    assert [row["name"] for row in fresh.cluster()["members"]] == ["n1"]

    # it takes writes, and keeps them
    answer = fresh.call("POST", "/v1/tasks", task_body("afterwards", "new"))
    assert answer.status == 201 and int(answer.headers["X-Muster-Index"]) == index + 3 + EPOCH
    fresh.kill()
    fresh.start()
    wait_until("it leads again", fresh.leads)
    assert set(fresh.tasks()) == {*before, "afterwards"}


def test_blank_nodes_join_the_restored_one(saved, tmp_path):
    path, dev, index = saved
    with Cluster(tmp_path / "new") as new:
        assert restore(path, new.nodes[0]).returncode == 0
        new.start()
        wait_until("all of them vote", lambda: [
            row["role"] for row in new.leader().cluster()["members"]] == ["voter"] * 3)
        assert new.settled() == dev.tasks()
        assert new.leader() is new.nodes[0]
        assert new.nodes[2].call("GET", "/v1/events").json["first"] == index + 1 + EPOCH
        new.nodes[0].kill()  # what it brought is theirs too
        assert new.leader(new.nodes[1:]).tasks() == dev.tasks()
        new.nodes[0].start()
        assert new.settled() == dev.tasks()


def test_a_restored_node_can_be_saved_and_restored(saved, fresh, tmp_path):
    path, dev, index = saved
    assert restore(path, fresh).returncode == 0
    fresh.start()
    wait_until("it leads", fresh.leads)
    wait_until("it is in the member list", lambda: fresh.cluster()["members"][0]["name"])
    again = tmp_path / "again"
    second = save(fresh, again)
    assert second > index + EPOCH
    third = Node(tmp_path / "third", "other-name")
    assert restore(again, third).returncode == 0
    third.start()
    wait_until("it leads", third.leads)
    assert third.tasks() == dev.tasks()
    assert third.call("GET", "/v1/events").json["first"] == second + 1 + EPOCH
    third.end()


def test_a_folder_that_is_not_empty_is_refused(saved, fresh):
    path, dev, _ = saved
    found = restore(path, dev)  # it runs
    assert found.returncode == 1 and "another process holds" in found.stderr
    dev.stop()
    found = restore(path, dev)
    assert found.returncode == 1 and 'belongs to node "n1" already' in found.stderr
    dev.start()
    wait_until("it leads", dev.leads)
    assert set(dev.tasks()) == {"a", "b", "c"}

    fresh.data.mkdir()
    (fresh.data / "notes").write_text("mine")
    found = restore(path, fresh)
    assert found.returncode == 1 and "is not empty: notes is in it" in found.stderr
    assert sorted(entry.name for entry in fresh.data.iterdir()) == ["notes"]


def test_a_damaged_file_is_refused_and_nothing_is_made(saved, fresh, tmp_path):
    path, _, _ = saved
    whole = path.read_bytes()
    records = Snapshot(whole).records
    for record in records[::3] + records[-1:]:
        flip(path, record.offset + len(record) // 2)
        for found in (muster("snapshot", "verify", path), restore(path, fresh)):
            assert found.returncode == 1
            assert f"{path}: snapshot: " in found.stderr
            assert f"at byte {record.offset}" in found.stderr
        path.write_bytes(whole)
    for data, words in ((b"", "ends at byte 0 without an end"),
                        (whole[:-1], f"ends at byte {len(whole) - 1} without an end"),
                        (whole + b"\0", f"ends at byte {len(whole) + 1} without an end"),
                        (whole * 2, f"a record out of order at byte {len(whole)}"),
                        (b"\1\xff\xff\xff\xff", "a record that is too large at byte 0")):
        path.write_bytes(data)
        for found in (muster("snapshot", "verify", path), restore(path, fresh)):
            assert found.returncode == 1 and words in found.stderr, found.stderr
    found = muster("snapshot", "verify", tmp_path / "there-is-none")
    assert found.returncode == 1 and "No such file" in found.stderr
    assert not fresh.data.exists()


def test_a_restore_that_was_cut_off_is_refused_at_the_start_and_can_be_repeated(saved, fresh):
    path, dev, _ = saved

    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    found = restore(path, fresh, preexec_fn=small_files_only)
    assert found.returncode < 0  # SIGXFSZ, in the middle of the first segment
    code, said = fresh.start_fails()
    assert code == 4 and "run `muster snapshot restore` again" in said
    assert restore(path, fresh).returncode == 0
    fresh.start()
    wait_until("it leads", fresh.leads)
    assert fresh.tasks() == dev.tasks()


def test_wrong_command_lines_and_configurations(saved, fresh, tmp_path):
    path, _, _ = saved
    for arguments in (["snapshot"], ["snapshot", "burn"], ["snapshot", "verify"],
                      ["snapshot", "verify", path, path], ["snapshot", "restore", path],
                      ["snapshot", "restore", "--config", fresh.folder / "config.json"]):
        assert muster(*arguments).returncode == 2, arguments
    assert muster("snapshot", "--help").returncode == 0
    assert muster("snapshot", "verify", "--help").returncode == 0
    found = muster("snapshot", "restore", path, "--config", tmp_path / "there-is-none")
    assert found.returncode == 3
    config = json.loads((fresh.folder / "config.json").read_text())
    config["listen"]["peer"] = "127.0.0.1:0"
    (fresh.folder / "config.json").write_text(json.dumps(config))
    found = restore(path, fresh)
    assert found.returncode == 3 and "has no port" in found.stderr
    assert not fresh.data.exists()
