"""bqemulator 1.4.0 with patches for the behaviour of Google's service that the product relies on: the Storage Write API, the
limits of streamed rows, and the expiration of partitions. Others keep it fast and alive: a connection for each thread, enough threads,
no copy of the table after each request that writes rows, and no work that is repeated for nothing.

Accepts the arguments of `python -m bqemulator`.
"""

import json
import sys
from importlib.metadata import version

SUPPORTED = "1.4.0"
if version("bqemulator") != SUPPORTED:
    sys.exit(f"These patches are for bqemulator {SUPPORTED}, but version {version('bqemulator')} is installed")

import grpc.aio
from bqemulator.api.routes import jobs, tabledata
from bqemulator.catalog.duckdb_repository import DuckDBCatalogRepository
from bqemulator.cli import main
from bqemulator.grpc_api import write_servicer
from bqemulator.sql.translator import SQLTranslator
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.streaming.strategies.base import FlushOutcome
from bqemulator.streaming.strategies.buffered import BufferedWriteStrategy
from bqemulator.versioning.snapshots import SnapshotManager
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2, status_pb2
from sqlglot.dialects.dialect import Dialect
from starlette.requests import Request

import connections
import partition_expiration
import repeated_work
import streaming_limits

Handler = write_servicer.BigQueryWriteHandler
partition_limits = streaming_limits.PartitionLimits()


def flush_up_to_and_including(flush):
    """FlushRows names the last row to flush; the emulator omits that row. A repeated flush is allowed."""

    def patched(self, stream, offset):
        if stream.flushed_rows > offset:
            return FlushOutcome(ok=True, offset=offset)
        return flush(self, stream, offset + 1)

    return patched


def stay_with_the_stream(ensure_stream_bound):
    """Only the first request of a connection must name its stream; the emulator requires the name in every request."""

    def patched(self, stream_name, bound, context):
        if bound is not None and not stream_name:
            return bound
        return ensure_stream_bound(self, stream_name, bound, context)

    return patched


def problem_of(field, value):
    """The reason why Google's service rejects a value, or None."""
    if value is None:
        return None if field.nullable else f"Field {field.name} is required"
    if (field.metadata or {}).get(b"bq_type") == b"JSON":
        try:
            json.loads(value)
        except ValueError as error:
            return f"Field {field.name} is not valid JSON: {error}"
    return None


def row_errors(rows, found):
    """One error for each row that does not match the schema of the table. `found`: other problems of rows, by index."""
    for field in rows.schema:
        for index, value in enumerate(rows.column(field.name).to_pylist()):
            problem = problem_of(field, value)
            if problem and index not in found:
                found[index] = problem
    code = types.RowError.RowErrorCode.FIELDS_ERROR
    return [types.RowError(index=i, code=code, message=found[i]) for i in sorted(found)]


def name_bad_rows(perform_append):
    """Google's service rejects a request with bad rows as a whole and lists them. The emulator fails, or writes them."""

    def patched(self, stream, rows, offset, max_buffered_rows):
        engine = self._ctx.engine
        table = self._ctx.catalog.get_table(stream.project_id, stream.dataset_id, stream.table_id)
        column = table and streaming_limits.partition_column(table)
        found = partition_limits.problems(engine, table, rows.column(column).to_pylist()) if column else {}
        errors = row_errors(rows, found)
        if not errors:
            return perform_append(self, stream, rows, offset, max_buffered_rows)
        message = f"Errors found while processing rows. Please refer to the row_errors field for details. Entity: {stream.name}"
        response = types.AppendRowsResponse(
            write_stream=stream.name,
            error=status_pb2.Status(code=code_pb2.INVALID_ARGUMENT, message=message),
            row_errors=errors,
        )
        return types.AppendRowsResponse.serialize(response)

    return patched


INSERT_ALL = "/projects/{project_id}/datasets/{dataset_id}/tables/{table_id}/insertAll"


class Body:
    """A request with another body, as far as the emulator reads it."""

    def __init__(self, body):
        self.body = body

    async def json(self):
        return self.body


def insert_error(index, reason, message):
    return {"index": index, "errors": [{"reason": reason, "location": "", "debugInfo": "", "message": message}]}


def limit_insert_all(insert_all):
    """Google's service rejects rows whose partition it does not accept, and the other rows unless it may skip the bad ones."""

    async def limited(project_id: str, dataset_id: str, table_id: str, request: Request, ctx: tabledata._Ctx) -> dict:
        streaming_limits.check_request_bytes(len(await request.body()))
        body = await request.json()
        rows = body.get("rows", [])
        streaming_limits.check_request_rows(len(rows))
        table = ctx.catalog.get_table(project_id, dataset_id, table_id)
        column = table and streaming_limits.partition_column(table)
        values = [row.get("json", {}).get(column) for row in rows] if column else []
        problems = partition_limits.problems(ctx.engine, table, values) if values else {}
        if not problems:
            return await insert_all(project_id, dataset_id, table_id, request, ctx)
        errors = [insert_error(index, "invalid", problems[index]) for index in problems]
        others = [index for index in range(len(rows)) if index not in problems]
        if body.get("skipInvalidRows"):
            accepted = Body({**body, "rows": [rows[index] for index in others]})
            response = await insert_all(project_id, dataset_id, table_id, accepted, ctx)
            errors += [{**error, "index": others[error["index"]]} for error in response["insertErrors"]]
        else:
            errors += [insert_error(index, "stopped", "") for index in others]
        errors.sort(key=lambda error: error["index"])
        return {"kind": "bigquery#tableDataInsertAllResponse", "insertErrors": errors}

    router = tabledata.router
    router.routes[:] = [route for route in router.routes if route.endpoint is not insert_all]
    router.post(INSERT_ALL)(limited)


def only_for_users(capture):
    """The emulator copies the whole table after each write, for FOR SYSTEM_TIME AS OF. Without copies it reads the newest rows."""

    def patched(self, *args, kind="AUTO"):
        return None if kind == "AUTO" else capture(self, *args, kind=kind)

    return patched


limit_insert_all(tabledata.insert_all)
Dialect.parse = repeated_work.remember_parsed(Dialect.parse)
SQLTranslator.translate = repeated_work.remember_translated(SQLTranslator.translate)
DuckDBCatalogRepository.update_table = repeated_work.keep_row_counts_in_memory(DuckDBCatalogRepository.update_table)
SnapshotManager.capture = only_for_users(SnapshotManager.capture)
DuckDBEngine.connection = property(connections.one_for_each_thread(DuckDBEngine.connection.fget))
DuckDBEngine.write_lock = connections.lock_other_threads(DuckDBEngine.write_lock)
grpc.aio.server = connections.with_enough_threads(grpc.aio.server)
Handler.__init__ = connections.share_write_lock(Handler.__init__)
BufferedWriteStrategy.flush = flush_up_to_and_including(BufferedWriteStrategy.flush)
Handler._ensure_stream_bound = stay_with_the_stream(Handler._ensure_stream_bound)
Handler._perform_append = name_bad_rows(Handler._perform_append)
# Every query passes through this function.
jobs.execute_query_job = partition_expiration.before_each(jobs.execute_query_job)

main()
