"""Appends rows to a table of integers through the Storage Write API, with several connections at the same time.

Usage: append_rows.py HOST:PORT projects/P/datasets/D/tables/T CONNECTIONS REQUESTS ROWS
Each connection sends REQUESTS requests of ROWS rows. Prints the number of rows that were accepted.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

SECONDS = 60
METHOD = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows"
SCHEMA = pa.schema([("n", pa.int64())])


def requests_of(stream, requests, rows):
    batch = pa.record_batch([pa.array(range(rows))], schema=SCHEMA).serialize().to_pybytes()
    for _ in range(requests):
        data = types.AppendRowsRequest.ArrowData(
            writer_schema=types.ArrowSchema(serialized_schema=SCHEMA.serialize().to_pybytes()),
            rows=types.ArrowRecordBatch(serialized_record_batch=batch),
        )
        yield types.AppendRowsRequest(write_stream=stream, arrow_rows=data)


def append(address, table, requests, rows):
    """The number of requests that were accepted."""
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            METHOD,
            request_serializer=types.AppendRowsRequest.serialize,
            response_deserializer=types.AppendRowsResponse.deserialize,
        )
        answers = call(requests_of(f"{table}/streams/_default", requests, rows), timeout=SECONDS)
        return sum(1 for answer in answers if not answer.error.code)


def main(address, table, connections, requests, rows):
    with ThreadPoolExecutor(connections) as pool:
        calls = [pool.submit(append, address, table, requests, rows) for _ in range(connections)]
    print(sum(call.result() for call in calls) * rows)


main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
