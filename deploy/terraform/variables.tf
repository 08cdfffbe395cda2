variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the images, of ingest and of the jobs, such as europe-west1."
  type        = string
}

variable "location" {
  description = "Location of the dataset and the bucket, such as EU. Null: the region."
  type        = string
  default     = null
}

variable "image_tag" {
  description = "Tag of the images that `npm run images -- --push` has pushed: the version of the release."
  type        = string
  default     = "0.1.0"
}

variable "topic" {
  description = "Pub/Sub topic for published events. Its schema has the same name."
  type        = string
  default     = "events"
}

variable "subscription" {
  description = "Pub/Sub subscription that the pipeline reads."
  type        = string
  default     = "events-pipeline"
}

variable "max_delivery_attempts" {
  description = "Number of deliveries after which a message goes to the dead-letter topic."
  type        = number
  default     = 100

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100
    error_message = "max_delivery_attempts must be a number from 5 to 100."
  }
}

variable "message_retention" {
  description = "How long the subscriptions retain unacknowledged messages, in seconds with the unit s."
  type        = string
  default     = "604800s"
}

variable "dataset" {
  description = "BigQuery dataset."
  type        = string
  default     = "analytics"
}

variable "materialized_views" {
  description = "Whether BigQuery keeps the results of the views that the rollups are read from. Needs on-demand pricing, or the edition Enterprise or Enterprise Plus."
  type        = bool
  default     = true
}

variable "bucket" {
  description = "Bucket for the files of Dataflow jobs. Null: PROJECT-eventlogger."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the tables, the ingest service and the jobs."
  type        = bool
  default     = true
}

variable "public" {
  description = "Whether anybody may send requests to ingest. Write keys and read keys still decide which are accepted."
  type        = bool
  default     = true
}

variable "read_keys" {
  description = "Whether reading the numbers needs a key of the secret eventlogger-read-keys."
  type        = bool
  default     = true
}

variable "min_instances" {
  description = "Number of instances of ingest that always run."
  type        = number
  default     = 1
}

variable "max_instances" {
  description = "Highest number of instances of ingest."
  type        = number
  default     = 10
}

variable "ingest_settings" {
  description = "Further options of ingest by their environment variables, such as { CORS_ORIGINS = \"https://shop.example\" }."
  type        = map(string)
  default     = {}
}

variable "refresh_schedule" {
  description = "When the breakdowns are refreshed, as a cron expression in UTC. Empty: not by this module."
  type        = string
  default     = "*/10 * * * *"
}

variable "verify_schedule" {
  description = "When the numbers are checked against the raw events, as a cron expression in UTC. Empty: never."
  type        = string
  default     = "10 3 * * *"
}

variable "verify_days" {
  description = "The check compares the days of rows that were received in this many days. It reads these columns of them each time."
  type        = number
  default     = 3
}
