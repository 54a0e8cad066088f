#!/usr/bin/python3
"""A clamd that was taken over.

usage: false_clamd.py FOLDER

Listens at FOLDER/sock.  It finds EICAR's file, and calls all else clean, unless
FOLDER/mode has the name of something else to do with a stream.
"""

import os
import socket
import socketserver
import struct
import sys
import time

folder = sys.argv[1]
EICAR = b'EICAR-STANDARD-' + b'ANTIVIRUS-TEST-FILE!'

# What it answers at the end.
ANSWERS = {
    'nothing': b'', 'nuls': b'\0' * 5000, 'huge': b'x' * 1000000,
    'lines': b'stream: OK\nstream: X FOUND\n\0', 'half': b'stream: O',
    'newline': b'stream: OK\n', 'space': b'stream: OK \0',
    'other': b'other: OK\0',
    'escapes': b'stream: \x1b[2J\x1b]0;x\x07 FOUND\0',
    'octets': b'stream: \xff\xfe FOUND\0', 'breaks': b'stream: a\nb FOUND\0',
    'long': b'stream: ' + b'A' * 65536 + b' FOUND\0',
    'no-name': b'stream:  FOUND\0',
    'formats': b'stream: ' + b'%s%n' * 250 + b' FOUND\0',
}


def mode():
    try:
        with open(folder + '/mode', encoding='ascii') as source:
            return source.read().strip()
    except OSError:
        return ''


class Connection(socketserver.StreamRequestHandler):
    def reset(self):
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack('ii', 1, 0))

    def handle(self):
        try:
            self.serve(mode())
        except OSError:
            pass

    def serve(self, way):
        word = b''
        while not word.endswith(b'\0'):
            octet = self.rfile.read(1)
            if not octet:
                return
            word += octet
        if word == b'zVERSION\0':
            self.wfile.write(time.strftime(
                'ClamAV 1.4.3/27000/%a %b %d %H:%M:%S %Y', time.gmtime())
                .encode() + b'\0')
            return
        if way == 'early':
            self.wfile.write(b'stream: OK\0')
            return
        found, tail = False, b''
        while True:
            size = struct.unpack('>I', self.rfile.read(4) or bytes(4))[0]
            if size == 0:
                break
            tail = tail[-len(EICAR):] + self.rfile.read(size)
            found = found or EICAR in tail
            if way == 'reset':
                self.reset()
                return
        self.wfile.write(ANSWERS.get(
            way, b'stream: Eicar FOUND\0' if found else b'stream: OK\0'))


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 256


Server(os.path.join(folder, 'sock'), Connection).serve_forever()
