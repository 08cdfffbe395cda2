"""Expiration of partitions, which bqemulator stores as a setting of a table and does not apply.

https://cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration. A partition expires when the setting's
time has passed since its end, in UTC. The service deletes it some time later, but queries no longer read it.
"""

from datetime import UTC, datetime, timedelta

from streaming_limits import NAME_OF_PARTITION, partition_column


def expires(table):
    """Whether partitions of a table expire."""
    return bool(partition_column(table) and table.time_partitioning.expiration_ms)


def expiring_tables(catalog):
    return [
        table
        for dataset in catalog.list_all_datasets()
        for table in catalog.list_tables(dataset.project_id, dataset.dataset_id)
        if expires(table)
    ]


async def delete_expired(ctx):
    """Deletes the rows of all expired partitions."""
    for table in expiring_tables(ctx.catalog):
        partitioning = table.time_partitioning
        unit = partitioning.type.lower()
        if partitioning.type not in NAME_OF_PARTITION:
            continue
        column = '"' + partitioning.field.replace('"', '""') + '"'
        ends_by = datetime.now(UTC) - timedelta(milliseconds=int(partitioning.expiration_ms))
        reference = f'"{table.project_id}__{table.dataset_id}"."{table.table_id}"'
        # As text, because a DATE has no time zone and a TIMESTAMP has one.
        end = f"strftime(date_trunc('{unit}', {column}) + INTERVAL 1 {unit}, '%Y-%m-%dT%H:%M:%S')"
        async with ctx.engine.write_lock():
            ctx.engine.execute(f"DELETE FROM {reference} WHERE {end} <= '{ends_by:%Y-%m-%dT%H:%M:%S}'")


def before_each(call):
    """A call of the emulator that first deletes expired partitions. The call has the context as an argument."""

    async def patched(*args, **kwargs):
        ctx = kwargs.get("ctx") or next(arg for arg in args if hasattr(arg, "catalog"))
        await delete_expired(ctx)
        return await call(*args, **kwargs)

    return patched
