"""From settings to a service: authenticators and an authorizer, put together.

A `Service` is what one configuration means. A changed configuration makes a new
one beside it, with a cache of its own, so nothing of the old is ever answered.
Providers are imported when a configuration names them: a worker that asks no
directory does not carry an LDAP client.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from authsvc import metrics
from authsvc.attempts import AttemptCounter
from authsvc.authn.audiences import AudienceTokenAuthenticator
from authsvc.authn.cache import CachedTokenAuthenticator
from authsvc.authn.enrichment import EnrichedTokenAuthenticator
from authsvc.authn.enrichment_settings import EnrichmentSettings
from authsvc.authn.forge.settings import GitHubSettings, GitLabSettings
from authsvc.authn.guard import GuardedTokenAuthenticator
from authsvc.authn.introspection.settings import IntrospectionSettings
from authsvc.authn.ldap.settings import LDAPSettings
from authsvc.authn.oidc.settings import OIDCSettings
from authsvc.authn.passwords import StaticPasswordAuthenticator
from authsvc.authn.passwords_settings import StaticPasswordsSettings
from authsvc.authn.static import StaticTokenAuthenticator
from authsvc.authn.static_settings import StaticTokensSettings
from authsvc.authn.tables import Table
from authsvc.authn.union import UnionTokenAuthenticator
from authsvc.authz.policy import PolicyAuthorizer
from authsvc.authz.shadow import ShadowAuthorizer
from authsvc.config.model import (
    AuthenticationSettings,
    AuthorizationSettings,
    Configuration,
    IssuingSettings,
    Mode,
    NamedAuthenticator,
)
from authsvc.errors import PolicyError
from authsvc.faults import Faults
from authsvc.interfaces import (
    NO_OPINION,
    Attributes,
    Authorizer,
    Decision,
    Lifecycle,
    TokenAuthenticator,
)
from authsvc.issuer.settings import IssuedSettings
from authsvc.policy import PolicySnapshot, load
from authsvc.reloading import Reloading
from authsvc.store.opening import attempt_counter, open_store
from authsvc.store.protocol import Store
from authsvc.truncation import refuse_truncated

if TYPE_CHECKING:
    from authsvc.authn.provider import ProviderAuthenticator
    from authsvc.issuer.issuer import Issuer
    from authsvc.issuing import Issuing, KnowsPeople

# The longest time the API server waits for a webhook: what was asked of a
# service before it was replaced is answered, or given up, by then.
RETIRE_SECONDS = 30.0


class Provider(NamedTuple):
    """An authenticator by its name, with what it runs and the files it follows.

    ``authenticator`` None: it takes no bearer tokens. ``people``: what the
    issuer asks where people log in with their password.
    """

    name: str
    authenticator: TokenAuthenticator | None
    people: KnowsPeople | None = None
    parts: tuple[Lifecycle, ...] = ()
    files: tuple[Reloading[Any], ...] = ()


class Service(NamedTuple):
    """What one configuration means. ``files`` are what it follows by itself.

    ``chain``: all token authenticators as one, with what guards and binds
    them; reviews ask ``tokens``, which is the chain behind the cache.
    """

    configuration: Configuration
    chain: TokenAuthenticator
    tokens: CachedTokenAuthenticator
    authorizer: Authorizer
    decides_quickly: bool
    issuer: Issuer | None
    parts: tuple[Lifecycle, ...]
    files: tuple[Reloading[Any], ...]

    def start(self) -> None:
        """Start what its parts run."""
        for part in (*self.parts, *self.files):
            part.start()

    def close(self) -> None:
        """Stop what its parts run."""
        for part in (*self.files, *self.parts):
            part.close()

    def doubts(self) -> Sequence[PolicyError]:
        """Return what its tables say and will not be believed, with the places."""
        tables = [file.last_good for file in self.files]
        return [doubt for each in tables if isinstance(each, Table) for doubt in each.doubts]

    def retire(self) -> None:
        """Stop following files now, and close the parts once nobody waits for them any more."""
        for file in self.files:
            file.close()
        timer = threading.Timer(RETIRE_SECONDS, self.close)
        timer.daemon = True
        timer.start()


def build(configuration: Configuration) -> Service:
    """Make a service of a configuration; loads every file it names.

    Raises:
        InvalidConfigurationError, InvalidPolicyError: a file cannot be used.
    """
    store = None if configuration.store is None else open_store(configuration.store)
    attempts = attempt_counter(configuration.authentication.password_attempts, store)
    own = {
        named.name: provider
        for named in configuration.authentication.authenticators
        if (provider := _provider(named, attempts)) is not None
    }
    for named in configuration.authentication.authenticators:
        if named.enrichment is not None and named.name in own:
            own[named.name] = _enriched(own[named.name], named.enrichment, own)
    issuing = _issuing(configuration.issuing, store, own)
    providers = [
        own.get(named.name) or Provider(named.name, issuing and issuing.authenticator)
        for named in configuration.authentication.authenticators
    ]
    authorizer, policy = _authorizer(configuration.authorization)
    of_identities = [file for provider in providers for file in provider.files]
    parts = [part for provider in providers for part in provider.parts]
    if issuing is not None:
        of_identities += issuing.issuer.files
        parts.append(issuing.issuer)
    if store is not None:
        parts.append(store)
    files = (*of_identities, *policy)
    _load_all(files)
    chain = _chain(configuration.authentication, providers)
    return Service(
        configuration,
        chain,
        _cached(chain, configuration.authentication, of_identities, issuing),
        authorizer,
        # A model of one's own is decided by Casbin's enforcer, which walks every row.
        configuration.authorization.model is None,
        issuing and issuing.issuer,
        tuple(parts),
        files,
    )


def _load_all(files: Sequence[Reloading[Any]]) -> None:
    faults = Faults()
    for file in files:
        with faults.collected():
            file.load()
    faults.raise_any()


def _issuing(
    settings: IssuingSettings | None, store: Store | None, providers: Mapping[str, Provider]
) -> Issuing | None:
    if settings is None or store is None:
        return None
    from authsvc import issuing

    people = {name: each.people for name, each in providers.items() if each.people}
    tokens = {name: each.authenticator for name, each in providers.items() if each.authenticator}
    return issuing.put_together(settings, store, people, tokens)


def _chain(settings: AuthenticationSettings, providers: Sequence[Provider]) -> TokenAuthenticator:
    guarded = [
        (provider.name, GuardedTokenAuthenticator(provider.authenticator, provider.name))
        for provider in providers
        if provider.authenticator is not None
    ]
    chain: TokenAuthenticator = UnionTokenAuthenticator(guarded)
    if settings.audiences:
        chain = AudienceTokenAuthenticator(chain, settings.audiences)
    return chain


def _cached(
    chain: TokenAuthenticator,
    settings: AuthenticationSettings,
    files: Sequence[Reloading[Any]],
    issuing: Issuing | None,
) -> CachedTokenAuthenticator:
    return CachedTokenAuthenticator(
        chain,
        ttl=settings.cache.ttl,
        rejected_ttl=settings.cache.rejected_ttl,
        size=settings.cache.size,
        generation=lambda: tuple([file.generation for file in files]),
        withdrawn=issuing.authenticator.is_revoked if issuing else lambda _: False,
    )


def _provider(named: NamedAuthenticator, attempts: AttemptCounter) -> Provider | None:
    """Return a provider; None for the issuer's own tokens, which come with the issuer."""
    name, settings = named.name, named.settings
    oauth: ProviderAuthenticator
    match settings:
        case IssuedSettings():
            return None
        case StaticTokensSettings():
            static = StaticTokenAuthenticator(settings, name)
            return Provider(name, static, files=(static.table,))
        case StaticPasswordsSettings():
            passwords = StaticPasswordAuthenticator(settings, attempts, name)
            return Provider(name, None, passwords, files=(passwords.table,))
        case LDAPSettings():
            from authsvc.authn.ldap.authenticator import LDAPAuthenticator

            ldap = LDAPAuthenticator(settings, attempts, name)
            return Provider(name, ldap if settings.password_tokens else None, ldap, parts=(ldap,))
        case OIDCSettings():
            from authsvc.authn.oidc.authenticator import OIDCAuthenticator

            oauth = OIDCAuthenticator(settings, name)
        case IntrospectionSettings():
            from authsvc.authn.introspection.authenticator import IntrospectionAuthenticator

            oauth = IntrospectionAuthenticator(settings, name)
        case GitHubSettings():
            from authsvc.authn.forge.github import GitHubAuthenticator

            oauth = GitHubAuthenticator(settings, name)
        case GitLabSettings():
            from authsvc.authn.forge.gitlab import GitLabAuthenticator

            oauth = GitLabAuthenticator(settings, name)
        case _:
            assert_never(settings)
    return Provider(name, oauth, parts=(oauth,), files=oauth.files)


def _enriched(
    provider: Provider, settings: EnrichmentSettings, providers: Mapping[str, Provider]
) -> Provider:
    """Return the provider with what a directory adds to its answers."""
    people = providers[settings.authenticator].people
    if people is None or provider.authenticator is None:
        return provider
    enriched = EnrichedTokenAuthenticator(provider.authenticator, people, settings, provider.name)
    return provider._replace(authenticator=enriched)


class _NoPolicy:
    """The authorizer of a service without a policy."""

    def authorize(self, attributes: Attributes) -> Decision:  # noqa: ARG002  the protocol's signature
        """Return no opinion."""
        return NO_OPINION


def _authorizer(
    settings: AuthorizationSettings,
) -> tuple[Authorizer, tuple[Reloading[Any], ...]]:
    folder = settings.policy_folder
    if folder is None:
        return _NoPolicy(), ()
    model = settings.model
    policy: Reloading[PolicySnapshot] = Reloading(
        "policy",
        refuse_truncated(lambda: load(folder, model, after=policy.last_good), folder),
        [folder] if model is None else [folder, model],
        measure=_count_rows,
    )
    authorizer: Authorizer = PolicyAuthorizer(policy)
    if settings.mode is Mode.SHADOW:
        authorizer = ShadowAuthorizer(authorizer)
    return authorizer, (policy,)


def _count_rows(policy: PolicySnapshot) -> None:
    for kind, number in policy.counts.items():
        metrics.POLICY_ROWS.labels(kind).set(number)
