"""An address or a network of the internet protocol, as the configuration writes it."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator


def check_network(text: str) -> str:
    """Return the text if it is an address or a network. Raises ValueError."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no address; write it as 10.0.0.5, or a network as 10.0.0.0/24"
        ) from None
    return text


NetworkAddress = Annotated[str, AfterValidator(check_network)]
"""Such as `10.0.0.5`, `10.0.0.0/24` or `::1`."""
