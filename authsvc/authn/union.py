"""Several authenticators as one (k8s.io/apiserver/pkg/authentication/token/union)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from authsvc.authn.checks import Check, Explanation, explain
from authsvc.errors import BackendError, NotReadyError
from authsvc.interfaces import Identity, TokenAuthenticator

_log = structlog.get_logger()


class UnionTokenAuthenticator:
    """Asks each authenticator in order; the first that knows the token answers.

    One that fails does not hide another's answer. If none knows the token and
    one failed, the token cannot be called bad: that is a failure.
    """

    def __init__(self, authenticators: Sequence[tuple[str, TokenAuthenticator]]) -> None:
        self._authenticators = tuple(authenticators)

    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:
        """Return whose token this is, by the first authenticator that knows."""
        failed: list[str] = []
        for name, authenticator in self._authenticators:
            try:
                identity = authenticator.authenticate_token(token, audiences)
            except (BackendError, NotReadyError) as error:
                _log.error("authenticator_failed", authenticator=name, error=str(error))
                failed.append(name)
                continue
            except Exception:  # noqa: BLE001  a fault of ours in one must not hide another's answer
                _log.error("authenticator_crashed", authenticator=name, exc_info=True)
                failed.append(name)
                continue
            if identity is not None:
                return identity
        if failed:
            raise BackendError(f"no answer from {', '.join(failed)}")
        return None

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Ask each authenticator in order and tell its steps, until one knows the token."""
        checks: list[Check] = []
        for name, authenticator in self._authenticators:
            told = explain(authenticator, token, audiences)
            checks += (check._replace(authenticator=name) for check in told.checks)
            if told.identity is not None:
                return Explanation(tuple(checks), told.identity, name)
        return Explanation(tuple(checks), None)
