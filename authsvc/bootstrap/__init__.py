"""What ``authsvc init`` writes: certificates, and how an API server is told to ask.

``initialise(directory)`` fills a folder and may be called again at any time.
The files' names are in `authsvc.bootstrap.site` and `authsvc.bootstrap.material`.
What the service itself does with them is not known here.
"""

from authsvc.bootstrap.files import Outcome, Written, write_file
from authsvc.bootstrap.initialise import Initialised, initialise
from authsvc.bootstrap.kubeconfig import Files, Review, render
from authsvc.bootstrap.material import OwnAuthority
from authsvc.bootstrap.site import Site, Target, Wanted

__all__ = [
    "Files",
    "Initialised",
    "Outcome",
    "OwnAuthority",
    "Review",
    "Site",
    "Target",
    "Wanted",
    "Written",
    "initialise",
    "render",
    "write_file",
]
