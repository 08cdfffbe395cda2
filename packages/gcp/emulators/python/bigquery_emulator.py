"""bqemulator 1.4.0 with patches to its Storage Write API, for the behaviour of Google's service that Beam's sinks rely on.

Accepts the arguments of `python -m bqemulator`.
"""

import json
import sys
from importlib.metadata import version

SUPPORTED = "1.4.0"
if version("bqemulator") != SUPPORTED:
    sys.exit(f"These patches are for bqemulator {SUPPORTED}, but version {version('bqemulator')} is installed")

from bqemulator.cli import main
from bqemulator.grpc_api import write_servicer
from bqemulator.streaming.strategies.base import FlushOutcome
from bqemulator.streaming.strategies.buffered import BufferedWriteStrategy
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2, status_pb2

Handler = write_servicer.BigQueryWriteHandler


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


def row_errors(rows):
    """One error for each row that does not match the schema of the table."""
    found = {}
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
        errors = row_errors(rows)
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


BufferedWriteStrategy.flush = flush_up_to_and_including(BufferedWriteStrategy.flush)
Handler._ensure_stream_bound = stay_with_the_stream(Handler._ensure_stream_bound)
Handler._perform_append = name_bad_rows(Handler._perform_append)

main()
