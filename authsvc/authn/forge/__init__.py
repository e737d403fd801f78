"""Tokens of code forges, known by asking the forge's own API: GitHub and GitLab.

A forge has no introspection that would say for whom a token was made. So who
may come in is a matter of membership: at least one organisation or group must
be configured, and only what is in those becomes a group here, since anybody
can make an organisation of any free name.
"""
