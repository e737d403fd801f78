"""``authsvc`` with faults in it, as a program.

Static tokens fail as nobody foresaw, with an exception whose text is the token.
The policy is never ready.
"""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.authn.static import StaticTokenAuthenticator
from authsvc.authz.policy import PolicyAuthorizer
from authsvc.cli import main
from authsvc.errors import NotReadyError
from authsvc.interfaces import Attributes, Decision, Identity


class BrokenAuthenticator(StaticTokenAuthenticator):
    def authenticate_token(self, token: str, audiences: Sequence[str]) -> Identity | None:  # noqa: ARG002  the protocol's signature
        users: dict[str, Identity] = {}
        return users[token]


class UnreadyAuthorizer(PolicyAuthorizer):
    def authorize(self, attributes: Attributes) -> Decision:  # noqa: ARG002  the protocol's signature
        raise NotReadyError("no policy was ever loaded")


if __name__ == "__main__":
    for sound, broken, method in (
        (StaticTokenAuthenticator, BrokenAuthenticator, "authenticate_token"),
        (PolicyAuthorizer, UnreadyAuthorizer, "authorize"),
    ):
        setattr(sound, method, getattr(broken, method))
    main()
