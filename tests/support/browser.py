"""
Chromium without a window, driven over a pipe by its debugging protocol: what
tests of a page need of that, and no package.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time

PATIENCE = 30 * int(os.environ.get("HTSIGN_PATIENCE", "1"))  # seconds


class Browser:
    """One browser with one page.  folder is for its profile."""

    def __init__(self, folder):
        ours, theirs = os.pipe(), os.pipe()

        def pass_pipes():
            # The protocol is on the descriptors 3 and 4.
            low, high = os.dup(ours[0]), os.dup(theirs[1])
            for fd, to in ((os.dup(low), 3), (os.dup(high), 4)):
                os.dup2(fd, to)

        os.makedirs(folder, exist_ok=True)
        command = [shutil.which("chromium"), "--headless", "--disable-gpu",
                   "--remote-debugging-pipe", "--user-data-dir=" + folder,
                   "--no-first-run", "--disable-dev-shm-usage",
                   "--disable-background-networking", "--disable-extensions",
                   "--disable-component-update", "--hide-scrollbars"]
        if os.getuid() == 0:
            command.append("--no-sandbox")
        self.log = open(os.path.join(folder, "log"), "wb")
        self.process = subprocess.Popen(
            command + ["about:blank"], close_fds=False, preexec_fn=pass_pipes,
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=dict(os.environ, HOME=folder))
        os.close(ours[0])
        os.close(theirs[1])
        self.out, self.into = ours[1], theirs[0]
        self.rest, self.number, self.session = b"", 0, None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(domain + ".enable")

    def receive(self):
        """The next message."""
        while b"\0" not in self.rest:
            if not select.select([self.into], [], [], PATIENCE)[0]:
                raise TimeoutError("chromium says nothing")
            more = os.read(self.into, 1 << 20)
            if not more:
                raise EOFError("chromium has ended")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """Call a method of the protocol, and return its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            answer = self.receive()
            if "method" in answer:
                self.events.append(answer)
            elif answer["id"] == self.number:
                break
        if "error" in answer:
            raise RuntimeError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def seen(self, method):
        """The parameters of all events of that kind so far."""
        return [e["params"] for e in self.events if e["method"] == method]

    def run(self, script):
        """The value of an expression in the page; promises are awaited."""
        result = self.call("Runtime.evaluate", expression=script,
                           awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError("%s: %s" % (script,
                                           result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, script):
        """Wait until an expression is true, and return how long it took."""
        start = time.monotonic()
        while not self.run(script):
            if time.monotonic() - start > PATIENCE:
                raise TimeoutError(script)
            time.sleep(0.02)
        return time.monotonic() - start

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href === "
                  + json.dumps(url))

    def screen(self, width, height, dark=False):
        """A window of that size, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if dark else "light"}])

    def choose(self, selector, files):
        """Choose files in an <input type=file>."""
        document = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=document,
                         selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=files)

    def drop(self, files, x=200, y=200):
        """Drop files on the page, as from a file manager."""
        data = {"items": [], "files": files, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y,
                      data=data)

    def key(self, name, code):
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name,
                      code=name, windowsVirtualKeyCode=code, **text)

    def save(self, path, method, **parameters):
        """Page.printToPDF or Page.captureScreenshot, into a file."""
        data = self.call(method, **parameters)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
            self.process.wait(PATIENCE)
        except (OSError, EOFError, TimeoutError, subprocess.SubprocessError):
            self.process.kill()
            self.process.wait()
        self.log.close()
