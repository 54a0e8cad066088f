#!/usr/bin/env python3
"""
journal_rows.py N: what `log --json` prints of N requests, made up; the same
each time.  The 17th has a hostile description.  With --events: what `events
--json` says of the certificates in it.
"""

import datetime
import hashlib
import json
import random
import sys

HOSTILE = "<img src=x onerror=document.title='run'><script>alert(1)</script>"
CLIENTS = ("ci", "desktop", "drivers", "installer", "nightly", "plugins",
           "release", "tools")
PROFILES = ("production", "test-signing", "drivers", "store")
FILES = ("setup.exe", "app.exe", "core.dll", "driver.sys", "bundle.msi",
         "app.msix", "tool.ps1", "data.cab")
REASONS = ((77, "not-granted", "client %s may not use this profile"),
           (65, "cut", "the upload ended after 1048576 of 4194304 bytes"),
           (66, "format", "the profile does not allow files of this format"),
           (66, "virus", "ClamAV calls the file Win.Test.EICAR_HDB-1"),
           (75, "queue", "256 requests of yours are open: try again later"))
START = datetime.datetime(2026, 10, 20, 6, 0, 0)


def say(at):
    return at.isoformat(timespec="microseconds") + "Z"


def digest(*what):
    return hashlib.sha256(repr(what).encode()).hexdigest()


def row(n, at, dice):
    client = dice.choices(CLIENTS, (40, 12, 9, 14, 20, 3, 30, 2))[0]
    file = dice.choice(FILES)
    r = {"request": n, "status": "delivered", "client": client,
         "profile": dice.choices(PROFILES, (60, 25, 10, 5))[0], "name": file,
         "description": "Example %s %d.%d" % (client, n // 1000, n % 1000),
         "door": dice.choice(("sshd-sign", "openssh")),
         "peer": "10.0.%d.%d" % (n % 3, n % 200 + 1), "port": 40000 + n % 9999,
         "banner": "SSH-2.0-OpenSSH_9.2p1", "serial": 100 + n // 400,
         "reply": "full", "version": "0.1"}
    if n == 17:
        r["description"] = HOSTILE
    last = [at]
    r["asked"] = say(at)

    def step(name, seconds):
        last[0] += datetime.timedelta(
            seconds=seconds * dice.lognormvariate(0, 0.6))
        r[name] = say(last[0])

    if dice.random() < 0.06:
        exit, code, text = dice.choices(REASONS, (9, 5, 3, 1, 4))[0]
        step("ended", 0.1)
        r.update(status="refused" if dice.random() < 0.8 else "failed",
                 exit=exit, code=code,
                 error=text % client if "%" in text else text)
        return r
    size = int(dice.lognormvariate(15, 1.3))
    step("received", 0.02 + size / 40e6)
    step("decided", 0.004)
    step("signed", 0.12)
    step("stamped", 0.35)
    step("finished", 0.01 + size / 400e6)
    step("ended", 0.03 + size / 60e6)
    new = n > 6000
    r.update(format=file[-3:], size=size, sha256=digest("in", n),
             algorithm="sha256", digest=digest("digest", n),
             certificate="ev-2026" if new else "ev-2025",
             fingerprint=digest("ev", new), token="yubikey-%d" % (n % 2),
             attempts=1, pkcs7_size=5230, stamp_server="digicert",
             stamp_time=r["stamped"][:19] + "Z", stamp_serial=digest(n)[:24],
             output_size=size + 5240, output_sha256=digest("out", n),
             delivered_bytes=size + 5240, exit=0)
    return r


def main():
    if sys.argv[1] == "--events":
        for new in (False, True):
            print(json.dumps({
                "event": 5 + new, "at": say(START), "kind": "signer-expires",
                "detail": {"certificate": "ev-2026" if new else "ev-2025",
                           "fingerprint": digest("ev", new), "days": 30,
                           "valid_before": "%d-11-20T00:00:00Z"
                           % (2046 if new else 2026)}}))
        return
    dice, at = random.Random(1), START
    for n in range(1, int(sys.argv[1]) + 1):
        at += datetime.timedelta(seconds=dice.expovariate(1 / 330))
        if at.weekday() >= 5 and dice.random() < 0.7:
            at += datetime.timedelta(hours=2)
        print(json.dumps(row(n, at, dice), separators=(",", ":")))


if __name__ == "__main__":
    main()
