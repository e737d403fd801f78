"""What to change when a step of the walk fails, by the words of the failure."""

from __future__ import annotations

import re


def advice_for(failure: str) -> str:
    """Return what to do about a failure, empty where there is nothing to say."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, failure)), "")


_ADVICE = (
    (r"has no address", "check the server's name, and that this machine's resolver knows it"),
    (r"connect: connection refused", "nothing listens there: check the port (ldaps 636, ldap 389)"),
    (r"no answer in time|took more", "a firewall may drop the packets; or raise deadline"),
    (
        r"self.signed|unable to get|issuer",
        "set tls.caFile to the authority that issued the server's certificate",
    ),
    (
        r"mismatch|not valid for",
        "name the server as its certificate does (openssl s_client -connect HOST:PORT shows it)",
    ),
    (r"certificate has expired", "renew the server's certificate"),
    (r"StartTLS refused", "the server has no certificate for StartTLS; use ldaps:// if it has one"),
    (r"TLS files", "check tls.caFile, tls.certFile and tls.keyFile"),
    (r"TLS: ", "the port does not speak TLS: ldaps:// is usually 636, ldap:// 389"),
    (r"data 52e", "Active Directory: the password is wrong"),
    (r"data 525", "Active Directory: there is no such account"),
    (r"data 53[01]", "Active Directory: not at this time, or not from this machine"),
    (r"data 532", "Active Directory: the password has expired"),
    (r"data 533", "Active Directory: the account is disabled"),
    (r"data 701", "Active Directory: the account has expired"),
    (r"data 773", "Active Directory: the password must be changed first"),
    (r"data 775", "Active Directory: the account is locked out"),
    (r"bind of the service.*\(49\)", "check bind.dn and the content of bind.passwordFile"),
    (r"bind of the service", "the server does not take this kind of bind: check bind"),
    (r"\(49\)", "the password is wrong, or the account is locked"),
    (r"\(32\)", "the base does not exist, or the service's account may not read it"),
    (r"\(50\)|insufficientAccess", "let the service's account read there"),
    (r"no entry below", "check base and filter, and what the service's account may read"),
    (r"no entry matches", "check the spelling, users.base and users.filter"),
    (r"name groups by dn|of more than one group", "set name: dn for these groups, or narrow base"),
    (r"has no values of|has no |is empty|values of attribute", "map another attribute"),
    (r"more than one entry", "narrow users.base or users.filter until a name is one entry"),
    (r"referral", "set baseDN to what this very server holds: referrals are not followed"),
)
