"""The words of the authorizers' suites: a request, a rule, an effect, each in a few letters."""

from __future__ import annotations

from datetime import datetime

from authsvc.interfaces import Attributes, Effect, Requirement, UserInfo

NOW = datetime.fromisoformat("2026-11-23T21:00:00Z").timestamp()
A, D, NONE = Effect.ALLOW, Effect.DENY, Effect.NO_OPINION


def ask(
    verb: str = "get",
    what: str = "pods",
    ns: str = "",
    name: str = "",
    *,
    user: str = "alice",
    groups: tuple[str, ...] = (),
    **more: tuple[Requirement, ...],
) -> Attributes:
    """A request in kubectl's words: ``ask("get", "deployments.apps/scale", "ns", "web")``."""
    who = UserInfo(user, "", groups)
    if what.startswith("/"):
        return Attributes(who, verb, False, path=what)
    main, _, subresource = what.partition("/")
    resource, _, group = main.partition(".")
    return Attributes(who, verb, True, ns, group, "v1", resource, subresource, name, **more)  # type: ignore[arg-type]  # the rest are selectors


def p(
    who: str, where: str, what: str, which: str = "*", may: str = "*", effect: str = "allow"
) -> str:
    """A rule, as a line."""
    return ", ".join(("p", who, where, what, which, may, effect)) + "\n"
