"""What the administrator begins with: a configuration, a table of tokens, a policy.

None of it opens a door: the table holds no token and the policy binds nobody.
"""

from __future__ import annotations

from pathlib import Path

from authsvc.bootstrap import material, pki
from authsvc.bootstrap.files import SECRET, Folder
from authsvc.bootstrap.site import LOOPBACK_HOST, Site, is_loopback, present_yaml


def write(folder: Folder, site: Site) -> None:
    """Write what is not there yet; what is there belongs to the administrator."""
    present = folder.root / "authsvc.yaml"
    folder.starter("authsvc.yaml", configuration(site), note=_unreached(present, site))
    folder.starter("tokens.csv", _TOKENS, SECRET)
    if not (folder.root / "policy").exists():
        from authsvc.policy.starter import starter_policy  # late: a kubeconfig needs no policy

        for name, text in starter_policy().items():
            folder.starter(f"policy/{name}", text)


def _unreached(present: Path, site: Site) -> str:
    """Return a note where an edited configuration does not listen where the API server asks."""
    match present_yaml(present):
        case {"server": {"bind": str(bind)}}:
            host, _, port = bind.rpartition(":")
            elsewhere = is_loopback(host) and not site.bind.startswith(LOOPBACK_HOST)
            if elsewhere or port != str(site.port):
                return f"yours; it listens on {bind}, but the API server will ask {site.url}"
    return ""


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
  mode: Enforce  # or Shadow: log what would be said, decide nothing
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
