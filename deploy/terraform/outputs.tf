output "vercel_project_id" {
  description = "VERCEL_PROJECT_ID of the workflows."
  value       = vercel_project.docent.id
}

output "neon_project_id" {
  description = "NEON_PROJECT_ID of the workflows."
  value       = neon_project.docent.id
}

output "direct_database_url" {
  description = "An administrator's URL: DIRECT_DATABASE_URL. Neon's provider keeps it in the state."
  value       = neon_project.docent.connection_uri
  sensitive   = true
}

output "ingest_queue" {
  description = "What the worker in ../cloudflare consumes."
  value       = cloudflare_queue.ingest.queue_name
}
