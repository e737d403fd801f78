"""LDAP directories: OpenLDAP, Active Directory, FreeIPA, 389 Directory Server.

From the bottom up: ``sockets``, ``names`` and ``ranges`` know nothing of LDAP servers;
``connection`` is one connection and the only module that calls ldap3;
``dial`` opens them, ``pool`` keeps them, ``server`` is one server and
``directory`` all of them; ``users``, ``groups`` and ``status`` ask the
directory questions; ``authenticator`` puts the answers together. ``check`` walks
the same steps one at a time, for an administrator.

``settings`` and ``presets`` load no LDAP client, so nothing is imported here.
"""
