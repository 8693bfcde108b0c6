#!/usr/bin/python3
"""Prints the blocks of a pcapng file, a line each, and fails at what is malformed. Knows nothing of CAN.

  section PROGRAM | interface NAME LINKTYPE RESOLUTION | packet INTERFACE TIME DIRECTION DROPPED HEX | statistics INTERFACE RECEIVED DROPPED
"""
import struct
import sys


def options(content):
    found = {}
    while content:
        code, size = struct.unpack_from("=HH", content)
        if code == 0:
            assert size == 0 and len(content) == 4, "something behind the end of the options"
            break
        found[code] = content[4:4 + size]
        content = content[4 + (size + 3) // 4 * 4:]
    return found


def number(value):
    return int.from_bytes(value, sys.byteorder)


def main():
    data = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    names = []
    while data:
        kind, size = struct.unpack_from("=II", data)
        assert size % 4 == 0 and len(data) >= size and struct.unpack_from("=I", data, size - 4)[0] == size, "a block is cut"
        content, data = data[8:size - 4], data[size:]
        if kind == 0x0A0D0D0A:
            magic, major, minor, _ = struct.unpack_from("=IHHq", content)
            assert (magic, major, minor) == (0x1A2B3C4D, 1, 0)
            print("section", options(content[16:])[4].decode())
        elif kind == 1:
            linktype, _, snaplen = struct.unpack_from("=HHI", content)
            about = options(content[8:])
            assert snaplen >= 2060
            names.append(about[2].decode())
            print("interface", names[-1], linktype, number(about[9]))
        elif kind == 6:
            interface, high, low, captured, length = struct.unpack_from("=5I", content)
            about = options(content[20 + (captured + 3) // 4 * 4:])
            assert captured == length
            direction = {0: "-", 1: "in", 2: "out"}[number(about.get(2, b"")) & 3]
            print("packet", names[interface], f"{(high << 32 | low) / 1e9:.9f}", direction, number(about.get(4, b"")),
                  content[20:20 + captured].hex())
        elif kind == 5:
            about = options(content[12:])
            print("statistics", names[struct.unpack_from("=I", content)[0]], number(about[4]), number(about[5]))
        else:
            raise AssertionError(f"a block of type {kind:#x}")


main()
