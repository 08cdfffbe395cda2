"""Work that bqemulator repeats for each query and each request: together a third of its CPU time in the product's tests."""

import sys
from functools import lru_cache

REMEMBERED_QUERIES = 500
"""A query is parsed a dozen times, once by each step that looks for something in it, and clients poll with the same text."""

READERS = {
    "bqemulator.api.routes.jobs",
    "bqemulator.catalog.ddl_sync",
    "bqemulator.jobs.executor",
    "bqemulator.jobs.routine_ddl",
    "bqemulator.sql.catalog_schema",
    "bqemulator.sql.inner_query",
}
"""Modules that do not change the trees they parse. Others get copies, which take a third of the time of parsing."""


def remember_parsed(parse):
    """sqlglot's parse, for sqlglot.parse_one and its callers."""

    @lru_cache(maxsize=REMEMBERED_QUERIES)
    def trees_of(dialect, sql, options):
        return parse(dialect(), sql, **dict(options))

    def patched(self, sql, **options):
        if self.settings or any(not value.__hash__ for value in options.values()):
            return parse(self, sql, **options)
        trees = trees_of(type(self), sql, frozenset(options.items()))
        caller = sys._getframe(2).f_globals["__name__"]
        return trees if caller in READERS else [tree and tree.copy() for tree in trees]

    return patched


def remember_translated(translate):
    """The translation into DuckDB's SQL, which depends on its arguments only."""

    @lru_cache(maxsize=REMEMBERED_QUERIES)
    def result_of(translator, sql, types, caller):
        schema = {table: dict(columns) for table, columns in types} or None
        return translate(translator, sql, schema=schema, caller=caller)

    def patched(self, sql, *, schema=None, caller=None):
        types = tuple((table, tuple(columns.items())) for table, columns in (schema or {}).items())
        return result_of(self, sql, types, caller)

    return patched


def keep_row_counts_in_memory(update_table):
    """The catalog's update_table, which does not write to disk when only a number of rows has changed, as each insert does."""

    def patched(self, table):
        known = self.get_table(table.project_id, table.dataset_id, table.table_id)
        if known is not None and known.model_copy(update={"num_rows": table.num_rows}) == table:
            return self._cache.update_table(table)
        return update_table(self, table)

    return patched
