#!/usr/bin/env python3
"""A timestamp authority over HTTP (RFC 3161 3.4): `openssl ts` behind a port.

usage: tsa_server.py PORT CONFIG   (port 0: any)

Prints the port when it listens.  POST / is answered well; POST to the other paths
of `faults` as a bad authority would.  /replay gets the first answer that was
given.  /by/NAME gets a token that is signed by NAME.pem, with NAME.key, which
`openssl ts` may refuse to do.  /attributes is as good as /, as Microsoft's is.
GET of any path says how often that has been asked.
"""

import collections
import http.server
import socket
import struct
import subprocess
import sys
import threading
import time

TYPE = "application/timestamp-reply"

asked = collections.Counter()
first = None
serial = threading.Lock()  # the file that openssl counts in


# AttributeCertificate of X.509 (1997), with next to nothing in it.
ATTRIBUTE_CERTIFICATE = bytes.fromhex(
    "3042a10230003000300306012a0201013022180f32303236303130313030303030305a"
    "180f32303336303130313030303030305a300e300c06035504033105"
    "0c03616263300306012a03020055")


def openssl(*arguments, data, prefix=()):
    return subprocess.run([*prefix, "openssl", *arguments], input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          check=True).stdout


def answer(query, *options, prefix=()):
    with serial:
        return openssl("ts", "-reply", "-config", sys.argv[2], "-queryfile",
                       "/dev/stdin", *options, data=query, prefix=prefix)


# --- tokens that `openssl ts` does not make ---------------------------------------


def der(tag, value):
    size = len(value)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    if size >= 0x80:
        return bytes([tag, 0x80 | len(octets)]) + octets + value
    return bytes([tag, size]) + value


def parts(octets):
    """The tag and the value of each in a row."""
    while octets:
        size, at = octets[1], 2
        if size >= 0x80:
            at += size & 0x7f
            size = int.from_bytes(octets[2:at], "big")
        yield octets[0], octets[at:at + size]
        octets = octets[at + size:]


def reply_with(token):
    """TimeStampResp (RFC 3161 2.4.2), granted."""
    return der(0x30, bytes.fromhex("3003020100") + token)


def signed_by(query, name, digest="sha256"):
    info = openssl("cms", "-verify", "-noverify", "-inform", "DER",
                   data=answer(query, "-token_out"))
    return reply_with(openssl(
        "cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-cades", "-md",
        digest, "-econtent_type", "id-smime-ct-TSTInfo", "-outform", "DER",
        "-signer", name + ".pem", "-inkey", name + ".key", data=info))


def with_attribute_certificate(query):
    (_, info), = parts(answer(query, "-token_out"))
    kind, (_, content) = parts(info)
    (_, signed), = parts(content)
    signed = b"".join(
        der(tag, value + der(0xa1, ATTRIBUTE_CERTIFICATE)
            if tag == 0xa0 else value) for tag, value in parts(signed))
    return reply_with(der(0x30, der(*kind) +
                          der(0xa0, der(0x30, signed))))


# --- the server -------------------------------------------------------------------


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
        "/attributes": lambda s, q: s.reply(with_attribute_certificate(q)),
        "/empty": lambda s, q: s.reply(b""),
        "/garbage": lambda s, q: s.reply(bytes(10_000_000)),
        "/headers": lambda s, q: s.reply(answer(q), X=90_000 * "x"),
        "/hour": lambda s, q: s.reply(answer(q, prefix=("faketime", "-f", "-1h"))),
        # The imprint is in front, the nonce and certReq are at the end.
        "/nonce": lambda s, q: s.reply(answer(flipped(q, -4))),
        "/other": lambda s, q: s.reply(answer(flipped(q, 40))),
        "/redirect": lambda s, q: s.reply(b"", 302, Location="/"),
        "/replay": lambda s, q: s.reply(first or answer(q)),
        "/sha1": lambda s, q: s.reply(signed_by(q, "tsa", "sha1")),
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
        if self.path.startswith("/by/"):
            self.reply(signed_by(query, self.path[4:]))
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
