#!/usr/bin/env python3
"""block_map.py PACKAGE FOLDER: write FOLDER/AppxBlockMap.xml, the block map of
a package that somebody packed from that folder, and of a bundle also the places
of its packages in the manifest.  Packed anew in the same way, it is sound.  What
is deflated must not be longer than a block."""

import base64
import hashlib
import re
import struct
import sys
import urllib.parse
import zipfile

BLOCK = 65536
MANIFEST = "AppxMetadata/AppxBundleManifest.xml"
UNMAPPED = ("[Content_Types].xml", "AppxBlockMap.xml",
            "AppxMetadata/CodeIntegrity.cat")


def header_size(data, entry):
    name, extra = struct.unpack_from("<HH", data, entry.header_offset + 26)
    return 30 + name + extra


def file_element(data, package, entry):
    name = urllib.parse.unquote(entry.filename).replace("/", "\\")
    content = package.read(entry)
    deflated = entry.compress_type == zipfile.ZIP_DEFLATED
    assert not deflated or len(content) <= BLOCK, name
    blocks = ""
    for at in range(0, len(content), BLOCK):
        digest = hashlib.sha256(content[at:at + BLOCK]).digest()
        size = f' Size="{entry.compress_size}"' if deflated else ""
        blocks += f'<Block{size} Hash="{base64.b64encode(digest).decode()}"/>'
    return (f'<File Name="{name}" Size="{len(content)}" '
            f'LfhSize="{header_size(data, entry)}">{blocks}</File>')


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    package = zipfile.ZipFile(sys.argv[1])
    entries = [e for e in package.infolist() if e.filename not in UNMAPPED]
    if MANIFEST in package.namelist():
        text = package.read(MANIFEST).decode()
        for entry in entries:
            place = entry.header_offset + header_size(data, entry)
            text = re.sub(f'(FileName="{entry.filename}" Offset=)"[0-9]*"',
                          f'\\g<1>"{place}"', text)
        with open(f"{sys.argv[2]}/{MANIFEST}", "w", newline="") as file:
            file.write(text)
        entries = [e for e in entries if e.filename == MANIFEST]
    with open(f"{sys.argv[2]}/AppxBlockMap.xml", "w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?><BlockMap xmlns="'
                   'http://schemas.microsoft.com/appx/2010/blockmap" '
                   'HashMethod="http://www.w3.org/2001/04/xmlenc#sha256">')
        for entry in entries:
            file.write(file_element(data, package, entry))
        file.write("</BlockMap>")


main()
