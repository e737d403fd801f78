"""What to change when a step of the walk fails.

By the server's own words first, which often know best; else by what the failure
is due to, as the error itself says, or by the result's code (RFC 4511, 4.1.9).
"""

from __future__ import annotations

from authsvc.authn.ldap.connection import INVALID_CREDENTIALS, NO_SUCH_OBJECT
from authsvc.authn.ldap.errors import DirectoryError, Fault, RefusedError
from authsvc.errors import BackendError

_REFERRAL = 10
_INSUFFICIENT_ACCESS = 50


def advice_for(error: BackendError | TimeoutError) -> str:
    """Return what to do about a failure, empty where there is nothing to say."""
    for words, advice in _BY_WORDS:
        if words in str(error):
            return advice
    if isinstance(error, TimeoutError):
        return _BY_FAULT[Fault.LATE]
    # A directory that was asked at all its servers tells the failure of the last.
    for each in (error, error.__cause__):
        if isinstance(each, RefusedError):
            return _by_code(each)
        if isinstance(each, DirectoryError) and each.fault is not None:
            return _BY_FAULT[each.fault]
    return ""


def _by_code(error: RefusedError) -> str:
    if error.fault is Fault.SERVICE_BIND and error.code == INVALID_CREDENTIALS:
        return "check bind.dn and the content of bind.passwordFile"
    if error.fault is not None:
        return _BY_FAULT[error.fault]
    return _BY_CODE.get(error.code, "")


# Active Directory's subcodes of invalidCredentials ([MS-ADTS] section 5.1.1).
_BY_WORDS = (
    ("data 52e", "Active Directory: the password is wrong"),
    ("data 525", "Active Directory: there is no such account"),
    ("data 530", "Active Directory: not at this time"),
    ("data 531", "Active Directory: not from this machine"),
    ("data 532", "Active Directory: the password has expired"),
    ("data 533", "Active Directory: the account is disabled"),
    ("data 701", "Active Directory: the account has expired"),
    ("data 773", "Active Directory: the password must be changed first"),
    ("data 775", "Active Directory: the account is locked out"),
)

_BY_FAULT = {
    Fault.NO_ADDRESS: "check the server's name, and that this machine's resolver knows it",
    Fault.NOBODY_LISTENS: "nothing listens there: check the port (ldaps 636, ldap 389)",
    Fault.LATE: "a firewall may drop the packets; or raise deadline",
    Fault.AUTHORITY: "set tls.caFile to the authority that issued the server's certificate",
    Fault.OTHER_HOST: (
        "name the server as its certificate does (openssl s_client -connect HOST:PORT shows it)"
    ),
    Fault.EXPIRED: "renew the server's certificate",
    Fault.NO_START_TLS: "the server has no certificate for StartTLS; use ldaps:// if it has one",
    Fault.TLS_FILES: "check tls.caFile, tls.certFile and tls.keyFile",
    Fault.NO_TLS: "the port does not speak TLS: ldaps:// is usually 636, ldap:// 389",
    Fault.SERVICE_BIND: "the server does not take this kind of bind: check bind",
    Fault.NOTHING_BELOW: "check base and filter, and what the service's account may read",
    Fault.NO_USER: "check the spelling, users.base and users.filter",
    Fault.SAME_NAME: "set name: dn for these groups, or narrow base",
    Fault.VALUE: "map another attribute",
    Fault.SEVERAL_ENTRIES: "narrow users.base or users.filter until a name is one entry",
}

_BY_CODE = {
    _REFERRAL: "set baseDN to what this very server holds: referrals are not followed",
    NO_SUCH_OBJECT: "the base does not exist, or the service's account may not read it",
    INVALID_CREDENTIALS: "the password is wrong, or the account is locked",
    _INSUFFICIENT_ACCESS: "let the service's account read there",
}
