#!/usr/bin/env python3
"""
page_hashes.py PAGE: whether the policy of a page has the hashes of its inline
style and script.  Otherwise prints what it must have, and ends with 1.
"""

import base64
import hashlib
import re
import sys

wrong = 0
with open(sys.argv[1], encoding="utf-8") as f:
    page = f.read()
for tag in ("script", "style"):
    text, = re.findall("<%s>(.*?)</%s>" % (tag, tag), page, re.S)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest())
    source = "%s-src 'sha256-%s'" % (tag, digest.decode())
    if source not in page:
        print("%s: its policy must have %s" % (sys.argv[1], source))
        wrong = 1
sys.exit(wrong)
