# SPDX-License-Identifier: Apache-2.0
"""Files of a node torn, flipped, gone, another's: torn is cut, damage is refused with file
and offset, and the other two go on meanwhile."""
import re
import shutil

import pytest

from lib.load import Load
from lib.store import Segment, flip
from lib.wait import wait_until


@pytest.fixture
def victim(cluster):
    """A follower, killed under load; `victim.load` was promised what must be there."""
    node = cluster.followers()[0]
    with Load(cluster) as load:
        load.goes_on()
        node.kill()
        load.goes_on(10)
    node.load = load
    return node


def comes_back(cluster, victim):
    victim.start()
    victim.load.check(cluster.settled())


def refuses(victim, name):
    code, said = victim.start_fails()
    assert code == 4, said
    assert "cannot start" in said and name in said
    return said


@pytest.mark.sanitized
@pytest.mark.parametrize("places, of", [
    ([0], 3), ([0, 1], 3), ([1], 3), ([2], 3), ([0, 2], 3), ([0], 2),
])
def test_a_torn_frame_is_cut(cluster, victim, places, of):
    Segment(victim).tear(places, of)
    comes_back(cluster, victim)
    assert re.search(r"\[WARN\].*segment \d+, offset \d+: .* torn", victim.log()), victim.log()


def test_a_whole_frame_with_a_wrong_chain_is_damage(cluster, victim):
    segment = Segment(victim)
    segment.tear([0, 1, 2], 3)
    said = refuses(victim, segment.path.name)
    assert f"offset {segment.end}" in said


@pytest.mark.sanitized
def test_a_flipped_byte_in_the_log_is_refused_with_file_and_offset(cluster, victim):
    segment = Segment(victim)
    frames = sorted(segment.frames.values())
    for at in [frames[0], frames[len(frames) // 2] + 300, frames[-1] + 17]:
        flip(segment.path, at)
        said = refuses(victim, segment.path.name)
        assert f"offset {at // 512 * 512}" in said
        flip(segment.path, at)
    comes_back(cluster, victim)


def test_a_flipped_byte_in_a_header_or_the_identity_is_refused(cluster, victim):
    folder = victim.data / "raft"
    for name in [Segment(victim).path.name, "identity"]:
        for at in [0, 13, 20, 30]:
            flip(folder / name, at)
            refuses(victim, name)
            flip(folder / name, at)
    comes_back(cluster, victim)


def test_a_frame_that_became_zeros_is_refused(cluster, victim):
    segment = Segment(victim)
    numbers = sorted(segment.frames)
    first, second = (segment.frames[n] for n in numbers[-3:-1])
    with open(segment.path, "rb") as file:
        file.seek(first)
        kept = file.read(second - first)
    segment.write(first, bytes(second - first))
    said = refuses(victim, segment.path.name)
    assert f"offset {first}" in said
    segment.write(first, kept)
    comes_back(cluster, victim)


def test_one_anchor_may_be_lost_but_not_both(cluster, victim):
    folder = victim.data / "raft"
    for name in ["anchor-1", "anchor-2"]:
        kept = (folder / name).read_bytes()
        flip(folder / name, 41)
        victim.start()
        wait_until("it is ready", victim.ready)
        assert name in victim.log()
        victim.kill()
        (folder / name).unlink()
        victim.start()
        wait_until("it is ready", victim.ready)
        victim.kill()
        assert len((folder / name).read_bytes()) == len(kept)
    for name in ["anchor-1", "anchor-2"]:
        flip(folder / name, 41)
    refuses(victim, "anchor-")
    for name in ["anchor-1", "anchor-2"]:
        flip(folder / name, 41)
    comes_back(cluster, victim)


@pytest.mark.parametrize("name", ["identity", "anchor-1", "log-00000000000000000001"])
def test_a_missing_file_is_refused_or_made_again(cluster, victim, name, tmp_path):
    path = victim.data / "raft" / name
    shutil.move(path, tmp_path / "kept")
    if name == "anchor-1":
        comes_back(cluster, victim)
        return
    refuses(victim, name)
    shutil.move(tmp_path / "kept", path)
    comes_back(cluster, victim)


def test_a_file_cut_short_or_of_another_node_is_refused(cluster, victim):
    segment = Segment(victim)
    whole = segment.path.read_bytes()
    segment.path.write_bytes(whole[:segment.end - 512])
    refuses(victim, segment.path.name)
    other = next(n for n in cluster.nodes if n is not victim)
    shutil.copy(other.data / "raft" / segment.path.name, segment.path)
    refuses(victim, segment.path.name)
    segment.path.write_bytes(whole)
    comes_back(cluster, victim)


def test_a_file_that_does_not_belong_is_refused_by_name(cluster, victim):
    stranger = victim.data / "raft" / "log-00000000000000000099"
    shutil.copy(Segment(victim).path, stranger)
    refuses(victim, stranger.name)
    stranger.unlink()
    comes_back(cluster, victim)


def test_all_three_are_killed_and_each_log_ends_in_a_torn_frame(cluster):
    with Load(cluster) as load:
        load.goes_on()
        for node in cluster.nodes:
            node.kill()
    for node in cluster.nodes:
        Segment(node).tear([0, 2], 4)
    cluster.start()
    load.check(cluster.settled())
