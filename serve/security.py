"""Headers that every answer carries, and what uvicorn is kept from: believing proxies, telling of itself, logging."""

from typing import Any

UVICORN: dict[str, Any] = {
    "ws": "none",
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "proxy_headers": False,  # guard.py believes those of the proxies that the service names
}

SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",  # results are somebody's own; the page's files are asked for anew
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
