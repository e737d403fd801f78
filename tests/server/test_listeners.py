"""Where the service listens, and what is said of it, whichever engine carries the requests."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from authsvc.server.listeners import listen
from tests.integration.reviews import POLICY, TOKENS, is_granted, review
from tests.parts.authsvc_server import AuthsvcServer, free_port
from tests.parts.waiting import eventually
from tests.server.served import Served


def is_answered(server: AuthsvcServer) -> bool:
    return is_granted(server.post("/authorize", review("/authorize")))


def test_the_log_says_once_and_truly_where_it_listens(server: Served) -> None:
    (line,) = server.told("listening")
    assert line["address"] == f"https://127.0.0.1:{server.port}"
    assert line["probes"] == f"http://127.0.0.1:{server.probes_port}"
    assert server.log.count(f"127.0.0.1:{server.port}") == 1


@pytest.mark.parametrize("which", ["port", "probes_port"])
def test_an_address_in_use_ends_the_start_with_one_line(stopped_server: Served, which: str) -> None:
    port = getattr(stopped_server, which)
    with socket.create_server(("127.0.0.1", port)):
        ran = subprocess.run(
            [sys.executable, "-m", "authsvc", "serve", "--config", stopped_server.config],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    line = f"error: cannot listen on 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}\n"
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, "", line)


def test_an_address_in_use_on_sighup_costs_nothing(server: Served) -> None:
    before = server.workers()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server.reload_with({"server": {"bind": address}})
        eventually(lambda: server.told("listen_addresses_changed_restart_to_use_them"), "told")
        eventually(lambda: not server.workers() & before, "the rest of the configuration holds")
        assert is_answered(server)


def test_a_new_master_takes_over_the_port_on_sigusr2(tmp_path: Path) -> None:
    server = AuthsvcServer(tmp_path, tokens=TOKENS, policy=POLICY)
    server.start()
    pids = [server.pid]
    try:
        os.kill(server.pid, signal.SIGUSR2)
        eventually(lambda: server.log.count('"listening"') == 2, "the new master listens as well")
        eventually(lambda: server.log.count("Booting worker") == 2, "it has a worker")
        pids.append(_another_master(server))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert is_answered(server)
        assert "cannot listen" not in server.log
    finally:
        for pid in pids[1:]:
            os.kill(pid, signal.SIGTERM)
        server.stop()
    eventually(lambda: not Path(f"/proc/{pids[1]}").exists(), "it has ended")


def _another_master(server: AuthsvcServer) -> int:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    (master,) = [
        int(child)
        for child in children
        if f"GUNICORN_PID={server.pid}\0" in Path(f"/proc/{child}/environ").read_text()
    ]
    return master


def test_a_listener_of_systemds_is_taken(tmp_path: Path) -> None:
    """Socket activation (sd_listen_fds(3)): it is descriptor 3, and says whom it is for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        handed = listener.fileno()
        command = (
            f"exec 3<&{handed}; export LISTEN_PID=$$ LISTEN_FDS=1;"
            f" exec {shlex.quote(sys.executable)} -m authsvc serve --config {{config}}"
        )
        server = AuthsvcServer(
            tmp_path, tokens=TOKENS, policy=POLICY, command=["bash", "-c", command]
        )
        server.port = listener.getsockname()[1]  # and not what the configuration says
        os.set_inheritable(handed, True)
        server.start(pass_fds=[handed])
    try:
        assert is_answered(server)
    finally:
        server.stop()


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback: Python and the kernel may, and it not."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_all_addresses_of_ipv6_are_all_of_ipv4_as_well() -> None:
    port = free_port()
    with listen(f"[::]:{port}") as listener:
        assert not listener.getblocking()
        socket.create_connection(("127.0.0.1", port), 5).close()
        socket.create_connection(("::1", port), 5).close()


@pytest.mark.parametrize("address", ["nowhere.invalid:1", "192.0.2.1:1"])
def test_an_address_that_is_none_of_ours_is_named_with_the_reason(address: str) -> None:
    with pytest.raises(SystemExit, match=rf"^error: cannot listen on {address}: [A-Z][\w ]+$"):
        listen(address)
