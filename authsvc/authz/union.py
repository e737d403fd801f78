"""Several authorizers as one: the first that has an opinion is right."""

from __future__ import annotations

from collections.abc import Sequence

from authsvc.interfaces import NO_OPINION, Attributes, Authorizer, Decision, Effect


class UnionAuthorizer:
    """Asks authorizers in order, as Kubernetes' union does; an ``interfaces.Authorizer``.

    A failure ends the matter: an authorizer that could not be asked might have
    denied.
    """

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    def authorize(self, attributes: Attributes) -> Decision:
        """Return the first ALLOW or DENY.

        Raises:
            NotReadyError: one of those that came first has nothing to decide by.
        """
        for authorizer in self._authorizers:
            decision = authorizer.authorize(attributes)
            if decision.effect is not Effect.NO_OPINION:
                return decision
        return NO_OPINION
