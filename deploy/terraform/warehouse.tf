# What `eventlogger setup` makes in BigQuery. warehouse.json is written by `npm run deploy:files` from the tables and views of
# packages/gcp/bigquery.

locals {
  location  = coalesce(var.location, var.region)
  warehouse = jsondecode(templatefile("${path.module}/warehouse.json", { project = var.project, dataset = var.dataset }))

  views = {
    for view in local.warehouse.views : view.name => merge(view, {
      materialized = view.materialized && var.materialized_views
    })
  }
}

resource "google_bigquery_dataset" "analytics" {
  project    = var.project
  dataset_id = var.dataset
  location   = local.location

  delete_contents_on_destroy = false

  depends_on = [google_project_service.apis]
}

resource "google_bigquery_table" "tables" {
  for_each = { for table in local.warehouse.tables : table.name => table }

  project             = var.project
  dataset_id          = google_bigquery_dataset.analytics.dataset_id
  table_id            = each.key
  description         = each.value.description
  schema              = jsonencode(each.value.schema)
  clustering          = each.value.clustering
  deletion_protection = var.deletion_protection

  time_partitioning {
    type  = "DAY"
    field = each.value.partition_by
  }

  lifecycle {
    # `eventlogger setup --event-retention` sets it, and records which rows are complete.
    ignore_changes = [time_partitioning[0].expiration_ms]
  }
}

# Views that read tables only.
resource "google_bigquery_table" "views" {
  for_each = { for name, view in local.views : name => view if view.level == 1 }

  project             = var.project
  dataset_id          = google_bigquery_dataset.analytics.dataset_id
  table_id            = each.key
  description         = each.value.description
  deletion_protection = false

  dynamic "materialized_view" {
    for_each = each.value.materialized ? [each.value.query] : []

    content {
      query = materialized_view.value
    }
  }

  dynamic "view" {
    for_each = each.value.materialized ? [] : [each.value.query]

    content {
      query          = view.value
      use_legacy_sql = false
    }
  }

  depends_on = [google_bigquery_table.tables]
}

# Views that read those views.
resource "google_bigquery_table" "views_of_views" {
  for_each = { for name, view in local.views : name => view if view.level == 2 }

  project             = var.project
  dataset_id          = google_bigquery_dataset.analytics.dataset_id
  table_id            = each.key
  description         = each.value.description
  deletion_protection = false

  view {
    query          = each.value.query
    use_legacy_sql = false
  }

  depends_on = [google_bigquery_table.views]
}
