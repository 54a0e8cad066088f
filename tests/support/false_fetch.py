#!/usr/bin/python3
"""An htsign-fetch that was taken over: it gives keyd timestamps of its own.

usage: false_fetch.py SOCKET MESSAGES_H WAY CONFIG FIRST

WAY is how: "other" has `openssl ts` stamp with CONFIG, an authority whose roots
nobody trusts; "replay" gives the token in the file FIRST again; "more" adds an
octet to that, "less" takes one away.
"""

import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

path, header, way, config, first = sys.argv[1:]

with open(header, encoding="utf-8") as source:
    enum = re.search(r"enum protocol_type \{(.*?)\};", source.read(), re.S)[1]
names = re.findall(r"\b(PROTOCOL_\w+)",
                   re.sub(r"/\*.*?\*/", "", enum, flags=re.S))
number = {name: i + 1 for i, name in enumerate(names)}


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">I", len(value)) + value


def read(size):
    data = b""
    while len(data) < size:
        more = link.recv(size - len(data))
        if not more:
            sys.exit()
        data += more
    return data


def say(kind, tag, body):
    link.sendall(struct.pack(">IHI", 6 + len(body), number[kind], tag) + body)


def field(body):
    size = struct.unpack(">I", body[:4])[0]
    return body[4:4 + size], body[4 + size:]


def stamp(digest, imprint):
    with tempfile.NamedTemporaryFile() as query:
        subprocess.run(["openssl", "ts", "-query", "-" + digest, "-digest",
                        imprint.hex(), "-cert", "-out", query.name],
                       check=True, stderr=subprocess.DEVNULL)
        return subprocess.run(["openssl", "ts", "-reply", "-config", config,
                               "-queryfile", query.name, "-token_out"],
                              check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout


link = socket.socket(socket.AF_UNIX)
link.connect(path)
say("PROTOCOL_FETCH_HELLO", 0, struct.pack(">I", 1))
while True:
    size, kind, tag = struct.unpack(">IHI", read(10))
    body = read(size - 6)
    if kind != number["PROTOCOL_STAMP"]:
        continue
    digest, body = field(body)
    imprint, body = field(body)
    servers = field(body[20:])[0]
    if way == "other":
        token = stamp(digest.decode(), imprint)
    else:
        with open(first, "rb") as source:
            token = source.read()
    token = {"more": token + b"\0", "less": token[:-1]}.get(way, token)
    say("PROTOCOL_STAMPED", tag,
        text(field(servers)[0]) + struct.pack(">Q", int(time.time())) +
        text("0a") + struct.pack(">I", 1) + text(token))
