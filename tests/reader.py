#!/usr/bin/env python3
"""Prints every entry of a tapelog journal as one line of JSON: reader.py JOURNAL_DIRECTORY

Written from docs/format.md alone, with the standard library alone, to prove that the document is
enough. Entries come as they stand in the journal, which keeps each lane's order. Numbers have all
their digits, bytes are hexadecimal, times RFC 3339; what was cut ends with an ellipsis. Damage and
records that cannot be decoded are told on stderr, and by exit code 1.
"""
import ctypes, json, math, re, struct, sys, uuid
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

LEVELS = (None, "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
REASONS = ("full", "lane", "reentrant", "closed", "view_lag", "disk")
TABLE = list(range(65536))  # of CRC-32C, for two bytes at a time
for _ in range(16):
    TABLE = [value >> 1 ^ (value & 1) * 0x82F63B78 for value in TABLE]


def crc32c(data):
    crc = 0xFFFFFFFF
    for (pair,) in struct.iter_unpack("<H", data):
        crc = crc >> 16 ^ TABLE[(crc ^ pair) & 0xFFFF]
    return crc ^ 0xFFFFFFFF


def rfc3339(nanos):
    second = datetime(1970, 1, 1) + timedelta(seconds=nanos // 10**9)
    fraction = re.sub("(000)+$", "", f".{nanos % 10**9:09}").rstrip(".")
    return json.dumps(f"{second.isoformat()}{fraction}Z")


def floating(value, single):
    if not math.isfinite(value):
        return json.dumps("NaN" if value != value else "Infinity" if value > 0 else "-Infinity")
    short = (f"{value:.{digits}g}" for digits in range(1, 10) if single)
    return next((text for text in short if ctypes.c_float(float(text)).value == value), repr(value))


def place(frame, modules):
    module, offset = divmod(frame, 1 << 48)
    known = (name.rsplit(" ", 1)[0] for name in modules[module:])
    return hex(offset) if module == 0xFFFF else f"{next(known, 'unknown')}+{offset:#x}"


class Input:
    """Takes one thing after the other from some bytes; `line` turns ticks into time."""

    def __init__(self, data, line):
        self.data, self.line, self.at = data, line, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def bytes(self, count):
        return self.take(f"{count}s")

    def text(self):
        return self.bytes(self.take("H")).decode()

    def wide(self, signed):
        return int.from_bytes(self.bytes(16), "little", signed=signed)

    def cuttable(self, show):
        cut, length = divmod(self.take("I"), 1 << 31)
        return json.dumps(show(self.bytes(length)) + "…" * cut)

    def ticks(self):
        since, unix_nanos, slope = self.line
        elapsed = (self.take("Q") - since + 2**63) % 2**64 - 2**63
        return max(-(2**63), min(2**63 - 1, unix_nanos + (elapsed * slope >> 32)))

    def value(self, code):
        if code & 0x80 and (False, True)[self.take("B")] is False:
            return "null"
        if code & 0x40:
            cut, count = divmod(self.take("I"), 1 << 31)
            items = [self.value(code & 63) for _ in range(count)] + [json.dumps("…")] * cut
            return "[" + ",".join(items) + "]"
        return SCALARS[code & 63](self)

    def fields(self, count):
        return [(self.take("B"), self.text()) for _ in range(count)]


SCALARS = {
    0x01: lambda source: ("false", "true")[source.take("B")],
    0x02: lambda source: json.dumps(chr(source.take("I"))),
    0x0C: lambda source: str(source.wide(False)),
    0x14: lambda source: str(source.wide(True)),
    0x18: lambda source: floating(source.take("f"), True),
    0x19: lambda source: floating(source.take("d"), False),
    0x20: lambda source: source.cuttable(bytes.decode),
    0x21: lambda source: source.cuttable(bytes.hex),
    0x28: lambda source: rfc3339(source.take("q")),
    0x29: lambda source: format(Decimal("%de-%d" % (source.wide(True), source.take("B"))), "f"),
    0x2A: lambda source: json.dumps(str(uuid.UUID(bytes=source.bytes(16)))),
    0x2B: lambda source: rfc3339(source.ticks()),
}
for code, form in zip((0x08, 0x09, 0x0A, 0x0B, 0x10, 0x11, 0x12, 0x13), "BHIQbhiq"):
    SCALARS[code] = lambda source, form=form: str(source.take(form))


class Reader:
    def __init__(self):
        self.writer, self.losses, self.complaints = None, {}, 0

    def complain(self, *words):
        self.complaints += 1
        print(self.path, *words, file=sys.stderr)

    def segment(self, path):
        self.path, self.data = path, path.read_bytes().ljust(4200, b"\0")
        page = struct.unpack_from("<8sHHIQQQQQ", self.data)
        magic, version, fixed, _, required, _, sequence, self.use, writer = page
        crc = struct.unpack_from("<I", self.data, fixed - 4)[0] if 224 <= fixed <= 512 else None
        if crc is None or sequence != int(path.stem) or crc32c(self.data[:fixed - 4]) != crc:
            self.complain("has a damaged first page")
            self.use, writer = struct.unpack_from("<Q32xQ", self.data, 4096 + 16)
            if not self.frame_length(4096):
                return
        elif magic != b"TAPELOG\0" or version != 1 or required:
            return self.complain("is no segment that this reader knows")
        if writer != self.writer:
            self.writer = writer
        *opening, crc = struct.unpack_from("<QqQI", self.data, 256)
        self.line = opening if crc32c(self.data[40:48] + self.data[256:280]) == crc else None
        self.sites, self.contexts = {}, {}
        at, cursor = 4096, struct.unpack_from("<Q", self.data, 512)[0]
        while (length := self.frame_length(at)) or at < cursor:
            if length and self.frame(at, length) == 7:
                return
            at += length
            if not length:
                places = range(at + 8, len(self.data), 8)
                behind = next(filter(self.frame_length, places), len(self.data))
                self.complain(f"is damaged from {at} to {behind}")
                at = behind if behind < len(self.data) else cursor

    def frame_length(self, at):
        """The length of the valid frame there; 0 if there is none."""
        if at + 32 > len(self.data):
            return 0
        crc, length, _, _, _, use, _, offset = struct.unpack_from("<IIHHIQII", self.data, at)
        room = min(2 << 20, len(self.data) - at)
        if use != self.use or offset != at or length % 8 or not 32 <= length <= room:
            return 0
        return length if crc32c(self.data[at + 4 : at + length]) == crc else 0

    def frame(self, at, length):
        kind, _, count = struct.unpack_from("<HHI", self.data, at + 8)
        if kind in (2, 3):
            ring, id, length = struct.unpack_from("<QII", self.data, at + 32)
            definitions = self.sites if kind == 2 else self.contexts
            definitions[ring, id] = self.data[at + 48 : at + 48 + length]
        elif kind == 4:
            self.line = struct.unpack_from("<QqQ", self.data, at + 32)
        elif kind in (1, 5):
            (ring,), start = struct.unpack_from("<Q", self.data, at + 32), at + 104
            for _ in range(count):
                size = max(24, int.from_bytes(self.data[start : start + 4], "little"))
                if start + size > at + length:
                    self.complain(f"has a frame at {at} that holds too few records")
                    break
                try:
                    self.record(ring, Input(self.data[start : start + size], self.line))
                except (struct.error, ValueError, LookupError, TypeError, ArithmeticError) as why:
                    self.complain(f"has a record at {start} that cannot be decoded: {why!r}")
                start += size
        return kind

    def record(self, ring, source):
        _, site, context, flags, _ = source.take("IIIHH")
        nanos = source.take("q") if flags & 3 == 2 else source.ticks()
        if site == 0:
            return self.gap(ring, nanos, source)
        site = source.bytes(source.take("I")) if flags & 4 else self.sites[ring, site]
        if flags & 8:
            context = source.bytes(source.take("I"))
        else:
            unknown = b"\1\0\x0a\x11\0undefined_context" + context.to_bytes(4, "little")
            context = self.contexts.get((ring, context), unknown) if context else b"\0\0"
        site, context = Input(site, source.line), Input(context, source.line)
        level, trade, count, _line = site.take("BBHI")
        event, _target, _file = site.text(), site.text(), site.text()
        fields = [(name, source.value(code)) for code, name in site.fields(count)]
        if trade & 2:
            frames, modules = (json.loads(value) for _, value in fields[-2:])
            frames = (frame if frame == "…" else place(frame, modules) for frame in frames)
            fields[-2:] = [("backtrace", json.dumps(list(frames)))]
        bound = (context.fields(1)[0] for _ in range(context.take("H")))
        bound = [(name, context.value(code)) for code, name in bound]
        category = next((value for name, value in fields + bound if name == "category"), None)
        trade = bool(trade & 1) or category == '"trade"'
        self.show(nanos, LEVELS[level], trade, event, fields, bound)

    def gap(self, ring, nanos, source):
        lane, totals = (ring, *source.take("II")), source.take("7Q")
        *lost, trade = (now - then for now, then in zip(totals, self.losses.get(lane, (0,) * 7)))
        self.losses[lane] = totals
        fields = [("lost", sum(lost)), *(pair for pair in zip(REASONS, lost) if pair[1])]
        times = [(name, rfc3339(source.ticks())) for name in ("first", "last")]
        fields += [("trade", trade), *times]
        if sum(lost):
            self.show(nanos, "WARNING", trade > 0, "logger.gap", fields, [])

    def show(self, nanos, level, trade, event, *fields):
        pairs = ([f"[{json.dumps(name)},{value}]" for name, value in part] for part in fields)
        call, context = (",".join(part) for part in pairs)
        print(f'{{"time_ns":{nanos},"level":"{level}","trade":{json.dumps(trade)}', end=",")
        print(f'"text":{json.dumps(event)},"fields":[{call}],"context":[{context}]}}')


if __name__ == "__main__":
    reader = Reader()
    for path in sorted(Path(sys.argv[1]).iterdir()):
        if re.fullmatch(r"\d{20}\.tape", path.name):
            reader.segment(path)
    sys.exit(1 if reader.complaints else 0)
