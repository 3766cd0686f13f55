"""lab: the metadata service and the AWS API inside a machine, carried to the emulator over sockets mounted into it.

169.254.169.254:80 is the metadata service; 169.254.169.254:4599 the API of the emulated AWS. The emulator is told who
asks: an answer to a container of this machine takes one hop more than an answer to the machine itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

ADDRESS = "169.254.169.254"
METADATA = "/opt/lab/sockets/metadata"
API = "/opt/lab/api/api"
API_PORT = 4599


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
        writer.write_eof()


async def forward(path: str, greeting: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there, back = await asyncio.open_unix_connection(path)
    except OSError:
        writer.close()
        return
    back.write(greeting)
    await asyncio.gather(copy(reader, back), copy(there, writer))
    for each in (back, writer):
        each.close()


async def metadata(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Whoever asks from the machine itself does so from the very address that answers.
    hops = 1 if writer.get_extra_info("peername")[0] == ADDRESS else 2
    await forward(METADATA, f"{hops}\n".encode(), reader, writer)


async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await forward(API, b"", reader, writer)


def ready() -> None:
    """Tell systemd: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1))
        notify.sendall(b"READY=1")


async def main() -> None:
    servers = [
        await asyncio.start_server(metadata, ADDRESS, 80),
        await asyncio.start_server(api, ADDRESS, API_PORT),
    ]
    ready()
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main())
