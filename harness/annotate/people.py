"""Who rated: ids that lead back to nobody, and whose submission counts.

Ids of people (Prolific's, e-mail addresses) are written nowhere: they are hashed with a salt that lies outside every
run and export, in the user's configuration, so that neither a published ratings file nor a list of ids tells who is
who. The same person has the same hash in every collection of one user, which is how leaks are seen.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lm_plural.harness.annotate.rows import read_csv
from lm_plural.harness.errors import PluralError, UsageError

#: Cells of Prolific: taken back, or no longer known.
REVOKED, EXPIRED = "CONSENT_REVOKED", "DATA_EXPIRED"
#: Prolific's file of a study's people begins rows with these; of it only these are read.
PARTICIPANT, STATUS = "participant id", "status"
#: Submissions that do not count.
OUT = {"RETURNED", "REJECTED", "TIMED-OUT", "TIMED OUT", "SCREENED OUT"}
SALT = re.compile(r"[0-9a-f]{64}")


def salt_path() -> Path:
    """Return ``$LM_PLURAL_RATER_SALT``, else ``lm-plural/rater_salt`` in the user's configuration."""
    if given := os.environ.get("LM_PLURAL_RATER_SALT"):
        return Path(given)
    try:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    except RuntimeError as e:
        raise PluralError("no home folder for the salt of raters; set LM_PLURAL_RATER_SALT to a file") from e
    return base / "lm-plural" / "rater_salt"


def salt(outside: Iterable[Path]) -> bytes:
    """Return the user's salt, made when it is first needed, readable by nobody else.

    Parameters
    ----------
    outside : iterable of Path
        Folders it may not lie in, because they are given away.

    Raises
    ------
    UsageError
        If it lies in one of them.
    PluralError
        If it cannot be read or written, or is none.
    """
    path = salt_path()
    for folder in outside:
        if path.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"{path}: the salt of raters lies in {folder}, which is given away; set it elsewhere")
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
                f.write(secrets.token_hex(32) + "\n")
        text = path.read_text().strip()
    except (OSError, ValueError) as e:
        raise PluralError(
            f"{path}: cannot read or write the salt of raters: {getattr(e, 'strerror', None) or e}"
        ) from e
    if not SALT.fullmatch(text):
        raise PluralError(f"{path}: not a salt; expected 64 hex digits")
    return bytes.fromhex(text)


def hashed(rater: str, key: bytes) -> str:
    """Return the 16 hex digits that stand for a rater."""
    return hmac.new(key, rater.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]


@dataclass
class Submissions:
    """What a crowd platform says of people, by their id.

    Parameters
    ----------
    status : dict of str to str
        In capitals.
    revoked : set of str
        Whoever took consent back: nothing of theirs may stay.
    """

    status: dict[str, str] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)

    def why_out(self, rater: str) -> str | None:
        """Return why a rater does not count, if so."""
        if rater in self.revoked:
            return "consent revoked"
        found = self.status.get(rater, "")
        return f"submission {found.lower()}" if found in OUT else None


def read_submissions(path: Path) -> Submissions | None:
    """Read Prolific's file of a study's people; None if it is another kind of file.

    Of its demographics nothing is taken: its sex is no gender, its simplified ethnicity no study's list.
    """
    header, rows = read_csv(path)
    names = {name.casefold(): name for name in header}
    if PARTICIPANT not in names:
        return None
    found = Submissions()
    for _, row in rows:
        rater = row[names[PARTICIPANT]]
        if STATUS in names:
            found.status[rater] = row[names[STATUS]].upper()
        if REVOKED in row.values():
            found.revoked.add(rater)
    return found
