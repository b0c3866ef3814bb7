"""Over a hundred more services, through the library Apprise: one text for each message, and no
more.

Refuses services that act on this machine, attachments, redirects, unverified TLS, and private
addresses unless allowed.
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
"""Services of this machine's own screen and log."""
ASIDE = frozenset({"xmpp", "xmpps", "deltachat", "deltachats"})
"""Services to which Apprise connects from a thread or program of its own, where no address is
checked.
"""
LONGEST = 8000


class Apprise(Sink):
    """Sends one text a message to a service that Apprise knows."""

    type: ClassVar[str] = "apprise"
    extra: ClassVar[str] = "apprise"
    updates: ClassVar[bool] = False

    url: Secret
    """The service, as Apprise writes it, such as `ntfys://host/topic`; it holds tokens, so all of
    it is secret.
    """
    services: tuple[str, ...] = Field(min_length=1, examples=[["ntfys"]])
    """The beginnings that the address may have, such as `ntfys`: what it names otherwise is
    refused.
    """

    _target: Any = None

    def start(self, context: Any) -> None:
        """Load Apprise and read the address. Raises Rejected for one that is not allowed."""
        super().start(context)
        import apprise

        address = self.url.reveal()
        scheme = address.partition("://")[0].lower()
        if scheme not in self.services or scheme in LOCAL | ASIDE:
            why = "is this machine's own, or can't be guarded"
            raise Rejected(
                f"{self.url.reference}: its service is none of {', '.join(self.services)}, {why}"
            )
        asset = apprise.AppriseAsset(secure_logging=True, http_redirects=False, plugin_paths=[])
        target = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
        if target is None:
            raise Rejected(f"{self.url.reference}: Apprise can't read it as an address of {scheme}")
        if not target.verify_certificate or target.redirects:
            raise Rejected(f"{self.url.reference}: verify=no and redirect=yes are not allowed")
        self._target = target

    def send(self, notification: Notification) -> str | None:
        """Send the text. Apprise says only whether it was taken."""
        if self._target is None:
            raise Retryable("Apprise has not started")
        limits = {
            "title": self._target.title_maxlen or 250,
            "body": min(LONGEST, self._target.body_maxlen),
        }
        message = self.context.message(notification, "plain", limits)
        try:
            with self.context.fenced():
                taken = self._target.notify(
                    body=message.body, title=message.title, notify_type=_kind(notification)
                )
        except DriftlineError:
            raise
        except Exception as error:  # its text may hold the address
            raise Retryable(f"Apprise failed: {type(error).__name__}") from None
        if not taken:
            raise Retryable("Apprise says that the service did not take it")
        return None

    def stop(self) -> None:
        """Forget the address."""
        super().stop()
        self._target = None


def _kind(told: Notification) -> str:
    if told.event is Event.RESOLVED:
        return "success"
    return {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}[
        told.severity
    ]


@hookimpl
def register_sinks() -> list[type[Sink]]:
    """The one sink of this file."""
    return [Apprise]
