"""Loads and saves the dictionaries of measurements."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.measurement_tables import measurement_blocks, measurement_dictionaries
from driftline.state.series_dictionary import SeriesDictionary, SeriesEntry


def load_dictionaries(connection: Connection, ids: Collection[int]) -> dict[int, SeriesDictionary]:
    """Load dictionaries by their number."""
    c = measurement_dictionaries.c
    if not ids:
        return {}
    rows = connection.execute(sa.select(c.id, c.content).where(c.id.in_(sorted(ids)))).all()
    return {id: SeriesDictionary.load(content) for id, content in rows}


def load_series_entries(connection: Connection, model: str) -> set[SeriesEntry]:
    """Load the entries of all dictionaries of a model: the series that it has had."""
    c = measurement_dictionaries.c
    rows = connection.execute(sa.select(c.content).where(c.model == model)).scalars()
    return {entry for content in rows for entry in SeriesDictionary.load(content).entries}


@dataclass(slots=True)
class OpenDictionary:
    """The dictionary that the next windows of a model are written with."""

    id: int
    content: SeriesDictionary
    saved_entries: int
    """How many of its entries are stored."""

    @classmethod
    def load(cls, connection: Connection, model: str) -> OpenDictionary:
        """Load the newest dictionary of a model; a new one where there is none, or it is full."""
        c = measurement_dictionaries.c
        query = sa.select(c.id, c.content).where(c.model == model).order_by(c.id.desc()).limit(1)
        row = connection.execute(query).one_or_none()
        dictionary = SeriesDictionary() if row is None else SeriesDictionary.load(row.content)
        if row is not None and not dictionary.is_full:
            return cls(row.id, dictionary, len(dictionary.entries))
        dictionary = SeriesDictionary()
        values = {"model": model, "content": dictionary.dump()}
        added = connection.execute(measurement_dictionaries.insert().values(**values))
        assert added.inserted_primary_key is not None
        return cls(added.inserted_primary_key[0], dictionary, 0)

    def save(self, connection: Connection) -> None:
        """Store the entries that were added."""
        if len(self.content.entries) == self.saved_entries:
            return
        connection.execute(
            measurement_dictionaries.update()
            .where(measurement_dictionaries.c.id == self.id)
            .values(content=self.content.dump())
        )
        self.saved_entries = len(self.content.entries)


def expire_dictionaries(connection: Connection, model: str) -> None:
    """Delete the dictionaries of a model that no block refers to, but the newest."""
    c, blocks = measurement_dictionaries.c, measurement_blocks.c
    ids = connection.execute(sa.select(c.id).where(c.model == model).order_by(c.id)).scalars().all()
    if len(ids) < 2:
        return
    used = sa.select(blocks.dictionary_id).where(blocks.model == model).distinct()
    unused = set(ids[:-1]) - set(connection.execute(used).scalars())
    if unused:
        connection.execute(measurement_dictionaries.delete().where(c.id.in_(sorted(unused))))
