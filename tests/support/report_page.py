#!/usr/bin/env python3
"""
report_page.py PAGE FOLDER: deploy/report/report.html in Chromium.  FOLDER has
real.json and real-*.json of an endpoint, and log.json and log-events.json of
journal_rows.py.  Prints "ok" or "FAIL" for each
check, and ends with 1 if one failed.  Leaves report.pdf and request.pdf.
"""

import json
import os
import socket
import sys
import time

import browser
from journal_rows import HOSTILE

page = "file://" + os.path.realpath(sys.argv[1])
folder = os.path.realpath(sys.argv[2])
failures = 0


def path(name):
    return os.path.join(folder, name)


def check(what, good, seen=""):
    global failures
    if not good:
        failures += 1
    print("%s %s%s" % ("ok" if good else "FAIL", what,
                       "" if good else ": " + repr(seen)[:600]), flush=True)


def same(what, seen, expected):
    check(what, seen == expected, (seen, expected))


def text(selector):
    return b.run("document.querySelector(%s).innerText"
                 % json.dumps(selector))


def column(n):
    """The n-th column of the table of requests, as it is shown."""
    return b.run("[...document.querySelectorAll('#rows tbody tr')]"
                 ".map(r => r.children[%d].innerText.trim())" % n)


def begin(*names):
    b.go("about:blank")
    b.go(page)
    b.choose("#file", [path(name) for name in names])
    b.wait("!document.getElementById('report').hidden")


def choose(control, value):
    """As a person who changes a control of the filter; how long it took."""
    before = text("#count")
    start = time.monotonic()
    b.run("""{ const c = document.getElementById(%s); c.value = %s;
        c.dispatchEvent(new Event("input", { bubbles: true })); }"""
          % (json.dumps(control), json.dumps(value)))
    b.wait("document.getElementById('count').innerText !== "
           + json.dumps(before))
    return time.monotonic() - start


def head(n):
    return "document.querySelectorAll('#rows th button')[%d]" % n


# --- a real endpoint's -----------------------------------------------------------

def real_rows():
    with open(path("real.json")) as f:
        rows = [json.loads(line) for line in f]
    begin("real.json", "real-events.json", "real-certificates.json",
          "real-certificate-list.json")
    same("a real journal: all its requests", text("#count"),
         "All %d requests" % len(rows))
    same("by number", column(0),
         [str(r["request"]) for r in reversed(rows)])
    signed = [r for r in rows if r["status"] == "delivered"]
    check("its signatures", "Signed\n%d\n" % len(signed) in text("#tiles"),
          text("#tiles"))
    check("its refusal's reason",
          [r["code"] for r in rows if r["status"] == "refused"][0]
          in text("#why"), text("#why"))
    check("its certificate, once, and when it expires",
          text("#certs").count(signed[0]["certificate"] + "\t") == 1
          and "left" in text("#certs"), text("#certs"))
    check("when its client's expires", "left" in text("#users"),
          text("#users"))
    b.run("show(ordered.find(r => r.n === %d))" % signed[1]["request"])
    detail = text("#detail").replace(",", "")
    missing = [key for key, value in signed[1].items()
               if not isinstance(value, bool) and str(value) not in detail
               and b.run("Number.isNaN(time(%s))" % json.dumps(value))]
    same("a request has all that its row has", missing, [])
    check("and its events", "maybe" not in detail and " asked\n" in detail
          and " decided\n" in detail, detail)
    check("what it was called is text", "<img src=x" in detail, detail)
    untouched("a real description")


def untouched(what):
    same("%s made no element and ran nothing" % what,
         b.run("[document.querySelectorAll('img,iframe,body script:not("
               ":last-of-type)').length, document.title]"),
         [0, "htsign report"])


# --- many ---------------------------------------------------------------------

def many_rows():
    b.go("about:blank")
    b.go(page)
    start = time.monotonic()
    b.drop([path("log.json"), path("log-events.json")])
    b.wait("!document.getElementById('report').hidden")
    took = time.monotonic() - start
    same("10,000 rows that were dropped", text("#count"),
         "All 10,000 requests")
    check("are there within 5 s", took < slow * 5, took)
    same("a page of them is in the table", len(column(0)), 50)
    check("a chart is", b.run("document.querySelectorAll('#days rect').length")
          > 100)
    check("the certificates that the events name expire",
          "2046-11-20" in text("#certs") and "expired" in text("#certs"),
          text("#certs"))

    took = choose("f-outcome", "refused")
    check("the filter leaves the refused", set(
        word.split("\n")[0] for word in column(4)) == {"refused"}, column(4))
    check("within a second", took < slow, took)
    choose("f-client", "nightly")
    check("of one client", set(column(2)) == {"nightly"}, column(2))
    b.run("document.getElementById('reset').click()")
    b.wait("document.getElementById('count').innerText.startsWith('All')")
    choose("f-text", "EXAMPLE TOOLS 4.")
    found = column(5)
    check("a search finds what has the text", 0 < len(found) < 50 and all(
        "Example tools 4." in file for file in found), found)
    b.run("document.getElementById('reset').click()")
    b.wait("document.getElementById('count').innerText.startsWith('All')")
    choose("f-from", "2026-11-01")
    b.run("document.querySelector('#why td button').click()")
    check("a reason selects its requests", set(
        word.split("\n")[-1] for word in column(4)) == {"not-granted"},
        column(4))
    b.run("document.getElementById('reset').click()")
    b.wait("document.getElementById('count').innerText.startsWith('All')")

    took = b.run("{ const t = performance.now(); %s.click();"
                 "document.body.offsetHeight; performance.now() - t; }"
                 % head(7))
    check("sorted by time within 300 ms", took < slow * 300, took)
    longest = b.run("ordered.slice(0, 50).map(r => r.total)")
    same("the longest first", longest, sorted(longest, reverse=True))
    same("and said so", b.run(head(7) + ".closest('th').ariaSort"),
         "descending")
    b.run(head(0) + ".focus()")
    b.key("Enter", 13)
    b.key("Enter", 13)
    same("a head is a button for the keyboard", column(0)[:2], ["1", "2"])


def hostile_row():
    check("a description stays text", HOSTILE in column(5)[16],
          column(5)[16])
    b.run("document.querySelectorAll('#rows td button')[16].focus()")
    b.key("Enter", 13)
    check("a number opens its request", "Request 17 " in
          text("#detail-title"), text("#detail-title"))
    check("where it is text as well", HOSTILE in text("#detail-body"),
          text("#detail-body"))
    untouched("markup")
    b.save(path("request.pdf"), "Page.printToPDF", preferCSSPageSize=True)
    b.key("Escape", 27)
    same("Escape closes it, and the focus is back", b.run(
        "[document.getElementById('detail').open, "
        "document.activeElement.innerText]"), [False, "17"])


# --- how it looks ----------------------------------------------------------------

# WCAG's contrast of the variables of the style; 4.5 is what text needs.
CONTRAST = """{
	const light = colour => { const c = document.createElement("canvas")
		.getContext("2d"); c.fillStyle = getComputedStyle(
		document.documentElement).getPropertyValue("--" + colour);
		return [1, 3, 5].map(i => parseInt(c.fillStyle.slice(i, i + 2), 16)
		/ 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) **
		2.4).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0); };
	const ratio = (a, b) => (Math.max(light(a), light(b)) + .05) /
		(Math.min(light(a), light(b)) + .05);
	["text", "soft", "accent", "signed", "refused", "failed", "open"].flatMap(
		c => ["card", "page"].map(on => [c + " on " + on, ratio(c, on)]))
		.concat([["button", ratio("on-accent", "accent")]])
		.filter(([, r]) => r < 4.5);
}"""


def looks():
    for dark in (False, True):
        b.screen(1280, 900, dark)
        same("contrast when it is %s" % ("dark" if dark else "light"),
             b.run(CONTRAST), [])
    for width in (1280, 390, 320):
        b.screen(width, 800)
        b.run("new Promise(requestAnimationFrame)")
        wide = b.run("document.documentElement.scrollWidth")
        check("nothing is wider than %d pixels" % width, wide <= width, wide)
    b.screen(1280, 900)


# --- what is no journal ------------------------------------------------------------

def bad_files():
    with open(path("log.json")) as f:
        lines = [next(f) for _ in range(5)]
    for name, data, expected in (
            ("text.json", lines[0] + "17 2026-12-01 ci\n" + lines[1],
             "text.json, line 2 is not JSON: “17 2026-12-01 ci”. Save "),
            ("cut.json", lines[0] + lines[1] + lines[2][:99],
             "cut.json, line 3 is not JSON"),
            ("array.json", "[1]\n", "array.json, line 1 is JSON, but not an"),
            ("empty.json", "\n", "empty.json has no request. Save "),
            ("long.json", "x" * 9000000, "long.json, line 1 is too long"),
            ("<b>.json", "\0\1", "<b>.json, line 1 is not JSON: “\\u0000")):
        with open(path(name), "w") as f:
            f.write(data)
        b.go("about:blank")
        b.go(page)
        b.choose("#file", [path(name)])
        b.wait("!document.getElementById('error').hidden")
        error = text("#error")
        check("%s: %s" % (name, error[:60]),
              error.startswith(expected) and "\n" not in error
              and b.run("document.getElementById('report').hidden"), error)
    with open(path("some.json"), "w", encoding="utf-16") as f:
        f.write('{"request":1}\r\n{"request":2,"asked":7,"size":"x",'
                '"__proto__":{"a":1},"status":["?"],"client":null}\r\n'
                '{"unknown":1}\r\n')
    begin("some.json")
    check("UTF-16, and rows that lack nearly all",
          text("#count") == "All 2 requests"
          and "1 line of other kinds was left out" in text("#notices"),
          (text("#count"), text("#notices")))
    b.run("show(ordered[0])")
    check("open as well", "Request 2 " in text("#detail-title"))


# --- nothing is asked of anybody ------------------------------------------------

def asks_nothing():
    asked = [r["request"]["url"]
             for r in b.seen("Network.requestWillBeSent")]
    others = [url for url in asked if url not in (page, "about:blank")
              and not url.startswith("data:image/svg+xml")]  # of Chromium's
    same("the page asked for nothing but itself", others, [])
    errors = b.seen("Runtime.exceptionThrown") + [
        e for e in b.seen("Log.entryAdded")]
    same("and no error came up", errors, [])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(1)
    url = "http://127.0.0.1:%d/" % listener.getsockname()[1]
    done = b.run("""Promise.race([Promise.allSettled([fetch(%s), new Promise(
        (good, bad) => { const i = new Image(); i.onload = good;
        i.onerror = bad; i.src = %s; document.body.append(i); })]).then(r =>
        r.map(p => p.status)), new Promise(r => setTimeout(r, 3000, []))])"""
                 % (json.dumps(url), json.dumps(url)))
    try:
        listener.accept()
        done.append("a connection")
    except TimeoutError:
        pass
    same("and its policy lets it ask nobody", done, ["rejected", "rejected"])
    b.run("""{ const d = document.createElement("div"); d.innerHTML =
        "<a onclick=\\"document.title='run'\\">x</a>"; document.body.append(d);
        d.firstChild.click(); }""")
    same("nor run another script", b.run("document.title"), "htsign report")


slow = int(os.environ.get("HTSIGN_PATIENCE", "1"))
b = browser.Browser(path("browser"))
try:
    b.screen(1280, 900)
    real_rows()
    bad_files()
    many_rows()
    hostile_row()
    looks()
    b.save(path("report.pdf"), "Page.printToPDF", preferCSSPageSize=True,
           printBackground=True, generateTaggedPDF=False)
    same("after printing a page is in the table", len(column(0)), 50)
    asks_nothing()
finally:
    b.close()
sys.exit(failures > 0)
