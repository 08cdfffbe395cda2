# The accounts and the roles of docs/operations/permissions.md.

locals {
  accounts = {
    ingest    = "Receives events, reads the numbers"
    worker    = "Runs the pipeline, on Dataflow or with Flink"
    refresh   = "Refreshes the breakdowns"
    verify    = "Checks the numbers"
    scheduler = "Starts the jobs refresh and verify"
  }

  members = { for name, account in google_service_account.accounts : name => "serviceAccount:${account.email}" }

  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # The pipeline of a rebuild reads subscriptions that `eventlogger rebuild` creates. That is why the worker has the roles of Pub/Sub
  # on the project.
  project_roles = {
    ingest  = ["roles/bigquery.jobUser"]
    worker  = ["roles/bigquery.jobUser", "roles/dataflow.worker", "roles/pubsub.subscriber", "roles/pubsub.viewer"]
    refresh = ["roles/bigquery.jobUser"]
    verify  = ["roles/bigquery.jobUser"]
  }

  dataset_roles = {
    ingest  = "roles/bigquery.dataViewer"
    worker  = "roles/bigquery.dataEditor"
    refresh = "roles/bigquery.dataEditor"
    verify  = "roles/bigquery.dataViewer"
  }

  project_grants = merge([
    for account, roles in local.project_roles : { for role in roles : "${account} ${role}" => { account = account, role = role } }
  ]...)
}

resource "google_service_account" "accounts" {
  for_each = local.accounts

  project      = var.project
  account_id   = "eventlogger-${each.key}"
  display_name = "eventlogger ${each.key}"
  description  = each.value

  depends_on = [google_project_service.apis]
}

resource "google_project_iam_member" "grants" {
  for_each = local.project_grants

  project = var.project
  role    = each.value.role
  member  = local.members[each.value.account]
}

resource "google_bigquery_dataset_iam_member" "grants" {
  for_each = local.dataset_roles

  project    = var.project
  dataset_id = google_bigquery_dataset.analytics.dataset_id
  role       = each.value
  member     = local.members[each.key]
}

resource "google_pubsub_topic_iam_member" "ingest" {
  project = var.project
  topic   = google_pubsub_topic.events.name
  role    = "roles/pubsub.publisher"
  member  = local.members["ingest"]
}

resource "google_storage_bucket_iam_member" "worker" {
  bucket = google_storage_bucket.dataflow.name
  role   = "roles/storage.objectAdmin"
  member = local.members["worker"]
}

resource "google_artifact_registry_repository_iam_member" "worker" {
  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.reader"
  member     = local.members["worker"]
}

# Without these two grants Pub/Sub forwards no message to the dead-letter topic, and does not count deliveries.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project
  topic   = google_pubsub_topic.dead_letters.name
  role    = "roles/pubsub.publisher"
  member  = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  project      = var.project
  subscription = google_pubsub_subscription.events.name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_secret_manager_secret_iam_member" "ingest" {
  for_each = google_secret_manager_secret.keys

  project   = var.project
  secret_id = each.value.secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = local.members["ingest"]
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  count = var.public ? 1 : 0

  project  = var.project
  location = google_cloud_run_v2_service.ingest.location
  name     = google_cloud_run_v2_service.ingest.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}

resource "google_cloud_run_v2_job_iam_member" "scheduler" {
  for_each = google_cloud_run_v2_job.jobs

  project  = var.project
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = local.members["scheduler"]
}
