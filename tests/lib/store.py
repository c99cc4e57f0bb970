# SPDX-License-Identifier: Apache-2.0
"""The bytes of a node's log as raft/README.md gives them, to damage them knowingly."""
import struct

SECTOR = 512
PART = SECTOR - 16


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def seal(segment, offset, place, frame, piece):
    """One sector of a frame."""
    rest = struct.pack("<IQ", place, frame) + piece.ljust(PART, b"\0")
    crc = crc32c(crc32c(0, struct.pack("<QQ", segment, offset)), rest)
    return struct.pack("<I", crc) + rest


def log_holds(node, text):
    """Is it in the log on disk? A node shows what a majority has, which may be before its
    own log has it."""
    for path in (node.data / "raft").glob("log-*"):
        data = path.read_bytes()
        if text in b"".join(data[at + 16:at + SECTOR] for at in range(0, len(data), SECTOR)):
            return True
    return False


class Segment:
    """The last segment of a stopped node that holds frames."""

    def __init__(self, node):
        self.folder = node.data / "raft"
        for path in sorted(self.folder.glob("log-*"), reverse=True):
            data = path.read_bytes()
            sectors = [data[at:at + SECTOR] for at in range(0, len(data), SECTOR)]
            written = [n for n, sector in enumerate(sectors) if n and any(sector)]
            if written:
                break
        else:
            raise AssertionError("no frame in any segment")
        self.path = path
        self.number = int(path.name.removeprefix("log-"))
        self.end = (written[-1] + 1) * SECTOR
        self.frames = {}  # number: offset of its first sector
        for n in written:
            crc, place, number = struct.unpack_from("<IIQ", sectors[n])
            assert seal(self.number, n * SECTOR, place, number,
                        sectors[n][16:]) == sectors[n], "not as raft/README.md says"
            if place == 0:
                self.frames[number] = n * SECTOR
        self.last = max(self.frames)

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def tear(self, places, of):
        """Behind the last frame, the sectors at `places` of a next one that has `of`."""
        content = struct.pack("<I", of * PART - 100) + bytes(range(1, 200)) * of * 3
        for place in places:
            at = self.end + place * SECTOR
            piece = content[place * PART:(place + 1) * PART]
            self.write(at, seal(self.number, at, place, self.last + 1, piece))


    def exchange(self, old, new):
        """Other bytes, as many, wherever the log has the old ones, and every checksum made
        right: as if the node had been given something else than the others."""
        assert len(old) == len(new)
        data = self.path.read_bytes()
        found, previous = 0, None
        for number in sorted(self.frames):
            at = self.frames[number]
            end = self.frames.get(number + 1, self.end)
            content = bytearray(b"".join(data[n + 16:n + SECTOR]
                                         for n in range(at, end, SECTOR)))
            found += content.count(old)
            content = content.replace(old, new)
            length, chain, before = struct.unpack_from("<III", content)
            previous = before if previous is None else previous
            struct.pack_into("<II", content, 4, 0, previous)
            crc = crc32c(previous, bytes(content[:length]))
            struct.pack_into("<I", content, 4, crc)
            if found == 0:
                assert crc == chain, "not as raft/README.md says"
            previous = crc
            for place in range((end - at) // SECTOR):
                self.write(at + place * SECTOR,
                           seal(self.number, at + place * SECTOR, place, number,
                                bytes(content[place * PART:(place + 1) * PART])))
        assert found, f"{old!r} is not in {self.path}"


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def raise_term(node, by):
    """A stopped node finds itself `by` terms later, without a vote, in both anchors."""
    for path in sorted((node.data / "raft").glob("anchor-*")):
        anchor = bytearray(path.read_bytes())
        assert anchor[:8] == b"MUSTRANC"
        term, = struct.unpack_from("<Q", anchor, 40)
        struct.pack_into("<QQ", anchor, 40, term + by, 0)
        struct.pack_into("<I", anchor, 12, 0)
        struct.pack_into("<I", anchor, 12, crc32c(0, bytes(anchor[:SECTOR])))
        path.write_bytes(anchor)
