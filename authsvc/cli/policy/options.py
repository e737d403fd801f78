"""What the policy commands have in common: which policy, and output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from authsvc.cli.policy.output import Progress

if TYPE_CHECKING:
    from authsvc.policy import PolicySnapshot, Rows

F = TypeVar("F", bound=Callable[..., Any])


def policy_options(command: F) -> F:
    """Add ``--policy FOLDER``, ``--model FILE`` and ``--config FILE``."""
    for option in (
        click.option(
            "--config",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Take folder and model from this configuration file.",
        ),
        click.option(
            "--model",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Another Casbin model than the shipped one.",
        ),
        click.option(
            "--policy",
            "folder",
            type=click.Path(path_type=Path),
            help="The policy: a folder, or one file.  [default: policy]",
        ),
    ):
        command = option(command)
    return command


def find(folder: Path | None, model: Path | None, config: Path | None) -> tuple[Path, Path | None]:
    """Return the folder and the model that the options mean.

    Raises:
        UsageError: they contradict each other, or name none.
        InvalidConfigurationError: the configuration file is not good.
    """
    if config is None:
        return folder or Path("policy"), model
    if folder is not None or model is not None:
        raise click.UsageError("--config says which policy; leave out --policy and --model")
    from authsvc.config import load

    settings = load(config).authorization
    if settings.policy_folder is None:
        raise click.UsageError(f"{config} has no authorization.policy")
    return settings.policy_folder, settings.model


def load_policy(folder: Path | None, model: Path | None, config: Path | None) -> PolicySnapshot:
    """Load the policy that the options mean.

    Raises:
        InvalidPolicyError: every error of its files.
    """
    from authsvc.policy import load

    place = find(folder, model, config)
    with Progress("reading the policy"):
        return load(*place)


def load_rows(path: Path) -> Rows:
    """Read a policy's rows.

    Raises:
        InvalidPolicyError: every error of its files.
    """
    from authsvc.policy import read

    with Progress("reading the policy"):
        return read(path)
