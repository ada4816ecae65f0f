"""Okta's idea of when two logins are the same: case and diacritics do not count.

Owns the key under which logins are compared, by the ledger, the directory and policies. Pure; any thread.

Okta says that it ignores case and diacritics and no more; `isáàc.bröck@x` equals `isaac.brock@x`. What that means for
letters without a Unicode decomposition no public source settles. Here they count as their base letter, because a
login that is avoided without need costs a digit, and one that is given twice costs an account:

=====  ====  ==========================================================
ß ẞ    ss    Unicode case folding (`STRASSE` is the capital form)
ı      i     the lower case of Turkish `I`; Java's `equalsIgnoreCase` agrees
İ      i     its dot is a diacritic
ø Ø    o     the stroke counts as a diacritic
ł Ł    l     likewise
đ Đ    d     likewise
=====  ====  ==========================================================

So æ, œ, þ and ð stay themselves, as do vowel signs of Indic scripts and the voicing marks of Kana: they are letters
of their own.
"""  # noqa: RUF002  letters that look alike are what this is about

from __future__ import annotations

import unicodedata
from typing import Final

FOLD_VERSION: Final = 1
"""Changes with every change of what `fold` returns: keys that were kept under another version must be made anew."""

_STROKES = str.maketrans("ıøłđ", "iold")
_OVERLAY, _FIRST_MARK = 1, 200  # combining classes: strokes; marks above, below and around letters


def fold(text: str) -> str:
    """Return the key of a login.

    Two logins are one to Okta exactly if their keys are equal; folding twice changes nothing.
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in decomposed if not _is_mark(character))
    return unicodedata.normalize("NFC", bare.translate(_STROKES))


def _is_mark(character: str) -> bool:
    combining = unicodedata.combining(character)
    return combining == _OVERLAY or combining >= _FIRST_MARK
