"""Checks of a credential, one after another, each of which can be told to a person.

The authenticators of tokens that others issued are a list of such checks. A
TokenReview needs the outcome alone; `authsvc token explain` wants every step.
Both walk the same code: a check that passes is reported, one that fails raises
Refused, which never leaves this package. What is wrapped round authenticators
(`guard`, `audiences`, `union`) explains itself too, so that an explanation ends
as a review would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import structlog

from authsvc.authn.routing import Route
from authsvc.errors import BackendError, NotReadyError
from authsvc.interfaces import Identity, TokenAuthenticator

_log = structlog.get_logger()

ROUTE = "route"
"""The first check of an authenticator: whether it looks at the token at all."""

Report = Callable[[str, str], None]
"""Is told the name of a check that passed, and what was seen."""


class Check(NamedTuple):
    """One step of an explanation; ``passed`` None where the step could not be made.

    ``authenticator`` is whose step it is, where there are several.
    """

    name: str
    passed: bool | None
    detail: str
    authenticator: str = ""


class Refused(Exception):  # noqa: N818  a verdict, not an error
    """The credential is not good; says which check failed and why, never with the credential."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason

    def as_check(self) -> Check:
        """Return it as the last step of an explanation."""
        return Check(self.check, False, self.reason)


class Explanation(NamedTuple):
    """All steps, whose token it is, and which authenticator said so, where there are several."""

    checks: tuple[Check, ...]
    identity: Identity | None
    authenticator: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no verdict: nobody knows the token, and somebody could not answer."""
        return self.identity is None and any(check.passed is None for check in self.checks)


@runtime_checkable
class Explaining(Protocol):
    """An authenticator that can say why it takes or refuses a token."""

    def explain(self, token: str, audiences: Sequence[str]) -> Explanation:
        """Authenticate the token and tell each step; asks whom a TokenReview would ask."""
        ...


def explain(authenticator: TokenAuthenticator, token: str, audiences: Sequence[str]) -> Explanation:
    """Authenticate the token and tell each step; of one that cannot explain, the outcome alone."""
    if isinstance(authenticator, Explaining):
        return authenticator.explain(token, audiences)

    def steps(report: Report) -> Identity:
        report(ROUTE, "it looks at every token")
        identity = authenticator.authenticate_token(token, audiences)
        if identity is None:
            raise Refused("token", "it does not know it")
        report("token", "it knows it")
        return identity

    return explanation(steps)


def check_route(route: Route, report: Report) -> None:
    """Check that the token is meant for the authenticator that is asked."""
    if not route.takes:
        raise Refused(ROUTE, route.reason)
    report(ROUTE, route.reason)


def unreported(check: str, detail: str) -> None:
    """Nobody asked."""


def verdict(authenticator: str, steps: Callable[[Report], Identity]) -> Identity | None:
    """Walk the steps; None where one refused, which the log says with its reason.

    Raises:
        BackendError: a step could not be made.
    """
    try:
        return steps(unreported)
    except Refused as refused:
        _log.info(
            "token_refused",
            authenticator=authenticator,
            check=refused.check,
            reason=refused.reason,
        )
        return None


def explanation(steps: Callable[[Report], Identity]) -> Explanation:
    """Walk the steps and keep what each one said."""
    checks: list[Check] = []

    def report(check: str, detail: str) -> None:
        checks.append(Check(check, True, detail))

    identity = None
    try:
        identity = steps(report)
    except Refused as refused:
        checks.append(refused.as_check())
    except (BackendError, NotReadyError) as error:
        checks.append(Check("provider", None, str(error)))
    except Exception as error:  # noqa: BLE001  a fault of ours; its text may quote the token
        checks.append(Check("provider", None, f"{type(error).__name__}: a fault of authsvc"))
    return Explanation(tuple(checks), identity)
