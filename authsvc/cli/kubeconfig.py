"""``authsvc kubeconfig``: one of the API server's kubeconfigs, alone."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from urllib.parse import urlsplit

import click

from authsvc.bootstrap import Files, Review, render, write_file
from authsvc.bootstrap.files import PUBLIC, SECRET
from authsvc.errors import ConfigError

_FORMATS = ("json", "name", "wide", "yaml")  # what -o takes in kubectl
_FILE = click.Path(path_type=Path)


@click.command(
    epilog="Example: authsvc kubeconfig authentication --server https://auth.example.org:8443"
)
@click.argument("review", type=click.Choice([review.name.lower() for review in Review]))
@click.option(
    "--server",
    metavar="URL",
    default="https://127.0.0.1:8443",
    show_default=True,
    help="The service; the review's path is added where the URL has none.",
)
@click.option("--ca", type=_FILE, default=Path("pki/ca.crt"), show_default=True)
@click.option(
    "--client-cert", type=_FILE, default=Path("pki/apiserver-client.crt"), show_default=True
)
@click.option(
    "--client-key", type=_FILE, default=Path("pki/apiserver-client.key"), show_default=True
)
@click.option("--embed", is_flag=True, help="Put the files' content in, the key included.")
@click.option("-o", "--output", metavar="FILE|-", default="-", show_default=True)
def kubeconfig(
    review: str,
    server: str,
    ca: Path,
    client_cert: Path,
    client_key: Path,
    embed: bool,
    output: str,
) -> None:
    """Write the kubeconfig by which an API server asks for one review.

    Files are named by their full path, and read again by the API server when
    they change; with --embed they are not.
    """
    files = Files(*(str(path.absolute()) for path in (ca, client_cert, client_key)))
    asked = Review[review.upper()]
    text = render(asked, server, files, embed=embed)
    _check_path(asked, server)
    if output in _FORMATS:
        raise click.BadOptionUsage(
            "output",
            f"-o names the file to write; YAML is printed without it. For a file of that name: "
            f"-o ./{output}",
        )
    if output == "-":
        click.echo(text, nl=False)
    else:
        write_file(Path(output).absolute(), text, SECRET if embed else PUBLIC)
    missing = [path for path in astuple(files) if not Path(path).is_file()]
    if missing and not embed:  # they may be for another machine
        click.echo(
            f"warning: {', '.join(missing)}: not on this machine. Run `authsvc init` first, or "
            "name the files with --ca, --client-cert and --client-key",
            err=True,
        )


def _check_path(review: Review, server: str) -> None:
    """Refuse the other review's path: the API server would ask it the wrong question."""
    path = urlsplit(server).path.rstrip("/")
    for other in Review:
        if other is not review and path.endswith(other.value):
            raise ConfigError(
                "--server",
                f"{server!r} is where {other.name.lower()} is asked for: end it with "
                f"{review.value}, or leave the path out",
            )
