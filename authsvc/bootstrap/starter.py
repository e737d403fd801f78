"""What the administrator begins with: a configuration, a table of tokens, a policy.

None of it opens a door: the table holds no token and the policy binds nobody.
"""

from __future__ import annotations

from authsvc.bootstrap import material, pki
from authsvc.bootstrap.files import SECRET, Folder
from authsvc.bootstrap.site import LOOPBACK_HOST, Site, is_loopback, present_url, present_yaml
from authsvc.errors import ConfigError

CONFIGURATION = "authsvc.yaml"


def write(folder: Folder, site: Site) -> None:
    """Write what is not there yet; what is there belongs to the administrator.

    A configuration that nobody edited is written anew where it does not listen as it
    should, and for nothing else: a renewal must not bring the settings of a new release.
    """
    if folder.is_edited(CONFIGURATION) or _present_bind(folder) == site.bind:
        folder.starter(CONFIGURATION, "", note=_unreached(folder, site))
    else:
        folder.generated(CONFIGURATION, configuration(site))
    folder.starter("tokens.csv", _TOKENS, SECRET)
    if not (folder.root / "policy").exists():
        from authsvc.policy.starter import starter_policy  # late: a kubeconfig needs no policy

        for name, text in starter_policy().items():
            folder.starter(f"policy/{name}", text)


def check(folder: Folder, site: Site) -> None:
    """See that an edited configuration listens where the API server is about to be told to ask.

    Where it asks already and yet elsewhere (through a load balancer) is only noted.

    Raises:
        ConfigError: it does not; nothing was written yet.
    """
    note = _unreached(folder, site) if folder.is_edited(CONFIGURATION) else ""
    if note and present_url(folder.root) != site.url:
        raise ConfigError(
            str(folder.root / CONFIGURATION),
            f'{note}: write `bind: "{site.bind}"` there first, or give --host and --port as it'
            " listens; nothing was changed",
        )


def _unreached(folder: Folder, site: Site) -> str:
    """Return a note where a configuration does not listen where the API server asks."""
    bind = _present_bind(folder)
    if bind is not None:
        host, _, port = bind.rpartition(":")
        elsewhere = is_loopback(host) and not site.bind.startswith(LOOPBACK_HOST)
        if elsewhere or port != str(site.port):
            return f"yours; it listens on {bind}, but the API server will ask {site.url}"
    return ""


def _present_bind(folder: Folder) -> str | None:
    match present_yaml(folder.root / CONFIGURATION):
        case {"server": {"bind": str(bind)}}:
            return bind
    return None


def configuration(site: Site) -> str:
    """Return a complete configuration; paths in it are relative to the file."""
    return f"""\
# `authsvc config print-defaults` shows every setting, `authsvc config check` this file's faults.
apiVersion: config.authsvc.io/v1alpha1
kind: AuthsvcConfiguration

server:
  bind: "{site.bind}"
  tls:
    certFile: {material.SERVER_CERT}
    keyFile: {material.SERVER_KEY}
    clientCAFile: {material.CA_CERT}
    # Who may ask for reviews: the API server alone.
    allowedClientNames: [{pki.CLIENT_NAME}]

authentication:
  # Asked in this order, for the tokens that nobody before knew.
  authenticators:
  - name: tokens
    type: StaticTokens
    staticTokens:
      file: tokens.csv

authorization:
  # The policy names nobody yet. In a cluster that is in use, try first what you write
  # there: with Shadow every decision is logged, and none binds.
  mode: Enforce
  policy:
    folder: policy
"""


_TOKENS = """\
# Static tokens, in the form that Kubernetes has for them: token,user,uid,groups
# A token should be given hashed; `authsvc token hash` prints such a first cell. An example:
#
# sha256:<64 hex digits>,alice,1001,"developers,team-a"
#
# A saved file is live within two seconds.
"""
