"""What the policy commands have in common: which policy, and output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from authsvc.cli.policy.output import Progress

if TYPE_CHECKING:
    from authsvc.interfaces import Attributes, UserInfo
    from authsvc.policy import PolicySnapshot, Rows

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class PolicySource:
    """The policy that a command is about, as its options say it."""

    folder: Path | None
    model: Path | None
    config: Path | None

    def find(self) -> tuple[Path, Path | None]:
        """Return the folder and the model that are meant.

        Raises:
            UsageError: the options contradict each other, or name none.
            InvalidConfigurationError: the configuration file is not good.
        """
        if self.config is None:
            return self.folder or Path("policy"), self.model
        if self.folder is not None or self.model is not None:
            raise click.UsageError("--config says which policy and model; name no others")
        from authsvc.config import load

        settings = load(self.config).authorization
        if settings.policy_folder is None:
            raise click.UsageError(f"{self.config} has no authorization.policy")
        return settings.policy_folder, settings.model

    def load(self) -> PolicySnapshot:
        """Load it.

        Raises:
            InvalidPolicyError: every error of its files.
        """
        from authsvc.policy import load

        folder, model = self.find()
        if model is not None:
            from authsvc import log

            log.configure("error", "console")  # what a command has to say, it says itself
        with Progress("reading the policy"):
            return load(folder, model)

    def rows(self) -> Rows:
        """Load it for what looks at rows and asks no evaluator.

        Raises:
            InvalidPolicyError: every error of its files.
        """
        snapshot = self.load()
        if not snapshot.model.is_shipped:
            message = (
                "this shows what the rows say; the model, not the shipped one, may say otherwise"
            )
            click.echo(f"warning: {message}", err=True)
        return snapshot.rows


def policy_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--policy FOLDER``, ``--model FILE`` and ``--config FILE``, as one ``source``."""

    @click.option(
        "--policy",
        "folder",
        type=click.Path(path_type=Path),
        help="The policy: a folder, or one file.  [default: policy]",
    )
    @click.option(
        "--model",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Another Casbin model than the shipped one.",
    )
    @click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Take folder and model from this configuration file.",
    )
    @wraps(command)
    def taking(
        folder: Path | None, model: Path | None, config: Path | None, **options: Any
    ) -> None:
        command(source=PolicySource(folder, model, config), **options)

    return taking


def policy_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Take ``FOLDER`` as an argument as well: for commands that are about a policy and no more.

    Below ``policy_options``, whose ``source`` it adds to.
    """

    @click.argument("argument", metavar="[FOLDER]", required=False, type=click.Path(path_type=Path))
    @wraps(command)
    def taking(argument: Path | None, source: PolicySource, **options: Any) -> None:
        if argument is not None and source.folder is not None:
            raise click.UsageError("FOLDER and --policy are two answers to one question")
        command(source=source if argument is None else replace(source, folder=argument), **options)

    return taking


def question_options(command: F) -> F:
    """Add ``VERB WHAT [NAME]``, ``-n`` or ``-A``, and selectors: what kubectl has."""
    for option in (
        click.option("-l", "--selector", default="", help="Labels that the request selects."),
        click.option("--field-selector", default="", help="Fields that the request selects."),
        click.option("-A", "--all-namespaces", is_flag=True, help="All of them (the default)."),
        click.option("-n", "--namespace", default="", help="The namespace."),
        click.argument("name", default="", required=False),
        click.argument("what"),
        click.argument("verb"),
    ):
        command = option(command)
    return command


def request_of(user: UserInfo, words: Mapping[str, Any]) -> Attributes:
    """Return the request that the words of ``question_options`` make.

    Raises:
        UsageError: they make none.
    """
    from authsvc.policy.asking import QuestionError, ask

    if words["namespace"] and words["all_namespaces"]:
        raise click.UsageError("-n and -A are two different questions")
    try:
        return ask(
            user,
            words["verb"],
            words["what"],
            words["name"],
            namespace=words["namespace"],
            fields=words["field_selector"],
            labels=words["selector"],
        )
    except QuestionError as error:
        raise click.UsageError(str(error)) from None


def check_names(rows: Rows, username: str, groups: Iterable[str]) -> None:
    """Refuse what is a subject of the rows where ``--as`` and ``--as-group`` take its name.

    Raises:
        UsageError: with what was meant.
    """
    from authsvc.policy import hints
    from authsvc.policy.holdings import Holdings

    named = [("--as", username), *(("--as-group", group) for group in groups)]
    if any(":" in name for _, name in named):  # else there is nothing to look for
        holders = frozenset(Holdings(rows).holders)
        for option, name in named:
            if said := hints.no_name(option, name, holders):
                raise click.UsageError(said)


def hint_at_words(rows: Rows, request: Attributes) -> None:
    """Say on stderr where a request is for a resource or verb that there is not."""
    from authsvc.policy.hints import Words

    if hint := Words(rows).hint(request):
        click.echo(f"hint: {hint}", err=True)


def parse_extra(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Read extra values of a user, ``KEY=VALUE`` each.

    Raises:
        UsageError: one is none.
    """
    extra: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{pair!r} is not KEY=VALUE")
        extra[key] = (*extra.get(key, ()), value)
    return extra


def parse_moment(text: str) -> float:
    """Read a time as rows have it.

    Raises:
        UsageError: it is none.
    """
    from authsvc.policy.cells import parse_time
    from authsvc.policy.escapes import CellError

    try:
        seconds = parse_time(text)
    except CellError as error:
        raise click.UsageError(f"the time {error}") from None
    if seconds is None:
        raise click.UsageError("the time is empty")
    return seconds
