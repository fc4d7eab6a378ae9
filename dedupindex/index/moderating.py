"""What is near without being confirmed: similar pictures, and hashes of banks for moderation."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dedupindex.errors import SettingsError
from dedupindex.execution.progress import SILENT, Progress
from dedupindex.index.curating import CuratingIndex
from dedupindex.records import Failure, Neighbour
from dedupindex.records.banks import BankMatch, Signal, SignalKind
from dedupindex.threads import on_one_thread

if TYPE_CHECKING:
    from dedupindex.moderation.banks import Bank
    from dedupindex.moderation.hashing import Hashed

PathLike = str | os.PathLike[str]


class ModeratingIndex(CuratingIndex):
    """What an index knows of hashes; see `Index`."""

    @on_one_thread
    def similar(self, picture: PathLike, limit: int = 10, *, progress: Progress | None = None) -> list[Neighbour]:
        """The nearest stored images that are no copies of a picture.

        Parameters
        ----------
        picture : path or address
        limit : int
        progress : Progress, optional

        Returns
        -------
        list of Neighbour
            Nearest first, by the setting `embedding` where there is one, else by the descriptor.

        Raises
        ------
        ReadError
            It cannot be read as a picture.
        SettingsError
            The embedding cannot be used, or has no vector of the picture.
        StoreError
        """
        from dedupindex.search import similar as searching

        self._refuse_mismatch()
        return searching.similar(
            self._database, self._vectors, self.settings, picture, limit=limit, progress=progress or SILENT
        )

    @on_one_thread
    def hashes(
        self, kind: SignalKind | str = SignalKind.PDQ, progress: Progress | None = None
    ) -> tuple[list[Signal], list[Failure]]:
        """Hashes of the stored pictures, with their places as ids; PDQ is made where it is missing, and stored.

        Parameters
        ----------
        kind : SignalKind or str
            ``pdq``, or ``dedupindex`` for the descriptors.
        progress : Progress, optional

        Returns
        -------
        signals : list of Signal
        failures : list of Failure
            Pictures without a hash: the file is not there any more, or has changed.

        Raises
        ------
        SettingsError
            There is no such kind; pdqhash is not installed.
        StoreError
        """
        from dedupindex.moderation.hashing import stored_descriptors, stored_pdq

        self._refuse_mismatch()
        if kind not in set(SignalKind):
            raise SettingsError(f"no hash {kind}; there are: {', '.join(SignalKind)}")
        if kind == SignalKind.DESCRIPTOR:
            return stored_descriptors(self._database, self.fingerprint), []
        return stored_pdq(self._database, self.settings, progress or SILENT)

    @on_one_thread
    def match_banks(self, picture: PathLike, banks: Sequence[Bank]) -> list[BankMatch]:
        """Hashes of banks that are near a picture's; nothing is stored.

        Parameters
        ----------
        picture : path or address
        banks : sequence of Bank
            As `read_bank` gives them.

        Returns
        -------
        list of BankMatch
            By bank, nearest first.

        Raises
        ------
        ReadError
            It cannot be read as a picture.
        SettingsError
            pdqhash is not installed; the descriptors of a bank were made with other settings.
        """
        return self.match_hashed(self.hash_picture(picture), banks)

    def hash_picture(self, picture: PathLike) -> Hashed:
        """PDQ and descriptor of a picture; raises as `match_banks` does."""
        from dedupindex.moderation.hashing import hash_file

        self._refuse_mismatch()
        return hash_file(os.fspath(picture), self.settings, self.fingerprint)

    def match_hashed(self, hashed: Hashed, banks: Sequence[Bank]) -> list[BankMatch]:
        """`match_banks` of hashes that were made before."""
        from dedupindex.moderation.banks import match_descriptor, match_pdq

        matches: list[BankMatch] = []
        [own] = [signal for signal in hashed.signals if signal.kind is SignalKind.PDQ]
        for bank in banks:
            matches += match_pdq(bank, own)
            matches += match_descriptor(bank, hashed.probes, self.fingerprint)
        return matches
