"""Print what an SSH server offers before anybody has said who he is.

    kexinit.py PORT

Each list of its SSH_MSG_KEXINIT (RFC 4253, 7.1) is a line: the list's name, a
colon, and each name after a space.
"""

import socket
import struct
import sys

# The same name for both directions.
LISTS = (
    "key exchange",
    "host key",
    "encryption",
    "encryption",
    "MAC",
    "MAC",
    "compression",
    "compression",
    "languages",
    "languages",
)
MSG_KEXINIT = 20
COOKIE = 16

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as s:
    s.sendall(b"SSH-2.0-kexinit\r\n")
    with s.makefile("rb") as stream:
        if not stream.readline().startswith(b"SSH-2.0-"):
            sys.exit("no SSH server")
        length, padding = struct.unpack(">IB", stream.read(5))
        payload = stream.read(length - 1)[: length - 1 - padding]
if payload[0] != MSG_KEXINIT:
    sys.exit("the first message is no KEXINIT")
at = 1 + COOKIE
for name in LISTS:
    (size,) = struct.unpack_from(">I", payload, at)
    names = payload[at + 4 : at + 4 + size].decode()
    print(f"{name}:", *names.split(",") if names else ())
    at += 4 + size
