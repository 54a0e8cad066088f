#!/usr/bin/env python3
# VirusTotal, as its API v3 is documented, for one account with the key "good".
#
#	virustotal.py FOLDER PORT
#
# FOLDER has known/SHA256 for each file that it knows, with the number of engines
# that call it bad and the age of the analysis in days.  What is uploaded comes
# into uploads/SHA256, and is known as soon as its analysis was asked for as often
# as the file "polls" says.  No engine looks at what is private: its analysis has
# no results, and its report says what the sandboxes think.  "mode" is a word for
# what goes wrong, and "upload" the status with which the next upload is refused.
# Each request is a line of "log".

import hashlib
import http.server
import json
import os
import socketserver
import sys
import time

folder, port = sys.argv[1], int(sys.argv[2])
ENGINES = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta",
           "Iota", "Kappa"]
analyses = {}


def read(name, default):
    try:
        with open(os.path.join(folder, name)) as f:
            return f.read().strip()
    except OSError:
        return default


def results(bad):
    out = {name: {"engine_name": name,
                  "category": "malicious" if i < bad else "undetected",
                  "result": "Trojan.Test" if i < bad else None}
           for i, name in enumerate(ENGINES)}
    out["Old"] = {"category": "type-unsupported", "result": None}
    return out


def report(sha256, bad, days):
    return {"data": {"type": "file", "id": sha256, "attributes": {
        "sha256": sha256,
        "last_analysis_date": int(time.time() - days * 86400),
        "last_analysis_results": results(bad)}}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, status, body, headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code, headers=()):
        self.say(status, {"error": {"code": code, "message": code}}, headers)

    # Whether the request is answered as the mode says.
    def goes_wrong(self):
        with open(os.path.join(folder, "log"), "a") as f:
            f.write("%s %s\n" % (self.command, self.path))
        mode = read("mode", "")
        if self.headers.get("x-apikey") != "good" or mode == "401":
            self.error(401, "WrongCredentialsError")
        elif mode in ("429", "429-once"):
            if mode == "429-once":
                os.unlink(os.path.join(folder, "mode"))
            self.error(429, "QuotaExceededError", [("Retry-After", "1")])
        elif mode == "500":
            self.error(500, "TransientError")
        elif mode == "slow":
            time.sleep(60)
        elif mode == "broken":
            self.say(200, b'{"data": {"attributes": {')
        elif mode == "huge":
            self.say(200, b'{"data": "' + b"x" * 2000000 + b'"}')
        elif mode == "redirect":
            self.say(302, b"{}", [("Location", "/api/v3/files/" + "0" * 64)])
        elif mode == "twice":
            body = json.dumps(report(self.path.rsplit("/", 1)[1], 0, 0))
            self.say(200, body.replace('"sha256"', '"sha256": "", "sha256"')
                     .encode())
        elif mode == "another":
            self.say(200, report("0" * 64, 0, 0))
        elif mode == "no-engines":
            body = report(self.path.rsplit("/", 1)[1], 0, 0)
            body["data"]["attributes"]["last_analysis_results"] = {}
            self.say(200, body)
        else:
            return False
        return True

    def do_GET(self):
        if self.goes_wrong():
            return
        parts = self.path.split("/")[3:]
        private = parts[0] == "private"
        parts = parts[private:]
        if parts == ["files", "upload_url"]:
            where = read("elsewhere", "http://127.0.0.1:%d" % port)
            self.say(200, {"data": where + "/api/v3/upload/once"})
        elif private and parts[0] == "files":
            if not os.path.exists(os.path.join(folder, "uploads", parts[1])):
                self.error(404, "NotFoundError")
                return
            bad = int(read("bad", "0")) > 0
            self.say(200, {"data": {"type": "private_file", "id": parts[1],
                "attributes": {
                    "sha256": parts[1],
                    "threat_verdict":
                    "VERDICT_MALICIOUS" if bad else "VERDICT_UNDETECTED",
                    "sandbox_verdicts": {"Zenbox": {
                        "category": "malicious" if bad else "harmless",
                        "sandbox_name": "Zenbox", "confidence": 1}}}}})
        elif parts[0] == "files":
            known = read("known/" + parts[1], None)
            if known is None:
                self.error(404, "NotFoundError")
            else:
                bad, days = known.split()
                self.say(200, report(parts[1], int(bad), float(days)))
        elif parts[0] == "analyses" and parts[1] in analyses:
            sha256, polls = analyses[parts[1]]
            analyses[parts[1]] = (sha256, polls + 1)
            done = polls + 1 >= int(read("polls", "1"))
            about = {"status": "completed" if done else "queued",
                     "date": int(time.time())}
            if not private:
                about["results"] = results(int(read("bad", "0"))) \
                    if done else {}
            self.say(200, {
                "data": {"attributes": about},
                "meta": {"file_info": {"sha256": sha256}}})
        else:
            self.error(404, "NotFoundError")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length)
        if self.goes_wrong():
            return
        refused = read("upload", "")
        if refused != "":
            os.unlink(os.path.join(folder, "upload"))
            self.error(int(refused), "NotTaken")
            return
        boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
        part = body.split(b"--" + boundary)[1]
        head, data = part.split(b"\r\n\r\n", 1)
        assert b'name="file"' in head
        data = data[:-2]
        sha256 = hashlib.sha256(data).hexdigest()
        with open(os.path.join(folder, "uploads", sha256), "wb") as f:
            f.write(data)
        name = "u-%d==" % len(analyses)
        analyses[name] = (sha256, 0)
        self.say(200, {"data": {"type": "analysis", "id": name}})


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
