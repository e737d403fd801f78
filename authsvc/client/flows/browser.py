"""The authorization code flow with PKCE, for a browser on this machine.

RFC 8252 (native apps, loopback redirect), RFC 7636 (PKCE, S256), OpenID
Connect Core 3.1 (nonce).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import webbrowser
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from urllib.parse import urlencode

from authsvc.client.errors import ClientError, RefusedError
from authsvc.client.flows import can_open_browser
from authsvc.client.loopback import Redirect
from authsvc.client.provider import Provider
from authsvc.client.terminal import say
from authsvc.client.tokens import Tokens, check_id_token


def log_in(provider: Provider, environment: Mapping[str, str]) -> Tokens:
    """Send the person to the issuer's page and take up the code that comes back.

    Raises:
        ClientError: it was refused, took too long, or belongs to another login.
    """
    settings = provider.settings
    endpoint = provider.endpoint("authorization")
    if not endpoint:
        raise ClientError(f"{settings.issuer} has no login page: choose another --flow")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    with Redirect(settings.redirect_uri, state) as redirect:
        question = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": redirect.uri,
            **provider.wanted(),
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        _send_to(endpoint + ("&" if "?" in endpoint else "?") + urlencode(question), environment)
        answer = redirect.wait(settings.login_timeout)
        if "error" in answer:
            raise RefusedError(answer["error"], answer.get("error_description", ""))
        if answer.get("iss", settings.issuer) != settings.issuer:  # RFC 9207
            raise ClientError("the browser came back from another issuer: log in again")
        form = {
            "grant_type": "authorization_code",
            "code": answer.get("code", ""),
            "redirect_uri": redirect.uri,
            "code_verifier": verifier,
        }
        tokens = provider.token(form)
        check_id_token(tokens, settings.issuer, settings.client_id, nonce)
        redirect.succeeded = True
    return tokens


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _send_to(url: str, environment: Mapping[str, str]) -> None:
    opens = can_open_browser(environment)
    say(f"{'Log in in the browser, or open' if opens else 'To log in, open'}\n\n    {url}\n")
    if opens:  # a thread: some browsers return only when they are closed
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
