"""The form of an address that Okta calls, wherever one is taken: for `usher okta hook` and for `usher doctor`.

Owns which characters a host and a port have, so that an address can stand in any text that is printed. Pure. Whether
there is such a host is not looked at.
"""

import re
from typing import Final

from usher.web.hook import HOOK_PATH

HOOK_ADDRESS: Final = re.escape(HOOK_PATH)
ANY_ADDRESS: Final = r"(?:[/?][!-~]*)?"
_AUTHORITY: Final = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[1-9][0-9]{0,4})?"


def is_plain(url: str, behind: str) -> bool:
    """Say whether it is http or https, a host, perhaps a port, and then matches `behind`, to the last character."""
    # APPSEC: `urlsplit` leaves line ends out and takes any character for a host's.
    return re.fullmatch(rf"(?i:https?)://{_AUTHORITY}{behind}", url) is not None
