"""The service under plain gunicorn, with the settings of authsvc.yaml.

    AUTHSVC_CONFIG=/etc/authsvc/authsvc.yaml \
        gunicorn -c config/gunicorn.conf.py 'authsvc.app:create_app()'

`authsvc serve --config /etc/authsvc/authsvc.yaml` is the same, but for SIGHUP: it
loads all that the new configuration names before it lets go of the old one, and
keeps its addresses. Here a broken configuration file is told and left alone, too.
"""

import os
from pathlib import Path

from authsvc.server import shared_metrics

shared_metrics.share()  # before anything that counts is imported

from authsvc.server.settings import reloaded_settings  # noqa: E402

globals().update(reloaded_settings(Path(os.environ["AUTHSVC_CONFIG"])))
