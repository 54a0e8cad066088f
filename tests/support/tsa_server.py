#!/usr/bin/env python3
"""A timestamp authority over HTTP (RFC 3161 3.4): `openssl ts` behind a port.

usage: tsa_server.py PORT CONFIG   (port 0: any)

Prints the port when it listens.  Whatever is asked at /replay is answered with
the first answer that was given, as a bad authority would.
"""

import http.server
import subprocess
import sys
import tempfile

first = None


def answer(query):
    with tempfile.NamedTemporaryFile() as request:
        request.write(query)
        request.flush()
        return subprocess.run(
            ["openssl", "ts", "-reply", "-config", sys.argv[2],
             "-queryfile", request.name],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            check=True).stdout


class Authority(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global first
        query = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/replay" or first is None:
            reply = answer(query)
        else:
            reply = first
        first = first or reply
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args):
        pass


server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Authority)
print(server.server_port, flush=True)
server.serve_forever()
