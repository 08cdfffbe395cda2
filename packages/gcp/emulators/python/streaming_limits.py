"""Limits of Google's service for streamed rows, which bqemulator does not have.

https://cloud.google.com/bigquery/quotas#streaming_inserts. The wording of the answers is that of the service, except for
the number of partitions, for which no answer to a streaming request is known.
"""

from datetime import UTC, date, datetime

from bqemulator.domain.errors import DomainError, ErrorDetail

MAX_REQUEST_BYTES = 10 * 1024 * 1024
MAX_REQUEST_ROWS = 50_000
MAX_PARTITIONS = 10_000
"""Limit of one table."""
MAX_DAYS_BACK = 1825
"""By the documentation 10 years. The service answered with this limit in January 2025."""
MAX_DAYS_AHEAD = 366

NAME_OF_PARTITION = {"HOUR": "%Y-%m-%dT%H", "DAY": "%Y-%m-%d", "MONTH": "%Y-%m", "YEAR": "%Y"}


class BadRequest(DomainError):
    """The service rejects the request."""

    http_status = 400
    grpc_status_name = "INVALID_ARGUMENT"

    def __init__(self, reason, message):
        super().__init__(message, details=[ErrorDetail(reason=reason, message=message)])


def check_request_bytes(size):
    """Raises BadRequest for a larger request, so also for a larger row."""
    if size > MAX_REQUEST_BYTES:
        raise BadRequest("badRequest", f"Request payload size exceeds the limit: {MAX_REQUEST_BYTES} bytes.")


def check_request_rows(count):
    """Raises BadRequest for more rows."""
    if count > MAX_REQUEST_ROWS:
        message = f"too many rows present in the request, limit: {MAX_REQUEST_ROWS} row count: {count}."
        raise BadRequest("invalid", message)


def partition_column(table):
    """The column whose value decides the partition of a row, or None."""
    return table.time_partitioning and table.time_partitioning.field


def moment_of(value):
    """The UTC time of a DATE or TIMESTAMP, as text or as Python's type. None: no such value, which others report."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if not value.tzinfo else value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if isinstance(value, date) else None


class PartitionLimits:
    """Which partitions of tables accept streamed rows."""

    def __init__(self):
        self.known = {}
        """Names of partitions that a table has, by table. Not all of them."""

    def problems(self, engine, table, values):
        """The reasons why the service rejects rows, by index. `values`: what each row has in the partition column."""
        moments = {index: moment for index, value in enumerate(values) if (moment := moment_of(value))}
        found = {}
        for index, moment in moments.items():
            days = (moment.date() - datetime.now(UTC).date()).days
            if not -MAX_DAYS_BACK <= days <= MAX_DAYS_AHEAD:
                found[index] = out_of_bounds(table, moment)
        name = NAME_OF_PARTITION[table.time_partitioning.type]
        names = {index: moment.strftime(name) for index, moment in moments.items() if index not in found}
        return found | self.too_many(engine, table, names)

    def too_many(self, engine, table, names):
        """The rows that need a partition more than a table may have. `names`: partition of each row, by index."""
        key = (table.project_id, table.dataset_id, table.table_id, table.creation_time)
        if self.known.get(key, set()).issuperset(names.values()):
            return {}
        self.known[key] = partitions_of(engine, table)
        # A copy, because whether the rows are written is not known yet.
        known = set(self.known[key])
        found = {}
        for index, name in names.items():
            if name in known:
                continue
            if len(known) >= MAX_PARTITIONS:
                message = f"Table {name_of(table)} will have {len(known) + 1} partitions, exceeding limit {MAX_PARTITIONS}."
                found[index] = message
            else:
                known.add(name)
        return found


def name_of(table):
    return f"{table.project_id}:{table.dataset_id}.{table.table_id}"


def out_of_bounds(table, moment):
    """The answer of the service, which has a DATE as days and a TIMESTAMP as microseconds since 1970."""
    column = partition_column(table)
    is_date = any(field.name == column and field.type == "DATE" for field in table.schema_.fields)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    value = since.days if is_date else (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return (
        f"Value {value} for partition column {column} of the destination table {name_of(table)} is outside the allowed "
        f"bounds. You can only stream to partitions of date range within {MAX_DAYS_BACK} days in the past and "
        f"{MAX_DAYS_AHEAD} days in the future relative to the current date."
    )


def partitions_of(engine, table):
    """The names of the partitions that have rows."""
    column = '"' + partition_column(table).replace('"', '""') + '"'
    name = NAME_OF_PARTITION[table.time_partitioning.type]
    reference = f'"{table.project_id}__{table.dataset_id}"."{table.table_id}"'
    query = f"SELECT DISTINCT strftime({column}, '{name}') FROM {reference} WHERE {column} IS NOT NULL"
    # A cursor of its own: this runs in threads of both APIs.
    return {row[0] for row in engine.connection.cursor().execute(query).fetchall()}
