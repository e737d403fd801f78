"""``authsvc policy decide``."""

from __future__ import annotations

import sys
import time
from typing import BinaryIO

import click

from authsvc.cli.policy.options import PolicySource, policy_options
from authsvc.cli.policy.output import Progress


@click.command(epilog="Example: authsvc policy decide --policy policy --requests reviews.jsonl")
@policy_options
@click.option(
    "--requests",
    type=click.File("rb"),
    default="-",
    show_default="stdin",
    help="SubjectAccessReviews, one JSON object a line: with a spec, or the spec itself.",
)
def decide(source: PolicySource, requests: BinaryIO) -> None:
    """Print {allowed, denied, reason} for each request, in their order, as JSON lines.

    Exit status: 0 all are decided, 1 a line is no review, or the policy has errors.
    """
    from authsvc.policy import requests as wire

    evaluator = source.load().evaluator
    now = time.time()
    output = sys.stdout.buffer
    with Progress("deciding", beside=sys.stdout) as progress:
        for attributes in wire.read(requests):
            output.write(wire.render(evaluator.decide(attributes, now)) + b"\n")
            progress.step()
        output.flush()
