#!/usr/bin/env python3
"""reference.py FILE ...: what `htsign digest` is to say of cabinets, Windows
Installer packages, scripts, and signed APPX packages, computed in the most
simple way: whole files in memory, no checks.  Nothing here is shared with
formats/.
"""

import hashlib
import io
import os
import struct
import sys
import zipfile


def number(data, at, form="<I"):
    return struct.unpack_from(form, data, at)[0]


# --- cabinets ----------------------------------------------------------------


def cabinet(data):
    """Make the header that the signed cabinet will have, and digest that
    without what the signature's place and size are."""
    flags, each = number(data, 30, "<H"), 8
    old, sizes, area, first = 0, b"\0\0", b"", b""
    if flags & 4:
        old = 4 + number(data, 36, "<H")
        sizes = data[38:40]
        each += sizes[0]
        area = data[40:36 + old]
    if area[:2].strip(b"\0"):
        first = area[4:4 + number(area, 0, "<H")]
    grown = 4 + max(len(area), 4 + len(first) + 16) - old

    names = at = 36 + old
    for _ in range(2 * ((flags & 1) + (flags >> 1 & 1))):
        at = data.index(b"\0", at) + 1
    covered = data[:4]
    covered += struct.pack("<I", number(data, 8) + grown) + data[12:16]
    covered += struct.pack("<I", number(data, 16) + grown) + data[20:30]
    covered += struct.pack("<H", flags | 4) + data[32:36]
    covered += struct.pack("<H", len(first)) + first + data[names:at]
    for _ in range(number(data, 26, "<H")):
        covered += struct.pack("<I", number(data, at) + grown)
        covered += data[at + 4:at + each]
        at += each
    return hashlib.sha256(covered + data[at:number(data, 8)])


# --- Windows Installer ---------------------------------------------------------


class Compound:
    NONE = 0xfffffffa  # and above: no sector

    def __init__(self, data):
        self.data = data
        self.size = 1 << number(data, 0x1e, "<H")
        lists = [number(data, 0x4c + 4 * i) for i in range(109)]
        difat = number(data, 0x44)
        while difat < self.NONE:
            more = self.numbers(self.sector(difat))
            lists += more[:-1]
            difat = more[-1]
        self.fat = []
        for sector in lists:
            if sector < self.NONE:
                self.fat += self.numbers(self.sector(sector))
        table = self.chain(number(data, 0x30))
        self.entries = [table[i:i + 128] for i in range(0, len(table), 128)]
        self.mini_fat = self.numbers(self.chain(number(data, 0x3c)))
        self.mini_stream = self.chain(number(self.entries[0], 0x74))

    @staticmethod
    def numbers(raw):
        return list(struct.unpack("<%dI" % (len(raw) // 4), raw))

    def sector(self, n):
        return self.data[(n + 1) * self.size:(n + 2) * self.size]

    def chain(self, n):
        parts = []
        while n < self.NONE:
            parts.append(self.sector(n))
            n = self.fat[n]
        return b"".join(parts)

    def content(self, entry):
        size, n = number(entry, 0x78), number(entry, 0x74)
        if size >= 4096:
            return self.chain(n)[:size]
        parts = []
        while n < self.NONE and size > 0:
            parts.append(self.mini_stream[64 * n:64 * n + 64])
            n = self.mini_fat[n]
        return b"".join(parts)[:size]

    def members(self, storage):
        left, found = [number(storage, 0x4c)], []
        while left:
            n = left.pop()
            if n < self.NONE:
                entry = self.entries[n]
                found.append(entry)
                left += [number(entry, 0x44), number(entry, 0x48)]
        return sorted(found, key=self.name)

    @staticmethod
    def name(entry):
        return entry[:number(entry, 0x40, "<H")]


def covered_names(compound, storage, own):
    for entry in compound.members(storage):
        name = compound.name(entry)
        if name not in own:
            yield entry, name[:-2], entry[0x42] == 1


def contents(compound, storage, own, md):
    for entry, _, is_storage in covered_names(compound, storage, own):
        if is_storage:
            contents(compound, entry, (), md)
        else:
            md.update(compound.content(entry))
    md.update(storage[0x50:0x60])


def metadata(compound, storage, own, md):
    for entry, name, is_storage in covered_names(compound, storage, own):
        md.update(name)
        md.update(entry[0x50:0x60] if is_storage else entry[0x78:0x7c])
        md.update(entry[0x60:0x74])
        if is_storage:
            metadata(compound, entry, (), md)


def package(data):
    own = ["\5DigitalSignature\0".encode("utf-16le"),
           "\5MsiDigitalSignatureEx\0".encode("utf-16le")]
    compound, md = Compound(data), hashlib.sha256()
    root = compound.entries[0]
    if own[1] in map(compound.name, compound.members(root)):
        before = hashlib.sha256(root[0x50:0x64])
        metadata(compound, root, own, before)
        md.update(before.digest())
    contents(compound, root, own, md)
    return md


# --- signed packages -------------------------------------------------------------


def appx(data):
    """The signature is the last entry; without it the end records say less."""
    parts = zipfile.ZipFile(io.BytesIO(data))
    last = parts.infolist()[-1]
    name = last.filename.encode()
    ends = [len(data) - 22]
    if data[ends[0] - 20:].startswith(b"PK\6\7"):
        ends = [len(data) - 22 - 20 - 56] + ends
    entry = data.rindex(name, 0, ends[0]) - 46
    end, at = bytearray(data[ends[0]:]), last.header_offset
    directory = data[parts.start_dir:entry]

    def put(form, place, value):
        if not end[place:].startswith(b"\xff" * struct.calcsize(form)):
            struct.pack_into(form, end, place, value)

    if len(ends) == 2:
        for place, value in ((24, len(parts.infolist()) - 1),
                             (32, len(parts.infolist()) - 1),
                             (40, len(directory)), (48, at),
                             (64, at + len(directory))):
            put("<Q", place, value)
    base = len(end) - 22
    put("<H", base + 8, len(parts.infolist()) - 1)
    put("<H", base + 10, len(parts.infolist()) - 1)
    put("<I", base + 12, len(directory))
    put("<I", base + 16, at)
    tagged = [(b"AXPC", data[:at]), (b"AXCD", directory + bytes(end)),
              (b"AXCT", parts.read("[Content_Types].xml"))]
    for tag, part in ((b"AXBM", "AppxBlockMap.xml"),
                      (b"AXCI", "AppxMetadata/CodeIntegrity.cat")):
        if part in parts.namelist():
            tagged.append((tag, parts.read(part)))
    return b"APPX" + b"".join(tag + hashlib.sha256(covered).digest()
                              for tag, covered in tagged)


# --- scripts -------------------------------------------------------------------

BLOCK = "Begin signature block"
HOST = {".js": "// SIG // " + BLOCK, ".vbs": "'' SIG '' " + BLOCK,
        ".wsf": "<signature>"}
POWERSHELL = {".ps1": "# SIG # " + BLOCK, ".psd1": "# SIG # " + BLOCK,
              ".psm1": "# SIG # " + BLOCK, ".mof": "/* SIG # " + BLOCK,
              ".ps1xml": "<!-- SIG # " + BLOCK,
              ".psc1": "<!-- SIG # " + BLOCK,
              ".cdxml": "<!-- SIG # " + BLOCK}
ALWAYS_ANSI = (".js", ".vbs", ".ps1xml", ".psc1", ".cdxml")


def ansi(data):
    """Windows-1252, whose five free places are controls."""
    return "".join(bytes([b]).decode("cp1252", "ignore") or chr(b)
                   for b in data)


def decode(data, extension):
    if data.startswith(b"\xff\xfe"):
        return data.decode("utf-16le")
    if data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8")
    if extension in ALWAYS_ANSI:
        return ansi(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ansi(data)


def script(data, extension):
    text = decode(data, extension)
    marker = HOST.get(extension) or POWERSHELL[extension]
    begin = text.find("\r\n" + marker)
    rest = ""
    if extension == ".wsf":
        end = text.rindex("</job>")
        if begin < 0:
            begin = end
        rest = text[end:]
    elif begin < 0:
        begin = len(text)
    text = text[:begin]
    if extension in POWERSHELL:
        return hashlib.sha256(text.encode("utf-16le"))
    text = text.lstrip("\ufeff").encode("utf-16le")
    place = struct.pack("<I", len(text) // 2)
    return hashlib.sha256(text + rest.encode("utf-16le") + place)


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()
        extension = os.path.splitext(path)[1]
        if data.startswith(b"MSCF"):
            digest = cabinet(data).digest()
        elif data.startswith(b"\xd0\xcf\x11\xe0"):
            digest = package(data).digest()
        elif data.startswith(b"PK"):
            digest = appx(data)
        else:
            digest = script(data, extension).digest()
        print(digest.hex() + "  " + path)


main()
