"""Where the program starts, and the short way: a cached token, answered at once.

kubectl waits for this on every call. So a good token in the state folder is
found and printed with five small modules; for anything else, errors too, the
rest of the program is loaded.
"""

from __future__ import annotations

import os
import sys
import time

from authsvc.client import request, sessions
from authsvc.client.errors import ClientError


def main() -> int:
    """Run the program with ``sys.argv``; return its exit status.

    Under the name that kubectl asks for completions, it gives them: a link to
    the single file is all that is needed.
    """
    arguments = sys.argv[1:]
    if sys.argv[0].endswith("kubectl_complete-authsvc"):
        from authsvc.client.cli import complete

        return complete(arguments)
    if arguments[:1] == ["get-token"]:
        answer = _cached(arguments[1:])
        if answer is not None:
            print(answer)
            return 0
    from authsvc.client.cli import run

    return run(arguments)


def _cached(arguments: list[str]) -> str | None:
    """Return the answer if a good token is kept; None to have it looked at with care."""
    try:
        asked = request.read(arguments, os.environ)
        session = sessions.load(sessions.path(asked.key, os.environ), asked.key)
    except ClientError:
        return None
    if session is None or not sessions.is_good(session, time.time()):
        return None
    return request.credential(asked.api_version, session["token"], session["good_until"])
