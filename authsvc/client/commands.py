"""What each command does and prints: the thin top over ``login``, ``kubectl`` and ``reviews``."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from authsvc.client import kubectl as through
from authsvc.client import login as sessions
from authsvc.client import request, reviews
from authsvc.client import setup as setting_up
from authsvc.client.errors import printable
from authsvc.client.kubeconfig import Kubeconfig, user_entry
from authsvc.client.kubectl import Kubectl
from authsvc.client.login import Status
from authsvc.client.request import SETTINGS
from authsvc.client.terminal import say

Environment = Mapping[str, str]
Command = Callable[[Namespace, Environment], int]


def get_token(arguments: Sequence[str], environment: Environment) -> int:
    """Print the ExecCredential that kubectl asked for, and nothing else, on stdout."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as answer:
        # Whatever is started from here, a browser say, must not speak to kubectl.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        asked = request.read(arguments, environment)
        token, expires_at = sessions.token(asked, environment)
        print(request.credential(asked.api_version, token, expires_at), file=answer)
    return 0


def login(options: Namespace, environment: Environment) -> int:
    """Log in, whether or not there is a session."""
    asked, environment = through.current(_kubectl(options, environment))
    given = {"flow": options.flow, "username": options.username}
    overrides = {name: value for name, value in given.items() if value}
    session = sessions.log_in(asked, environment, overrides)
    say(f"Logged in as {session['username']}.")
    return 0


def logout(options: Namespace, environment: Environment) -> int:
    """End the session."""
    asked, environment = through.current(_kubectl(options, environment))
    existed = sessions.log_out(asked, environment)
    say("Logged out." if existed else "There was no session.")
    return 0


def status(options: Namespace, environment: Environment) -> int:
    """Show the session that is kept; exit status 1 where kubectl could not use it."""
    asked, environment = through.current(_kubectl(options, environment))
    found = sessions.status(asked, environment)
    if options.output == "json":
        print(json.dumps(_status_object(found), indent=2))
    else:
        _print_status(found)
    return 0 if found.logged_in else 1


def _status_object(status: Status) -> dict[str, object]:
    """Return what README.md documents: programs read these names. None is what is not known."""
    end = status.good_until
    return {
        "cluster": status.cluster or None,
        "issuer": status.issuer or None,
        "loggedIn": status.logged_in,
        "username": status.username or None,
        "expirationTimestamp": None if end is None else _timestamp(end),
        "renewable": bool(status.refresh_token_in),
        "refreshTokenIn": status.refresh_token_in or None,
        "sessionFile": status.session_file or None,
        "tokenFile": status.token_file or None,
    }


def _print_status(status: Status) -> None:
    if status.token_file:
        _table({"Token": f"from the file {status.token_file}"})
        return
    _table({"Cluster": status.cluster or "(any)", "Issuer": status.issuer})
    if status.good_until is None:
        print("Not logged in: run `kubectl authsvc login`.")
        return
    left = status.good_until - time.time()
    where = {"keyring": "the keyring", "file": "the session file"}.get(status.refresh_token_in)
    _table(
        {
            "User": status.username,
            "Token": f"good for {_length(left)}" if left > 0 else "used up",
            "Renewal": f"by itself, refresh token in {where}" if where else "by a new login",
            "Session": status.session_file,
        }
    )


def whoami(options: Namespace, environment: Environment) -> int:
    """Show the user that the API server sees."""
    user = reviews.who_am_i(_kubectl(options, environment))
    groups, extra = user.get("groups"), user.get("extra")
    rows = {"Username": _words(user.get("username", "")), "UID": _words(user.get("uid", ""))}
    rows["Groups"] = _words(groups)
    for name, values in extra.items() if isinstance(extra, dict) else ():
        rows[f"Extra {printable(str(name))}"] = _words(values)
    _table({name: value for name, value in rows.items() if value})
    return 0


def can_i(options: Namespace, environment: Environment) -> int:
    """Print yes or no, with --explain also why; exit status 1 for no, as `kubectl auth can-i`."""
    kubectl = _kubectl(options, environment)
    path = options.what.startswith("/")
    namespace = options.namespace
    if not namespace and not options.all_namespaces and not path:
        context = through.configuration(kubectl).context(kubectl.context)
        namespace = str(context.get("namespace") or "default")
    question = reviews.Question(
        verb=options.verb,
        what=options.what,
        namespace="" if options.all_namespaces or path else namespace,
        subresource=options.subresource,
        user=options.for_user,
        groups=options.for_group,
    )
    answer = reviews.may(kubectl, question)
    print("yes" if answer.allowed else "no")
    if options.explain:
        none = "denied" if answer.denied else "no rule allows it and none denies it"
        print(answer.reason or ("no reason was given" if answer.allowed else none))
    if answer.error:
        say(f"kubectl-authsvc: the API server could not ask everybody: {answer.error}")
    return 0 if answer.allowed else 1


def setup(options: Namespace, environment: Environment) -> int:
    """Write the user entry, and a context where one is asked for."""
    given = {name: getattr(options, name.replace("-", "_")) for name in SETTINGS}
    values = {name: value for name, value in given.items() if value is not None}
    for name in ("certificate-authority", "client-secret-file", "token-file"):
        if name in values:  # kubectl runs anywhere
            values[name] = _absolute(values[name])
    arguments = [f"--{name}={value}" for name, value in values.items()]
    wanted = setting_up.Wanted(
        entry=user_entry(_own_command(environment), arguments, options.interactive_mode),
        name=options.name,
        context=options.context,
        cluster=options.cluster,
        overwrite=options.overwrite,
    )
    kubectl = _kubectl(options, environment)
    before = through.configuration(kubectl)
    plan = setting_up.plan(before, wanted)
    addition: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Config",
        "users": [{"name": plan.user, "user": plan.entry}],
    }
    if plan.context:
        addition["contexts"] = [{"name": options.context, "context": plan.context}]
        addition["current-context"] = options.context
    file = through.configuration_file(options.kubeconfig, environment)
    through.merge(kubectl, addition, file)
    say(f"Wrote user {plan.user!r} to {file}.")
    authority = values.get("certificate-authority", "")
    if authority and not Path(authority).is_file():
        say(f"kubectl-authsvc: there is no file {authority} yet: a login needs it")
    _say_context(options.context, plan, before)
    return 0


def _say_context(name: str, plan: setting_up.Plan, before: Kubeconfig) -> None:
    """Say which context is written and current now, what was before, and what comes next."""
    contexts, current = before.entries("contexts"), before.current_context
    if plan.context:
        parts = [f"{part} {plan.context[part]!r}" for part in ("cluster", "user")]
        say(f"Wrote context {name!r}: {', '.join(parts)}. It is the current context now.")
        old = contexts.get(name)
        if old and any(old.get(part) != plan.context[part] for part in ("cluster", "user")):
            parts = [f"{part} {old.get(part)!r}" for part in ("cluster", "user")]
            say(f"It was: {', '.join(parts)}.")
        if current not in ("", name):
            back = f"kubectl config use-context {shlex.quote(current)}"
            say(f"The current context was {current!r}; to go back: {back}")
    elif current not in contexts:
        say("Now have a context use it: run this again with --context=NAME --cluster=CLUSTER")
        return
    elif contexts[current].get("user") != plan.user:
        say(f"Now run: kubectl config set-context --current --user={shlex.quote(plan.user)}")
        return
    say("Now run: kubectl authsvc login")


def _kubectl(options: Namespace, environment: Environment) -> Kubectl:
    flags = [f"--kubeconfig={options.kubeconfig}"] if options.kubeconfig else []
    context = "" if options.command is setup else options.context
    if getattr(options, "as_user", ""):
        flags.append(f"--as={options.as_user}")
    flags += [f"--as-group={group}" for group in getattr(options, "as_group", ())]
    return Kubectl(environment, flags, context=context)


def _own_command(environment: Environment) -> str:
    """How kubectl finds this program again: by name if that is on PATH."""
    name = "kubectl-authsvc"
    return name if shutil.which(name, path=environment.get("PATH")) else _absolute(sys.argv[0])


def _absolute(path: str) -> str:
    """Return a path that holds from any folder; links in it stay links."""
    return str(Path(path).expanduser().absolute())


def _table(rows: Mapping[str, str]) -> None:
    for name, value in rows.items():
        print(f"{name + ':':10} {value}")


def _words(value: object) -> str:
    return ", ".join(
        printable(str(item)) for item in (value if isinstance(value, list) else [value]) if item
    )


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))  # RFC 3339


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
