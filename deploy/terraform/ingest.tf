locals {
  images = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"

  key_files = var.read_keys ? ["write-keys", "read-keys"] : ["write-keys"]

  # Cloud Run sets PORT. It kills an instance 10 seconds after SIGTERM, so ingest finishes what is in flight before that. Requests
  # come from a link-local address with the address of the client in X-Forwarded-For.
  own_settings = {
    PROJECT         = var.project
    TOPIC           = var.topic
    DATASET         = var.dataset
    DRAIN_TIMEOUT   = "8s"
    PUBLISH_TIMEOUT = "7s"
    TRUSTED_PROXIES = "169.254.0.0/16"
  }

  key_settings = { for name in local.key_files : "${upper(replace(name, "-", "_"))}_FILE" => "/run/secrets/${name}/keys" }

  ingest_settings = merge(local.own_settings, local.key_settings, var.ingest_settings)
}

resource "google_cloud_run_v2_service" "ingest" {
  project             = var.project
  location            = var.region
  name                = "eventlogger-ingest"
  ingress             = "INGRESS_TRAFFIC_ALL"
  deletion_protection = var.deletion_protection

  template {
    service_account                  = google_service_account.accounts["ingest"].email
    timeout                          = "30s"
    max_instance_request_concurrency = 80

    scaling {
      min_instance_count = var.min_instances
      max_instance_count = var.max_instances
    }

    containers {
      image = "${local.images}/eventlogger-ingest:${var.image_tag}"

      ports {
        container_port = 8080
      }

      resources {
        limits = {
          cpu    = "1"
          memory = "512Mi"
        }

        # Ingest measures the delay of its event loop and refuses requests under overload. Without a CPU between requests, an
        # instance that is woken up now and then looks overloaded.
        cpu_idle          = false
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = local.ingest_settings

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "volume_mounts" {
        for_each = local.key_files

        content {
          name       = volume_mounts.value
          mount_path = "/run/secrets/${volume_mounts.value}"
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30

        http_get {
          path = "/readyz"
        }
      }

      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 3
        failure_threshold = 3

        http_get {
          path = "/healthz"
        }
      }
    }

    dynamic "volumes" {
      for_each = local.key_files

      content {
        name = volumes.value

        secret {
          secret = google_secret_manager_secret.keys[volumes.value].secret_id

          items {
            version = "latest"
            path    = "keys"
          }
        }
      }
    }
  }

  depends_on = [
    google_pubsub_topic_iam_member.ingest,
    google_secret_manager_secret_iam_member.ingest,
  ]
}
