# Commands of eventlogger that a schedule starts. Each one is safe to interrupt and to repeat.

locals {
  all_jobs = {
    refresh = {
      schedule = var.refresh_schedule
      timeout  = "1800s"
      command  = ["node", "node_modules/@eventlogger/pipeline/dist/cli/main.js"]
      args     = ["refresh", "--project", var.project, "--dataset", var.dataset]
    }
    # The shell computes the day.
    verify = {
      schedule = var.verify_schedule
      timeout  = "3600s"
      command  = ["/bin/sh", "-c"]
      args = [
        "exec node node_modules/@eventlogger/pipeline/dist/cli/main.js verify --project ${var.project} --dataset ${var.dataset} --since $(date --utc --date '${var.verify_days} days ago' +%F)"
      ]
    }
  }

  jobs = { for name, job in local.all_jobs : name => job if job.schedule != "" }
}

resource "google_cloud_run_v2_job" "jobs" {
  for_each = local.jobs

  project             = var.project
  location            = var.region
  name                = "eventlogger-${each.key}"
  deletion_protection = var.deletion_protection

  template {
    template {
      service_account = google_service_account.accounts[each.key].email
      timeout         = each.value.timeout
      max_retries     = 1

      containers {
        image   = "${local.images}/eventlogger-pipeline:${var.image_tag}"
        command = each.value.command
        args    = each.value.args

        resources {
          limits = {
            cpu    = "1"
            memory = "1Gi"
          }
        }
      }
    }
  }

  depends_on = [
    google_bigquery_dataset_iam_member.grants,
    google_project_iam_member.grants,
  ]
}

resource "google_cloud_scheduler_job" "jobs" {
  for_each = local.jobs

  project   = var.project
  region    = var.region
  name      = "eventlogger-${each.key}"
  schedule  = each.value.schedule
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.jobs[each.key].id}:run"

    oauth_token {
      service_account_email = google_service_account.accounts["scheduler"].email
    }
  }

  depends_on = [google_cloud_run_v2_job_iam_member.scheduler]
}
