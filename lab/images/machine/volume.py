"""lab: holds a volume as a block device for as long as it is attached.

    volume.py FILE GIB

It prints the number of the loop device, then "ok" for each larger size in GiB that it reads, and ends with its input.
The device goes when nobody has it open any more (LO_FLAGS_AUTOCLEAR): neither a machine nor a volume that is killed
leaves one behind. The structures are those of Linux' include/uapi/linux/loop.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import sys

LOOP_MAJOR = 7
CONTROL = "/dev/loop-control"
CONTROL_NUMBER = (10, 237)
LOOP_SET_CAPACITY, LOOP_CONFIGURE, LOOP_CTL_GET_FREE = 0x4C07, 0x4C0A, 0x4C82
AUTOCLEAR = 4
# fd, block size; lo_device, inode, rdevice, offset, size limit; number, encryption type, key size, flags; names, key,
# init; reserved.
LOOP_CONFIG = struct.Struct("=II QQQQQ IIII 64s64s32s QQ 64s")
GIB = 2**30


def grow(file: int, gib: int) -> None:
    """A volume becomes larger, never smaller."""
    if os.fstat(file).st_size < gib * GIB:
        os.truncate(file, gib * GIB)


def device(number: int) -> str:
    path = f"/dev/loop{number}"
    if not os.path.exists(path):  # noqa: PTH110
        os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(LOOP_MAJOR, number))
    return path


def attach(file: int) -> tuple[int, int]:
    """The number of a loop device over `file`, and it opened."""
    if not os.path.exists(CONTROL):  # noqa: PTH110
        os.mknod(CONTROL, stat.S_IFCHR | 0o600, os.makedev(*CONTROL_NUMBER))
    control = os.open(CONTROL, os.O_RDWR)
    while True:
        number = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
        loop = os.open(device(number), os.O_RDWR)
        numbers = (file, 512, 0, 0, 0, 0, 0, 0, 0, 0, AUTOCLEAR)
        try:
            fcntl.ioctl(loop, LOOP_CONFIGURE, LOOP_CONFIG.pack(*numbers, b"lab", b"", b"", 0, 0, b""))
        except OSError as error:
            os.close(loop)
            if error.errno != errno.EBUSY:  # somebody else took it in between
                raise
        else:
            return number, loop


def main(path: str, gib: int) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    grow(file, gib)
    number, loop = attach(file)
    print(number, flush=True)
    for line in sys.stdin:
        grow(file, int(line))
        fcntl.ioctl(loop, LOOP_SET_CAPACITY)
        print("ok", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
