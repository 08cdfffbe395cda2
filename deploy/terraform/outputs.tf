output "url" {
  description = "Where events are sent: POST to the path /event/ of this address."
  value       = google_cloud_run_v2_service.ingest.uri
}

output "images" {
  description = "Value of `npm run images -- --repository`."
  value       = local.images
}

output "worker_account" {
  description = "Value of `eventlogger launch --service-account`."
  value       = google_service_account.accounts["worker"].email
}

output "bucket" {
  description = "Bucket for the files of Dataflow jobs, for `eventlogger launch --temp-location`."
  value       = "gs://${google_storage_bucket.dataflow.name}"
}
