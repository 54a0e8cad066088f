#!/usr/bin/env python3
"""A PIV card (NIST SP 800-73-4) in a reader of vpcd, with a P-256 key in slot 9C
that wants its PIN before each signature, and one in slot 9A that does not.

	piv_card.py PORT 9C.PEM 9A.PEM

writes the certificates, connects, prints "ready", and serves until the reader
goes away.  The PIN is 123456; three wrong ones lock it.  Of Yubico's commands it
has version and serial number, which ykcs11 asks for.  Each PIN and signature is
a line on stdout: "pin right", "pin wrong", "9c signed", "9c refused" ...
"""

import datetime
import socket
import struct
import sys
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PIN = b"123456\xff\xff"
# The answer to reset of a YubiKey 4, by which OpenSC knows the card.
ATR = bytes.fromhex("3bf81300008131fe15597562696b657934d4")
OK, NOT_FOUND = b"\x90\x00", b"\x6a\x82"
ALWAYS = 0x9C


def tlv(tag, value):
    n = len(value)
    if n < 128:
        length = bytes([n])
    elif n < 256:
        length = bytes([0x81, n])
    else:
        length = b"\x82" + struct.pack(">H", n)
    return bytes.fromhex(tag) + length + value


def make_key(name):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(
            x509.KeyUsage(True, *[False] * 8), True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


class Card:
    """Answers one command after the other."""

    def __init__(self, keys):
        self.keys = {slot: key for slot, (key, _) in keys.items()}
        self.tries = 3
        self.objects = {
            "5fc102": bytes.fromhex(
                "3019d4e739da739ced39ce739d836858210842108421c84210c3eb3410")
            + b"htsign test card" + bytes.fromhex("350832303939303130313e00fe00"),
            # Discovery: the application, and that only its own PIN counts.
            "7e": bytes.fromhex("4f0ba0000003080000100001005f2f024000"),
        }
        for slot, name in ((0x9A, "5fc105"), (0x9C, "5fc10a")):
            der = keys[slot][1].public_bytes(serialization.Encoding.DER)
            self.objects[name] = tlv("70", der) + bytes.fromhex("710100fe00")
        self.reset()

    def reset(self):
        self.logged_in = self.fresh = False
        self.command = self.rest = b""

    def answer(self, apdu):
        cla, ins, _, p2 = apdu[:4]
        body = apdu[4:]
        if len(body) > 3 and body[0] == 0:
            data = body[3:3 + struct.unpack(">H", body[1:3])[0]]
        else:
            data = body[1:1 + body[0]] if len(body) > 1 else b""
        if ins == 0xC0:
            return self.piece(self.rest)
        self.command += data
        if cla & 0x10:  # a link of a chain
            return OK
        data, self.command = self.command, b""
        reply = self.perform(ins, p2, data)
        return reply if isinstance(reply, bytes) else self.piece(reply[0])

    def piece(self, data):
        self.rest = data[256:]
        if not self.rest:
            return data + OK
        return data[:256] + bytes([0x61, len(self.rest) % 256
                                   if len(self.rest) < 256 else 0])

    def perform(self, ins, p2, data):
        """A status, or a list of one text, which may be longer."""
        if ins == 0xA4:  # SELECT
            if data[:5] != bytes.fromhex("a000000308"):
                return NOT_FOUND
            return [bytes.fromhex(
                "61114f0600001000010079074f05a000000308")]
        if ins == 0xCB:  # GET DATA
            name = data[2:2 + data[1]].hex() if data[:1] == b"\x5c" else ""
            if name not in self.objects:
                return NOT_FOUND
            return [tlv("7e" if name == "7e" else "53", self.objects[name])]
        if ins == 0x20 and p2 == 0x80:
            return self.verify(data)
        if ins == 0x87 and p2 in self.keys:
            return self.sign(p2, data)
        if ins == 0xFD:
            return [bytes([4, 3, 5])]
        if ins == 0xF8:
            return [bytes([0, 1, 2, 3])]
        return b"\x6d\x00"

    def verify(self, pin):
        if pin == PIN and self.tries > 0:
            self.logged_in = self.fresh = True
            self.tries = 3
            print("pin right", flush=True)
        elif pin:
            self.tries = max(self.tries - 1, 0)
            self.logged_in = self.fresh = False
            print("pin wrong", flush=True)
        if self.logged_in:
            return OK
        return bytes([0x63, 0xC0 | self.tries])

    def sign(self, slot, data):
        allowed = self.fresh if slot == ALWAYS else self.logged_in
        self.fresh = False
        print("%02x %s" % (slot, "signed" if allowed else "refused"),
              flush=True)
        if not allowed:
            return b"\x69\x82"
        at = data.index(b"\x81\x20") + 2  # the challenge, a hash
        signature = self.keys[slot].sign(
            data[at:at + 32], ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        return [tlv("7c", tlv("82", signature))]


def read(reader, n):
    data = b""
    while len(data) < n:
        more = reader.recv(n - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def connect(port):
    """The reader takes one connection, so nobody else may try whether it is up."""
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit("no reader at port %d" % port)


def main():
    keys = {0x9C: make_key("PIV 9C (test)"), 0x9A: make_key("PIV 9A (test)")}
    for slot, path in ((0x9C, sys.argv[2]), (0x9A, sys.argv[3])):
        with open(path, "wb") as out:
            out.write(keys[slot][1].public_bytes(serialization.Encoding.PEM))
    card = Card(keys)
    reader = connect(int(sys.argv[1]))
    print("ready", flush=True)
    while True:
        (n,) = struct.unpack(">H", read(reader, 2))
        message = read(reader, n)
        if n > 1:
            reply = card.answer(message)
        elif message[0] == 4:
            reply = ATR
        else:  # power off, power on, reset
            card.reset()
            continue
        reader.sendall(struct.pack(">H", len(reply)) + reply)


main()
