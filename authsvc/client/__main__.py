"""``python -m authsvc.client``, and what the single-file program starts with."""

import sys

from authsvc.client.entry import main

sys.exit(main())
