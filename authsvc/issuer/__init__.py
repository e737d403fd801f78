"""Tokens that authsvc signs: OAuth 2.0's token endpoint for people of a directory.

``keys`` and ``rotation``: the signing keys. ``tokens``: access tokens (JWT).
``refresh``: the form of refresh tokens. ``sessions``: what became of them.
``revocations``: which sessions have ended. ``clients``: who may ask.
``issuer`` puts these together and knows no protocol; ``grants`` and
``endpoints`` do, built on Authlib. Flask is not known here
(``authsvc.webhook.oauth2`` is the adapter), nor how a password is checked
(``issuer.Directories`` says what is asked).
"""
