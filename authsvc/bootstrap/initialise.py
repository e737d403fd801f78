"""All of it, in order: the certificates, the API server's files, the administrator's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from authsvc.bootstrap import apiserver, kubeconfig, site, starter, targets
from authsvc.bootstrap.files import Folder, Written, reported
from authsvc.bootstrap.kubeconfig import Review
from authsvc.bootstrap.material import Material, OwnAuthority
from authsvc.bootstrap.site import Site, Wanted


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was resolved, and what became of each file, in the order they were written."""

    site: Site
    written: tuple[Written, ...]


def initialise(
    directory: Path,
    wanted: Wanted | None = None,
    *,
    own_authority: OwnAuthority | None = None,
    authentication_config: str | None = None,
    now: datetime | None = None,
) -> Initialised:
    """Fill a folder with all that a service and its API server need; keep what is good.

    ``authentication_config`` is the text of the API server's own, where it is to have one.
    ``now`` is the time by which certificates are judged and made; it has a time
    zone. A second call changes nothing that is not due.

    Raises:
        ConfigError: what cannot be done, with its place. Files written until
            then are whole.
    """
    with reported(directory):
        return _initialise(
            directory.absolute(),
            wanted or Wanted(),
            own_authority,
            authentication_config,
            now or datetime.now(UTC),
        )


def _initialise(
    directory: Path,
    wanted: Wanted,
    own_authority: OwnAuthority | None,
    authentication_config: str | None,
    now: datetime,
) -> Initialised:
    folder = Folder(directory)
    found = site.resolve(folder.root, folder.owner, wanted)
    starter.check(folder, found)
    Material(folder, now, root_signs=found.runs_as_pod).ensure(found.hosts, own_authority)
    for name, review in (
        (site.AUTHENTICATION_KUBECONFIG, Review.AUTHENTICATION),
        (site.AUTHORIZATION_KUBECONFIG, Review.AUTHORIZATION),
    ):
        folder.generated(name, kubeconfig.render(review, found.url, kubeconfig.BESIDE))
    folder.generated(site.AUTHORIZATION_CONFIG, apiserver.authorization_config(found))
    if authentication_config is not None:
        folder.generated(site.AUTHENTICATION_CONFIG, authentication_config)
    folder.generated(site.FLAGS, apiserver.flags_file(found))
    targets.write(folder, found)
    starter.write(folder, found)
    return Initialised(found, tuple(folder.written))
