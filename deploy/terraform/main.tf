# Docent on Vercel, Neon and R2. See README.md for the five steps.

# The database. Docent's own roles are made by `docent migrate`: one made here would bypass row security.
resource "neon_project" "docent" {
  name                      = var.name
  org_id                    = var.neon_org_id
  region_id                 = var.neon_region
  pg_version                = 17
  history_retention_seconds = var.history_seconds
}

# The documents, in a bucket that tells a queue what happens in it.
resource "cloudflare_r2_bucket" "documents" {
  account_id = var.cloudflare_account_id
  name       = var.name
  location   = var.bucket_location

  lifecycle {
    prevent_destroy = true
  }
}

# The same rules as ../cloudflare/cors.json and lifecycle.json, which are for wrangler.
resource "cloudflare_r2_bucket_cors" "documents" {
  account_id  = var.cloudflare_account_id
  bucket_name = cloudflare_r2_bucket.documents.name

  rules = [{
    id              = "uploads from our pages"
    allowed         = { methods = ["PUT"], origins = var.allowed_origins, headers = ["*"] }
    expose_headers  = ["ETag"]
    max_age_seconds = 3600
  }]
}

resource "cloudflare_r2_bucket_lifecycle" "documents" {
  account_id  = var.cloudflare_account_id
  bucket_name = cloudflare_r2_bucket.documents.name

  rules = [{
    id                                 = "end uploads that were left half way"
    enabled                            = true
    conditions                         = { prefix = "" }
    abort_multipart_uploads_transition = { condition = { type = "Age", max_age = 86400 } }
  }]
}

resource "cloudflare_queue" "ingest" {
  account_id = var.cloudflare_account_id
  queue_name = "${var.name}-ingest"
}

resource "cloudflare_queue" "dead" {
  account_id = var.cloudflare_account_id
  queue_name = "${var.name}-ingest-dead"
}

resource "cloudflare_r2_bucket_event_notification" "documents" {
  account_id  = var.cloudflare_account_id
  bucket_name = cloudflare_r2_bucket.documents.name
  queue_id    = cloudflare_queue.ingest.queue_id

  rules = [{
    description = "what happens to documents"
    actions     = ["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "LifecycleDeletion"]
    prefix      = "t/"
  }]
}

# The functions. No repository is connected: what is deployed went through .github/workflows/deploy.yml.
resource "vercel_project" "docent" {
  name                       = var.name
  framework                  = null
  serverless_function_region = var.vercel_region
}

locals {
  # R2 by its own names: those of AWS belong to the platform underneath, which sets some of them itself.
  settings = {
    CLOUDFLARE_R2_BUCKET_NAME = cloudflare_r2_bucket.documents.name
    CLOUDFLARE_R2_ACCOUNT_ID  = var.cloudflare_account_id
    S3_REGION                 = "auto"
    MASTER_KEY_CURRENT        = "1"
    ALLOWED_ORIGINS           = join(",", var.allowed_origins)
  }
}

resource "vercel_project_environment_variable" "settings" {
  for_each = local.settings

  project_id = vercel_project.docent.id
  key        = each.key
  value      = each.value
  target     = ["production"]
  sensitive  = false
}

# One resource for each: an ephemeral value may not decide how many there are. Of production alone: previews run code that
# nobody has read yet, so they get a master key, secrets and a bucket of their own (vercel env add NAME preview).
resource "vercel_project_environment_variable" "database_url" {
  project_id       = vercel_project.docent.id
  key              = "DATABASE_URL"
  value_wo         = var.database_url
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}

resource "vercel_project_environment_variable" "master_key" {
  project_id       = vercel_project.docent.id
  key              = "MASTER_KEY_1"
  value_wo         = var.master_key
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}

resource "vercel_project_environment_variable" "ingest_secret" {
  project_id       = vercel_project.docent.id
  key              = "INGEST_SECRET"
  value_wo         = var.ingest_secret
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}

resource "vercel_project_environment_variable" "cron_secret" {
  project_id       = vercel_project.docent.id
  key              = "CRON_SECRET"
  value_wo         = var.cron_secret
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}

resource "vercel_project_environment_variable" "bucket_key_id" {
  project_id       = vercel_project.docent.id
  key              = "CLOUDFLARE_R2_ACCESS_KEY_ID"
  value_wo         = var.bucket_key_id
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}

resource "vercel_project_environment_variable" "bucket_key_secret" {
  project_id       = vercel_project.docent.id
  key              = "CLOUDFLARE_R2_SECRET_ACCESS_KEY"
  value_wo         = var.bucket_key_secret
  value_wo_version = var.secrets_version
  target           = ["production"]
  sensitive        = true
}
