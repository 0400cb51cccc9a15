"""Chromium without a window, driven over a pipe by the DevTools protocol, with the standard library alone."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# All text a person can read, through the shadow roots that TensorBoard's dashboards live in.
READ_ALL = """
(() => {
  const found = [];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      const words = node.textContent.trim();
      if (words && node.parentElement?.getClientRects().length) found.push(words);
      return;
    }
    if (['SCRIPT', 'STYLE', 'TEMPLATE'].includes(node.nodeName)) return;
    if (node.shadowRoot) walk(node.shadowRoot);
    if (node.nodeName === 'IFRAME') { try { walk(node.contentDocument.body); } catch (error) {} }
    if (node.nodeName === 'SLOT') { node.assignedNodes().forEach(walk); }
    node.childNodes.forEach(walk);
  };
  if (document.body) walk(document.body);
  return found.join('\\n');
})()
"""

# How many elements match a selector, through shadow roots and frames.
COUNT = """
((selector) => {
  let count = 0;
  const walk = root => {
    count += [...root.querySelectorAll(selector)].filter(e => e.getClientRects().length).length;
    root.querySelectorAll('*').forEach(e => {
      if (e.shadowRoot) walk(e.shadowRoot);
      if (e.nodeName === 'IFRAME') { try { walk(e.contentDocument); } catch (error) {} }
    });
  };
  walk(document);
  return count;
})
"""


class Browser:
    """A page of a headless Chromium.

    Args:
        profile: an empty folder for it.
        width: of the window, in pixels.
        height: of the window, in pixels.
    """

    def __init__(self, profile: Path, width: int = 1500, height: int = 1100) -> None:
        assert CHROMIUM is not None
        reads, self._out = os.pipe()
        self._in, writes = os.pipe()
        command = [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--no-first-run", "--hide-scrollbars"),
            *("--disable-gpu", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader"),
            *("--enable-unsafe-swiftshader", f"--user-data-dir={profile}"),
            *(f"--window-size={width},{height}", "--remote-debugging-pipe"),
        ]

        def wire() -> None:
            """Put our ends where Chromium reads and writes: descriptors 3 and 4."""
            far = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (reads, writes)]
            for end, place in zip(far, (3, 4), strict=True):
                os.dup2(end, place)

        self.process = subprocess.Popen(
            command,
            preexec_fn=wire,
            close_fds=False,  # or 3 and 4 would be closed again
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        self._left, self._number = b"", 0
        self._session: str | None = None
        page = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.ask("Page.enable")
        view = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **view)

    def ask(self, method: str, timeout: float = 60.0, **params: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            answer = self._next(until)
            if answer is not None and answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise TimeoutError(f"no answer to {method}")

    def _next(self, until: float) -> dict[str, Any] | None:
        while b"\0" not in self._left:
            ready, _, _ = select.select([self._in], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("Chromium is gone.")
            self._left += part
        message, _, self._left = self._left.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def open(self, address: str) -> None:
        """Go to an address, anew also where only what follows the # differs."""
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """Return the value of a script."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def text(self) -> str:
        """Return all text on the page."""
        return str(self.run(READ_ALL))

    def count(self, selector: str) -> int:
        """Return how many elements on the page match a selector."""
        return int(self.run(f"{COUNT}({json.dumps(selector)})"))

    def click(self, words: str, selector: str = "*") -> bool:
        """Click on the smallest element with exactly these words; return whether there was one."""
        script = """
        ((words, selector) => {
          let best = null;
          const walk = root => {
            root.querySelectorAll(selector).forEach(e => {
              if (e.textContent.trim() === words && e.getClientRects().length) best = e;
            });
            root.querySelectorAll('*').forEach(e => { if (e.shadowRoot) walk(e.shadowRoot); });
          };
          walk(document);
          if (best) best.click();
          return best !== null;
        })
        """
        return bool(self.run(f"{script}({json.dumps(words)}, {json.dumps(selector)})"))

    def wait(self, wanted: list[str], seconds: float = 60.0) -> str:
        """Wait until all ``wanted`` can be read on the page; return its text, whatever it is by then."""
        until = time.monotonic() + seconds
        while True:
            text = self.text()
            if all(one in text for one in wanted) or time.monotonic() > until:
                return text
            time.sleep(0.5)

    def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)
        os.close(self._in)
        os.close(self._out)
