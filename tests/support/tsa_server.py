#!/usr/bin/env python3
"""A timestamp authority over HTTP (RFC 3161 3.4): `openssl ts` behind a port.

usage: tsa_server.py PORT CONFIG   (port 0: any)

Prints the port when it listens.  POST / is answered well; POST to the other paths
of `faults` as a bad authority would.  /replay gets the first answer that was
given.  GET of any path says how often that has been asked.
"""

import collections
import http.server
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TYPE = "application/timestamp-reply"

asked = collections.Counter()
first = None
serial = threading.Lock()  # the file that openssl counts in


def openssl(*arguments, prefix=()):
    return subprocess.run([*prefix, "openssl", "ts", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout


def answer(query, prefix=()):
    with tempfile.NamedTemporaryFile() as request, serial:
        request.write(query)
        request.flush()
        return openssl("-reply", "-config", sys.argv[2], "-queryfile",
                       request.name, prefix=prefix)


def flipped(query, index):
    """The query with another octet at index."""
    query = bytearray(query)
    query[index] ^= 1
    return bytes(query)


class Authority(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, body, status=200, kind=TYPE, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang(self, query):
        time.sleep(3600)

    def reset(self, query):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def slow(self, query):
        body = answer(query)
        self.send_response(200)
        self.send_header("Content-Type", TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for octet in body:
            self.wfile.write(bytes([octet]))
            time.sleep(1)

    def late(self, query):
        time.sleep(0.3)
        self.reply(answer(query))

    def busy_once(self, query):
        if asked[self.path] == 1:
            self.reply(b"", 429, Retry_After="1")
        else:
            self.reply(answer(query))

    faults = {
        "/busy-once": busy_once,
        "/hang": hang,
        "/late": late,
        "/reset": reset,
        "/slow": slow,
        "/429": lambda s, q: s.reply(b"", 429),
        "/503": lambda s, q: s.reply(b"", 503),
        "/empty": lambda s, q: s.reply(b""),
        "/garbage": lambda s, q: s.reply(bytes(10_000_000)),
        "/headers": lambda s, q: s.reply(answer(q), X=90_000 * "x"),
        "/hour": lambda s, q: s.reply(answer(q, ["faketime", "-f", "-1h"])),
        # The imprint is in front, the nonce and certReq are at the end.
        "/nonce": lambda s, q: s.reply(answer(flipped(q, -4))),
        "/other": lambda s, q: s.reply(answer(flipped(q, 40))),
        "/redirect": lambda s, q: s.reply(b"", 302, Location="/"),
        "/replay": lambda s, q: s.reply(first or answer(q)),
        "/status2": lambda s, q: s.reply(bytes.fromhex("30053003020102")),
        "/status5": lambda s, q: s.reply(bytes.fromhex("30053003020105")),
        "/trailing": lambda s, q: s.reply(answer(q) + b"\0"),
        "/type": lambda s, q: s.reply(answer(q), kind="text/html"),
    }

    def do_POST(self):
        global first
        query = self.rfile.read(int(self.headers["Content-Length"]))
        asked[self.path] += 1
        if self.path in self.faults:
            self.faults[self.path](self, query)
            return
        body = answer(query)
        first = first or body
        self.reply(body)

    def do_GET(self):
        self.reply(b"%d\n" % asked[self.path], kind="text/plain")

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", int(sys.argv[1])), Authority)
print(server.server_port, flush=True)
server.serve_forever()
