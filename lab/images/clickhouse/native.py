"""ClickHouse's native TCP protocol, server side: what clickhouse-go needs, uncompressed.

Speaks revision 54448, whose blocks are byte for byte FORMAT Native:
https://clickhouse.com/docs/native-protocol/basics
"""

from __future__ import annotations

import logging
import socket
import socketserver
import struct

from .access import Configuration
from .engine import Column, Engine, error_code
from .statements import READS, Insert, insert, local

log = logging.getLogger("clickhouse")

REVISION = 54448
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
DATA_PREFIX = b"\x02\x00" + BLOCK_INFO
"""How a client's data packet starts: packet type, no temporary table, block information."""
LAST_BLOCK = DATA_PREFIX + b"\x00\x00"
HELLO, DATA, EXCEPTION, PONG, END_OF_STREAM = 0, 1, 2, 4, 5
CLIENT_HELLO, CLIENT_QUERY, CLIENT_CANCEL, CLIENT_PING = 0, 1, 3, 4
AUTHENTICATION_FAILED = 516
NOT_IMPLEMENTED = 48


class Refused(Exception):
    """The client must be told and the connection ended."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def string(text: str) -> bytes:
    encoded = text.encode()
    return varint(len(encoded)) + encoded


def exception(code: int, message: str) -> bytes:
    return varint(EXCEPTION) + struct.pack("<i", code) + string("DB::Exception") + string(message) + string("") + b"\0"


def header(columns: list[Column]) -> bytes:
    """A block of columns without rows."""
    return varint(len(columns)) + varint(0) + b"".join(string(name) + string(kind) for name, kind in columns)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], engine: Engine, configuration: Configuration) -> None:
        super().__init__(address, Connection)
        self.engine = engine
        self.configuration = configuration


class Connection(socketserver.BaseRequestHandler):
    """One client's connection: hello with user and password, then queries."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        self.buffer = bytearray()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self) -> None:
        try:
            if self._varint() != CLIENT_HELLO:
                raise Refused(NOT_IMPLEMENTED, "expected a client's hello")
            self._hello()
            while True:
                packet = self._varint()
                if packet == CLIENT_QUERY:
                    self._query()
                elif packet == CLIENT_PING:
                    self.request.sendall(varint(PONG))
                elif packet != CLIENT_CANCEL:
                    raise Refused(NOT_IMPLEMENTED, f"packet {packet} is not known to the lab's ClickHouse")
        except Refused as refusal:
            self.request.sendall(exception(refusal.code, str(refusal)))
        except (EOFError, ConnectionError):
            pass

    def _fill(self) -> None:
        chunk = self.request.recv(1 << 20)
        if not chunk:
            raise EOFError
        self.buffer += chunk

    def _take(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._fill()
        out = bytes(self.buffer[:size])
        del self.buffer[:size]
        return out

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _string(self) -> str:
        return self._take(self._varint()).decode("utf-8", "replace")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _skip(self, kinds: str) -> None:
        """Read past values: s for a string, n for a number, b for a byte."""
        readers = {"s": self._string, "n": self._varint, "b": self._byte}
        for kind in kinds:
            readers[kind]()

    def _hello(self) -> None:
        # Client's name, version and revision; and the database, which SigNoz names in every statement.
        self._skip("snnns")
        user, password = self._string(), self._string()
        if not self.server.configuration.authenticated(user, password, self.client_address[0]):
            log.warning("refused user %r from %s", user, self.client_address[0])
            raise Refused(AUTHENTICATION_FAILED, f"{user}: wrong password, or no such user from this address")
        version = varint(25) + varint(12) + varint(REVISION)
        self.request.sendall(varint(HELLO) + string("ClickHouse") + version + string("UTC") + string("lab") + varint(5))

    def _query(self) -> None:
        self._skip("s")
        if self._byte():  # client information
            self._skip("sssbsssnnnsnn")
            if self._byte():  # of a trace
                self._take(24)
                self._skip("sb")
        while self._string():  # settings: a name, flags and a value each, ended by an empty name
            self._skip("ns")
        self._skip("sn")  # interserver secret, stage
        if self._varint():
            raise Refused(NOT_IMPLEMENTED, "compression is not known to the lab's ClickHouse: use compress=none")
        sql = self._string().strip().rstrip(";")
        while not self.buffer.startswith(LAST_BLOCK):
            self._fill()
        del self.buffer[: len(LAST_BLOCK)]
        log.debug("query %s", sql)
        try:
            self._run(sql)
        except (EOFError, ConnectionError, Refused):
            raise
        except Exception as error:  # whatever the engine says is the client's to know
            log.warning("failed: %s: %s", sql[:300], str(error)[:500])
            self.request.sendall(exception(error_code(error), str(error)))

    def _run(self, sql: str) -> None:
        engine = self.server.engine
        statement = local(sql)
        if statement and (wanted := insert(statement)):
            self._insert(wanted)
        elif statement and READS.match(statement):
            columns, blocks = engine.read(sql)
            for block in (header(columns), *blocks):
                self._send(block)
        elif statement:
            engine.run(sql)
        self.request.sendall(varint(END_OF_STREAM))

    def _insert(self, wanted: Insert) -> None:
        columns = self.server.engine.columns(wanted)
        self._send(header(columns))
        while not self.buffer.endswith(LAST_BLOCK):
            self._fill()
        body, self.buffer = bytes(self.buffer[: -len(LAST_BLOCK)]), bytearray()
        if not body:
            return
        if not body.startswith(DATA_PREFIX):
            raise Refused(NOT_IMPLEMENTED, f"unexpected data packet {body[:16]!r}")
        self.server.engine.insert(wanted.table, columns, body[len(DATA_PREFIX) :])

    def _send(self, block: bytes) -> None:
        self.request.sendall(varint(DATA) + string("") + BLOCK_INFO + block)
