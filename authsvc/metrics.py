"""Every Prometheus metric of the service, in one place: this file is their reference.

Under several workers prometheus-client keeps the values in files that all of
them share; the server says where by PROMETHEUS_MULTIPROC_DIR *before* this
module is first imported. Gauges are those of living workers (``live…``): what a
dead one said last is no news. Labels are few and closed: no user, token or
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
    multiprocess_mode="livemin",
)
GENERATION = Gauge(
    "authsvc_generation",
    "How often a part was loaded with success since the worker started.",
    ["part"],
    multiprocess_mode="livemax",
)
POLICY_ROWS = Gauge(
    "authsvc_policy_rows",
    "Rows of the policy in use, by type: p, g.",
    ["type"],
    multiprocess_mode="livemostrecent",
)
CERTIFICATE_EXPIRY = Gauge(
    "authsvc_certificate_expiry_timestamp_seconds",
    "When a certificate that the service uses ends, in seconds since the epoch.",
    ["certificate"],
    multiprocess_mode="livemostrecent",
)
OUTGOING_REQUESTS = Counter(
    "authsvc_outgoing_requests_total",
    "Requests to identity providers, by authenticator and status code; none: no answer.",
    ["authenticator", "code"],
)
KEYS_FETCHED = Gauge(
    "authsvc_keys_fetched_timestamp_seconds",
    "When an authenticator last fetched its issuer's keys, in seconds since the epoch.",
    ["authenticator"],
    multiprocess_mode="livemin",
)
LDAP_SECONDS = Histogram(
    "authsvc_ldap_duration_seconds",
    "Time of one exchange with an LDAP server, by operation: connect, StartTLS, bind, search.",
    ["operation"],
    buckets=_LATENCIES,
)
LDAP_CONNECTIONS = Counter(
    "authsvc_ldap_connections_total",
    "Connections opened to LDAP servers, by use: search, bind.",
    ["use"],
)
LDAP_SERVER_FAILURES = Counter(
    "authsvc_ldap_server_failures_total",
    "Times an LDAP server did not answer, by server.",
    ["server"],
)
LDAP_SERVER_UP = Gauge(
    "authsvc_ldap_server_up",
    "1 while an LDAP server answers, 0 after it did not, by server.",
    ["server"],
    multiprocess_mode="livemin",
)
PASSWORD_ATTEMPTS_REFUSED = Counter(
    "authsvc_password_attempts_refused_total",
    "Passwords not tried because the account had too many failed attempts, by authenticator.",
    ["authenticator"],
)
TOKEN_REQUESTS = Counter(
    "authsvc_token_requests_total",
    "Requests to /oauth2/token, by grant and outcome: issued, or the error of the answer.",
    ["grant", "outcome"],
)
REFRESH_TOKENS_REUSED = Counter(
    "authsvc_refresh_tokens_reused_total",
    "Refresh tokens that were used a second time, each of which ended its session.",
)
STORE_UP = Gauge(
    "authsvc_store_up",
    "1 while the store of sessions answers, 0 after it did not, by type: SQLite, Redis.",
    ["type"],  # also so that the master, which asks no store, has no value of its own
    multiprocess_mode="livemin",
)
