"""Appends rows to a table of integers through the Storage Write API, with several connections that are open at the same time.

Usage: append_rows.py HOST:PORT projects/P/datasets/D/tables/T CONNECTIONS REQUESTS ROWS
Each connection sends REQUESTS requests of ROWS rows. Prints the number of rows that were accepted.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types

SECONDS = 60
METHOD = "/google.cloud.bigquery.storage.v1.BigQueryWrite/AppendRows"
SCHEMA = pa.schema([("n", pa.int64())])


def requests_of(stream, requests, rows, others_open):
    batch = pa.record_batch([pa.array(range(rows))], schema=SCHEMA).serialize().to_pybytes()
    for request in range(requests):
        if request == 1:
            others_open.wait(SECONDS)
        data = types.AppendRowsRequest.ArrowData(
            writer_schema=types.ArrowSchema(serialized_schema=SCHEMA.serialize().to_pybytes()),
            rows=types.ArrowRecordBatch(serialized_record_batch=batch),
        )
        yield types.AppendRowsRequest(write_stream=stream, arrow_rows=data)


def append(address, table, requests, rows, all_open):
    """The number of requests that were accepted."""
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            METHOD,
            request_serializer=types.AppendRowsRequest.serialize,
            response_deserializer=types.AppendRowsResponse.deserialize,
        )
        others_open = Event()
        answers = call(requests_of(f"{table}/streams/_default", requests, rows, others_open), timeout=SECONDS)
        first = next(answers)
        all_open.wait(SECONDS)
        others_open.set()
        return sum(1 for answer in [first, *answers] if not answer.error.code)


def main(address, table, connections, requests, rows):
    all_open = Barrier(connections)
    with ThreadPoolExecutor(connections) as pool:
        calls = [pool.submit(append, address, table, requests, rows, all_open) for _ in range(connections)]
    print(sum(call.result() for call in calls) * rows)


main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
