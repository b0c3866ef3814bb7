"""Sends one text for each message to one of over a hundred services, through the library Apprise.

Does not use services of this machine, attachments, redirects or unverified TLS, and uses private
addresses only where they are allowed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from driftline import (
    DriftlineError,
    Event,
    Notification,
    Rejected,
    Retryable,
    Secret,
    Severity,
    Sink,
    hookimpl,
)

LOCAL = frozenset({"dbus", "kde", "qt", "glib", "gnome", "macosx", "windows", "syslog"})
"""Services of the screen and the log of this machine."""
UNGUARDED = frozenset({"xmpp", "xmpps", "deltachat", "deltachats"})
"""Services that Apprise calls from another thread or program, where no address is checked."""
MAX_BODY = 8000


class Apprise(Sink):
    """Sends one text for each message to a service that Apprise supports."""

    type: ClassVar[str] = "apprise"
    extra: ClassVar[str] = "apprise"
    updates: ClassVar[bool] = False

    url: Secret
    """The address of the service in Apprise's form, such as `ntfys://host/topic`.

    All of it is secret, because it contains tokens.
    """
    services: tuple[str, ...] = Field(min_length=1, examples=[["ntfys"]])
    """The schemes that `url` may have, such as `ntfys`; other addresses are rejected."""

    _target: Any = None

    def start(self, context: Any) -> None:
        """Load Apprise and parse the address. Raises Rejected where it is not allowed."""
        super().start(context)
        import apprise

        address = self.url.reveal()
        scheme = address.partition("://")[0].lower()
        if scheme not in self.services or scheme in LOCAL | UNGUARDED:
            raise Rejected(
                f"{self.url.reference}: its service is none of {', '.join(self.services)}, "
                "is this machine's own, or can't be guarded"
            )
        asset = apprise.AppriseAsset(secure_logging=True, http_redirects=False, plugin_paths=[])
        target = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if target is None:
            raise Rejected(f"{self.url.reference}: Apprise can't read it as an address of {scheme}")
        if not target.verify_certificate or target.redirects:
            raise Rejected(f"{self.url.reference}: verify=no and redirect=yes are not allowed")
        self._target = target

    def send(self, notification: Notification) -> str | None:
        """Send the text. Apprise returns only whether the service accepted it."""
        if self._target is None:
            raise Retryable("Apprise has not started")
        limits = {
            "title": self._target.title_maxlen or 250,
            "body": min(MAX_BODY, self._target.body_maxlen),
        }
        message = self.context.render(notification, "plain", limits)
        try:
            with self.context.guard_connections():
                accepted_by_service = self._target.notify(
                    body=message.body, title=message.title, notify_type=_kind(notification)
                )
        except DriftlineError:
            raise
        except Exception as error:  # its text may contain the address
            raise Retryable(f"Apprise failed: {type(error).__name__}") from None
        if not accepted_by_service:
            raise Retryable("Apprise says that the service did not take it")
        return None

    def stop(self) -> None:
        """Drop the address."""
        super().stop()
        self._target = None


def _kind(notification: Notification) -> str:
    if notification.event is Event.RESOLVED:
        return "success"
    return {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}[
        notification.severity
    ]


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """Register the sink of this file."""
    return [Apprise]
