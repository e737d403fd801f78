"""The service under either engine, gunicorn or Granian, as its tests ask it."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

from tests.integration.reviews import POLICY, TOKENS
from tests.parts.authsvc_server import AuthsvcServer, Settings, free_port

ENGINES = ("Gunicorn", "Granian")


class Served(AuthsvcServer):
    """The service with an engine, and probes on a port of their own."""

    def __init__(self, folder: Path, engine: str) -> None:
        self._engine = engine
        self.probes_port = free_port()
        super().__init__(folder, tokens=TOKENS, policy=POLICY)

    def _usual_settings(self) -> dict[str, Any]:
        settings = super()._usual_settings()
        probes = {"bind": f"127.0.0.1:{self.probes_port}"}
        settings["server"] |= {"engine": self._engine, "probes": probes}
        del settings["server"]["tls"]["allowedClientNames"]
        return settings

    def probe(self, path: str) -> str:
        """Get from the probes' port."""
        url = f"http://127.0.0.1:{self.probes_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def workers(self) -> set[int]:
        """Return the processes that the main one has started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {
            int(child)
            for child in children
            if Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        }

    def reload_with(self, settings: Settings) -> None:
        """Change the configuration and say so."""
        self.configure(settings)
        self.signal(signal.SIGHUP)

    def told(self, event: str) -> list[dict[str, Any]]:
        """Return what the log says of an event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
