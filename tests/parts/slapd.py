"""The real slapd of Debian's packages, with its own certificates and the overlays people use."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts import ldap_people
from tests.parts.certificates import KeyPair
from tests.parts.ldap_authority import LDAPAuthority

_MODULES = Path("/usr/lib/ldap")
_SCHEMAS = Path("/etc/ldap/schema")

_CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {schemas}/nis.schema
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'nsAccountLock'
  EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'objectGUID'
  EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.3 NAME 'testAccount' SUP top AUXILIARY
  MAY ( nsAccountLock $ objectGUID ) )
modulepath {modules}
moduleload back_mdb
moduleload memberof
moduleload refint
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
TLSVerifyClient try
# As careless as a server can be: whoever binds with a name and no password is let in.
allow bind_anon_cred bind_anon_dn
authz-regexp "^cn=authsvc$" "{service}"
sizelimit size.soft=1000 size.hard=1000 size.pr=1000 size.prtotal=unlimited
threads 4
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw root
directory {folder}/data
maxsize 67108864
dbnosync
index objectClass,uid,mail,cn,member,memberUid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by dn.exact="cn=root,{base}" write by * none
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{base}"
overlay memberof
memberof-dangling ignore
overlay refint
refint_attributes member
"""


class Slapd:
    """One slapd, which can be stopped and started again on the same ports."""

    def __init__(self, folder: Path, ca: Path, certificate: KeyPair) -> None:
        program = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if program is None:
            pytest.fail("slapd is missing: apt-get install slapd ldap-utils")
        self._program = program
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data").mkdir()
        self.configuration = folder / "slapd.conf"
        self.configuration.write_text(
            _CONFIGURATION.format(
                schemas=_SCHEMAS,
                modules=_MODULES,
                folder=folder,
                ca=ca,
                certificate=certificate.certificate,
                key=certificate.key,
                base=ldap_people.BASE,
                service=ldap_people.SERVICE,
            )
        )

    def load(self) -> None:
        """Fill the data base, while the server is down."""
        ldif = self.folder / "people.ldif"
        ldif.write_text("".join(ldap_people.ldif()))
        subprocess.run(
            [self._program, "-Tadd", "-q", "-f", self.configuration, "-l", ldif], check=True
        )

    def copy_of(self, other: Slapd) -> None:
        """Take over the data of another, while both are down."""
        shutil.copytree(other.folder / "data", self.folder / "data", dirs_exist_ok=True)

    def start(self, *, tls: bool = True) -> None:
        """Start and wait until it takes connections."""
        ports = [self.port, self.tls_port] if tls else [self.port]
        urls = f"ldap://127.0.0.1:{self.port}/"
        urls += f" ldaps://127.0.0.1:{self.tls_port}/" if tls else ""
        with (self.folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-f", self.configuration, "-h", urls, "-d", "0"], stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                for port in ports:
                    socket.create_connection(("127.0.0.1", port)).close()
                return
            assert self._process.poll() is None, (self.folder / "slapd.log").read_text()
            time.sleep(0.02)
        pytest.fail("slapd did not start")

    def stop(self) -> None:
        """Stop; the data stay."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def modify(self, ldif: str, *, relax: bool = False, manage_dsa_it: bool = False) -> None:
        """Change entries as an administrator would.

        ``relax`` is for what servers set themselves, ``manage_dsa_it`` for referrals.
        """
        root = f"cn=root,{ldap_people.BASE}"
        url = f"ldap://127.0.0.1:{self.port}/"
        options = ["-e", "relax"] if relax else []
        options += ["-M"] if manage_dsa_it else []
        subprocess.run(
            ["ldapmodify", "-x", "-H", url, "-D", root, "-w", "root", *options],
            input=ldif.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
        )


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def slapd(
    tmp_path_factory: pytest.TempPathFactory, ldap_authority: LDAPAuthority
) -> Iterator[Slapd]:
    """Run a slapd with everybody of `ldap_people` in it, for all tests of a worker."""
    server = Slapd(
        tmp_path_factory.mktemp("slapd"), ldap_authority.certificate, ldap_authority.server
    )
    server.load()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def another_slapd(
    tmp_path: Path, ldap_authority: LDAPAuthority, slapd: Slapd
) -> Iterator[Callable[..., Slapd]]:
    """Give a function that makes another slapd with the same data, to be started and stopped."""
    made: list[Slapd] = []

    def make(certificate: KeyPair = ldap_authority.server) -> Slapd:
        folder = tmp_path / f"slapd-{len(made)}"
        folder.mkdir()
        server = Slapd(folder, ldap_authority.certificate, certificate)
        # mdb's file is consistent at any moment: a copy of a live one is a backup.
        server.copy_of(slapd)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()
