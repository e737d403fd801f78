"""Every Prometheus metric of the service, in one place: this file is their reference.

Under several workers prometheus-client keeps the values in files that all of
them share; the server says where by PROMETHEUS_MULTIPROC_DIR *before* this
module is first imported. Labels are few and closed: no user, token or
namespace ever becomes one.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_LATENCIES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0)

REQUESTS = Counter(
    "authsvc_requests_total",
    "HTTP requests to the reviews' endpoints, by endpoint and status code.",
    ["endpoint", "code"],
)
REQUEST_SECONDS = Histogram(
    "authsvc_request_duration_seconds",
    "Time from the whole body being read to the answer being ready.",
    ["endpoint"],
    buckets=_LATENCIES,
)
AUTHENTICATIONS = Counter(
    "authsvc_authentications_total",
    "TokenReviews answered, by outcome: authenticated, rejected, error.",
    ["outcome"],
)
AUTHORIZATIONS = Counter(
    "authsvc_authorizations_total",
    "SubjectAccessReviews answered, by effect: allow, deny, no opinion.",
    ["effect"],
)
TOKEN_CACHE = Counter(
    "authsvc_token_cache_requests_total",
    "Look-ups in the token cache: hit, miss, joined (waited for the same token's flight).",
    ["result"],
)
DECISION_LOG_FAILURES = Counter(
    "authsvc_decision_log_failures_total",
    "Decision log lines that could not be written, such as on a full disk.",
)
RELOADS = Counter(
    "authsvc_reloads_total",
    "Loads of a part from its files, by part and result: success, failure.",
    ["part", "result"],
)
RELOAD_HEALTHY = Gauge(
    "authsvc_reload_healthy",
    "1 while the newest files of a part are in use, 0 while an older set is kept.",
    ["part"],
    multiprocess_mode="min",
)
GENERATION = Gauge(
    "authsvc_generation",
    "How often a part was loaded with success since the worker started.",
    ["part"],
    multiprocess_mode="max",
)
POLICY_ROWS = Gauge(
    "authsvc_policy_rows",
    "Rows of the policy in use, by type: p, g.",
    ["type"],
    multiprocess_mode="mostrecent",
)
CERTIFICATE_EXPIRY = Gauge(
    "authsvc_certificate_expiry_timestamp_seconds",
    "When a certificate that the service uses ends, in seconds since the epoch.",
    ["certificate"],
    multiprocess_mode="mostrecent",
)
