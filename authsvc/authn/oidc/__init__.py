"""JWTs of OpenID Connect providers, verified here with the provider's published keys.

``keys`` knows where keys come from and when, ``jws`` which signature is good,
``authenticator`` what a token must say.
"""
