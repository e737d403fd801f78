"""An authorizer that only watches: for trying a policy before it decides."""

from __future__ import annotations

import structlog

from authsvc.errors import NotReadyError
from authsvc.interfaces import NO_OPINION, Attributes, Authorizer, Decision

_log = structlog.get_logger()


class ShadowAuthorizer:
    """Never has an opinion; hands on the one that another would have had, for the decision log.

    What is on trial is no reason to fail here: not loaded, or at fault, it is
    logged and no more.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def authorize(self, attributes: Attributes) -> Decision:
        """Return no opinion, always."""
        try:
            decision = self._authorizer.authorize(attributes)
        except NotReadyError as error:
            _log.warning("shadow_not_ready", error=str(error))
            return NO_OPINION
        except Exception:  # noqa: BLE001  whatever it is, it is on trial
            _log.error("shadow_crashed", exc_info=True)
            return NO_OPINION
        return NO_OPINION._replace(shadowed=decision)
