"""An authorizer that only watches: for trying a policy before it decides."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from authsvc.errors import NotReadyError
from authsvc.interfaces import NO_OPINION, Attributes, Authorizer, Decision

_log = structlog.get_logger()


def log_decision(attributes: Attributes, decision: Decision) -> None:
    """Log what would have been said."""
    _log.info(
        "shadow_decision",
        user=attributes.user.username,
        verb=attributes.verb,
        resource=attributes.resource or attributes.path,
        namespace=attributes.namespace,
        name=attributes.name,
        effect=decision.effect.value,
        reason=decision.reason,
    )


class ShadowAuthorizer:
    """Never has an opinion, and records the one that another would have had.

    An ``interfaces.Authorizer``. ``record`` is called with each request and the
    hidden decision. A policy that is not loaded is no reason to fail here.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        record: Callable[[Attributes, Decision], None] = log_decision,
    ) -> None:
        self._authorizer = authorizer
        self._record = record

    def authorize(self, attributes: Attributes) -> Decision:
        """Return NO_OPINION, always."""
        try:
            decision = self._authorizer.authorize(attributes)
        except NotReadyError as error:
            _log.warning("shadow_not_ready", error=str(error))
        else:
            self._record(attributes, decision)
        return NO_OPINION
