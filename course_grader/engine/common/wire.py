"""Frames over a socket: a JSON message and the raw bytes of arrays that belong to it.

Both ends check sizes before they make room. Nothing here unpickles.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence

HEADER = struct.Struct("<IIQ")  # bytes of JSON, number of blobs, bytes of all blobs
MESSAGE = 64 << 20  # most bytes of JSON
SMALL = 64 << 10  # bytes; what is larger is not copied to be sent
BLOBS, BLOB_BYTES = 100_000, 1 << 30


class Gone(ConnectionError):
    """The other end has closed, or died."""


class Late(TimeoutError):
    """The other end has not answered in time."""


class Malformed(ValueError):
    """The other end sent what no fair program sends."""


class Channel:
    """One end of a connected stream socket."""

    def __init__(self, end: socket.socket):
        self.end = end

    def send(
        self, message: dict, blobs: Sequence = (), deadline: float | None = None
    ) -> None:
        """Send a message with its blobs (anything that has a buffer).

        `deadline` is as in `receive`: the other end may have stopped reading.
        """
        views = [memoryview(blob).cast("B") for blob in blobs]
        text = json.dumps(message, separators=(",", ":")).encode()
        total = sum(len(view) for view in views)
        if len(text) > MESSAGE or len(views) > BLOBS or total > BLOB_BYTES:
            size = len(text) + total
            raise Malformed(f"a message of {size:,} bytes is larger than may be sent")
        sizes = struct.pack(f"<{len(views)}Q", *(len(view) for view in views))
        head = HEADER.pack(len(text), len(views), total) + sizes + text
        try:
            for part in _joined([head, *views]):
                self.end.settimeout(_left(deadline))
                self.end.sendall(part)
        except TimeoutError:
            raise Late from None
        except OSError as error:
            raise Gone(str(error)) from error

    def receive(self, deadline: float | None = None) -> tuple[dict, list[memoryview]]:
        """Return the next message. `deadline` is a time.monotonic(), None is for ever.

        Raises Gone, Late or Malformed.
        """
        head = self._read(HEADER.size, deadline)
        text, count, total = HEADER.unpack(head)
        if text > MESSAGE or count > BLOBS or total > BLOB_BYTES:
            raise Malformed(f"a message of {text + total:,} bytes in {count:,} parts")
        rest = self._read(8 * count + text, deadline)
        sizes = struct.unpack_from(f"<{count}Q", rest)
        if sum(sizes) != total:
            raise Malformed("the parts of a message do not add up")
        try:
            message = json.loads(rest[8 * count :])
        except (ValueError, RecursionError) as error:
            raise Malformed(f"not JSON: {error}") from None
        if not isinstance(message, dict):
            raise Malformed("a message that is no object")
        whole, start, blobs = memoryview(self._read(total, deadline)), 0, []
        for size in sizes:
            blobs.append(whole[start : start + size])
            start += size
        return message, blobs

    def is_ready(self, deadline: float | None = None) -> bool:
        """Wait until there is something to receive; False when it is too late."""
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        return bool(select.select([self.end], [], [], left)[0])

    def close(self) -> None:
        self.end.close()

    def _read(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            self.end.settimeout(_left(deadline))
            try:
                got = self.end.recv_into(view)
            except TimeoutError:
                raise Late from None
            except OSError as error:
                raise Gone(str(error)) from error
            if not got:
                raise Gone("closed")
            view = view[got:]
        return data


def _joined(parts: list) -> Iterator:
    """Yield the parts, small ones together: each piece is a call of the system's."""
    small = bytearray()
    for part in parts:
        if len(part) > SMALL:
            yield from (small, part)
            small = bytearray()
        else:
            small += part
    yield small


def _left(deadline: float | None) -> float | None:
    """Return the seconds until a deadline; Late when there are none."""
    left = None if deadline is None else deadline - time.monotonic()
    if left is not None and left <= 0:
        raise Late
    return left
