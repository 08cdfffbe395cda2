resource "google_storage_bucket" "dataflow" {
  project  = var.project
  name     = coalesce(var.bucket, "${var.project}-eventlogger")
  location = local.location

  # Access is controlled by IAM alone and is never public.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = false

  # Launches leave many objects, and restoring one is never useful. There is no lifecycle rule: a job that runs for a year
  # starts new workers from the files that were staged at its launch.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  depends_on = [google_project_service.apis]
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "eventlogger"
  description   = "Images of eventlogger"
  format        = "DOCKER"

  depends_on = [google_project_service.apis]
}

# The keys are added with gcloud, so that no state of Terraform contains them.
resource "google_secret_manager_secret" "keys" {
  for_each = toset(local.key_files)

  project   = var.project
  secret_id = "eventlogger-${each.key}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.apis]
}
