"""A worker of Granian's that leaves its listener to others."""

from __future__ import annotations

import os
import socket

import pytest

from authsvc.server.granian_worker import _stop_accepting


def test_any_number_of_workers_stop_to_accept_side_by_side() -> None:
    """Pods that share a node's network have workers of the same process id."""
    place = ("127.0.0.1", 0)
    with socket.create_server(place) as one, socket.create_server(place) as another:
        for listener in (one, another):
            granians = os.dup(listener.fileno())
            _stop_accepting(listener)
            with socket.socket(fileno=granians) as accepting, pytest.raises(BlockingIOError):
                accepting.accept()
