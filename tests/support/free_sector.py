#!/usr/bin/python3
"""free_sector.py PACKAGE: make the longest stream of an MSI a sector shorter.

The sector is free then, and has its data still.  Prints where it is, and how
many of its bytes are not zero.
"""

import struct
import sys

with open(sys.argv[1], "r+b") as package:
    data = bytearray(package.read())
    def number(at):
        return struct.unpack_from("<I", data, at)[0]
    def fat(n):
        return 512 * (number(0x4c + 4 * (n // 128)) + 1) + 4 * (n % 128)
    entries = []
    sector = number(0x30)
    while sector < 0xfffffffa:
        entries += [512 * (sector + 1) + 128 * i for i in range(4)]
        sector = number(fat(sector))
    entry = max((at for at in entries if data[at + 0x42] == 2),
        key=lambda at: number(at + 0x78))
    size = (number(entry + 0x78) - 1) // 512 * 512
    sector = number(entry + 0x74)
    for _ in range(size // 512 - 1):
        sector = number(fat(sector))
    freed = number(fat(sector))
    struct.pack_into("<I", data, fat(sector), 0xfffffffe)
    struct.pack_into("<I", data, fat(freed), 0xffffffff)
    struct.pack_into("<I", data, entry + 0x78, size)
    at = 512 * (freed + 1)
    print(at, sum(1 for byte in data[at:at + 512] if byte))
    package.seek(0)
    package.write(data)
