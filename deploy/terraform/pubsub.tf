# What `eventlogger setup` makes in Pub/Sub, with the same settings.

locals {
  dead_letter_topic   = "${var.topic}-dead-letters"
  replay_topic        = "${var.topic}-replay-g1"
  replay_subscription = "${var.subscription}-replay-g1"
}

resource "google_pubsub_schema" "events" {
  project    = var.project
  name       = var.topic
  type       = "AVRO"
  definition = file("${path.module}/event.avsc")

  depends_on = [google_project_service.apis]

  lifecycle {
    # `eventlogger setup` commits a new revision in place. The provider would delete the schema, which the topic is bound to.
    ignore_changes = [definition]
  }
}

resource "google_pubsub_topic" "events" {
  project = var.project
  name    = var.topic

  schema_settings {
    schema   = google_pubsub_schema.events.id
    encoding = "JSON"
  }
}

resource "google_pubsub_topic" "dead_letters" {
  project = var.project
  name    = local.dead_letter_topic

  depends_on = [google_project_service.apis]
}

# Messages of a topic without a subscription are lost.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project
  name                       = local.dead_letter_topic
  topic                      = google_pubsub_topic.dead_letters.id
  ack_deadline_seconds       = 10
  message_retention_duration = var.message_retention
  enable_message_ordering    = false

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_subscription" "events" {
  project                    = var.project
  name                       = var.subscription
  topic                      = google_pubsub_topic.events.id
  ack_deadline_seconds       = 10
  message_retention_duration = var.message_retention
  enable_message_ordering    = false

  # It must outlive a pipeline that is stopped for a month.
  expiration_policy {
    ttl = ""
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letters.id
    max_delivery_attempts = var.max_delivery_attempts
  }

  # Every delivery counts towards the dead-letter topic, also those to a pipeline that is stopped.
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "600s"
  }
}

resource "google_pubsub_topic" "replay" {
  project = var.project
  name    = local.replay_topic

  depends_on = [google_project_service.apis]
}

resource "google_pubsub_subscription" "replay" {
  project                    = var.project
  name                       = local.replay_subscription
  topic                      = google_pubsub_topic.replay.id
  ack_deadline_seconds       = 10
  message_retention_duration = var.message_retention
  enable_message_ordering    = false

  expiration_policy {
    ttl = ""
  }
}
