"""One login at a time: who comes later waits, and shares what came of it.

A hundred kubectl calls at once find no good token at once. The first takes the
lock; the others find its token when they get it, or its failure: a login that
was cancelled is not asked for ninety-nine times more. The system lets go of
the lock when its holder dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from authsvc.client.deadline import deadline
from authsvc.client.errors import ClientError


@contextmanager
def one_at_a_time(file: str, seconds: float) -> Iterator[None]:
    """Hold the lock that is kept in ``file`` for the length of the block.

    A ClientError or a Ctrl-C that ends the block is left in the file, and
    raised in those who have waited meanwhile.

    Raises:
        ClientError: the lock was not had within ``seconds``, or another login
            failed while this one waited for it.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ClientError(f"cannot write {file}: {error.strerror}") from None
    try:
        _acquire(descriptor, seconds)
        os.ftruncate(descriptor, 0)
        try:
            yield
        except ClientError as error:
            _leave(descriptor, str(error))
            raise
        except KeyboardInterrupt:
            _leave(descriptor, "the login was cancelled in another kubectl: run the command again")
            raise
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, seconds: float) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        began = time.time()
    try:
        with deadline(seconds):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except TimeoutError:
        raise ClientError(
            f"another kubectl-authsvc has been logging in for {seconds:.0f} s: "
            "finish that login, or end it with Ctrl-C"
        ) from None
    _raise_what_is_left(descriptor, began)


def _leave(descriptor: int, message: str) -> None:
    os.pwrite(descriptor, json.dumps({"at": time.time(), "message": message}).encode(), 0)


def _raise_what_is_left(descriptor: int, began: float) -> None:
    content = os.pread(descriptor, 4096, 0)
    if not content:
        return
    try:
        left = json.loads(content)
        failed_meanwhile = left["at"] >= began
    except (ValueError, KeyError, TypeError):  # written by a program that was killed
        return
    if failed_meanwhile:
        raise ClientError(str(left["message"]))
