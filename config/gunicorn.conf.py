"""The service under plain gunicorn, with the settings of authsvc.yaml.

    AUTHSVC_CONFIG=/etc/authsvc/authsvc.yaml \
        gunicorn -c config/gunicorn.conf.py 'authsvc.app:create_app()'

`authsvc serve --config /etc/authsvc/authsvc.yaml` is the same with one
difference: on SIGHUP it checks the new configuration before it lets go of the
old one.
"""

import os
from pathlib import Path

from authsvc.server import shared_metrics

shared_metrics.share()  # before anything that counts is imported

from authsvc.config import load  # noqa: E402
from authsvc.server.settings import gunicorn_settings  # noqa: E402

globals().update(gunicorn_settings(load(Path(os.environ["AUTHSVC_CONFIG"]))))
