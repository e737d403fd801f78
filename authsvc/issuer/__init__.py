"""Tokens that authsvc signs: OAuth 2.0's token endpoint for people of a directory.

``keys`` and ``rotation``: the signing keys. ``tokens``: access tokens (JWT).
``sessions``: refresh tokens and what became of them. ``clients``, ``grants``,
``revocation``, ``metadata``: the endpoints, built on Authlib. ``issuer`` puts
them together. Flask is not known here (``authsvc.webhook.oauth2`` is the
adapter), nor how a password is checked (``directories`` says what is asked).
"""
