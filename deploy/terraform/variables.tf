variable "name" {
  description = "What everything is called: the project, the bucket, the queue."
  type        = string
  default     = "docent"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,40}$", var.name))
    error_message = "Lower case letters, digits and hyphens, 2 to 41 of them, a letter first."
  }
}

variable "cloudflare_account_id" {
  description = "The Cloudflare account that has the bucket and the queue."
  type        = string
}

variable "bucket_location" {
  description = "Where R2 keeps the documents: apac, eeur, enam, oc, weur or wnam."
  type        = string
  default     = "weur"
}

variable "vercel_team" {
  description = "The Vercel team, by id or name; null for a personal account."
  type        = string
  default     = null
}

variable "vercel_region" {
  description = "Where the functions run: close to the database."
  type        = string
  default     = "fra1"
}

variable "neon_org_id" {
  description = "The Neon organisation that pays; null for a personal account."
  type        = string
  default     = null
}

variable "neon_region" {
  description = "Where the database is: close to the functions."
  type        = string
  default     = "aws-eu-central-1"
}

variable "history_seconds" {
  description = "How far back the database can be restored to any moment. More than a day needs a paid plan."
  type        = number
  default     = 86400
}

variable "allowed_origins" {
  description = "The origins of the pages that upload and call, such as https://app.example.com: no path, no slash at the end."
  type        = list(string)

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "Write https://host, without a path, a slash at the end or a star."
  }
}

variable "secrets_version" {
  description = "Raise it after changing any secret below: what is not in the state cannot be compared."
  type        = number
  default     = 1
}

# The secrets are ephemeral: Terraform hands them to Vercel and keeps them in neither plan nor state.

variable "database_url" {
  description = "The role docent_app's URL through the pooler. `docent migrate` gives the role this URL's password."
  type        = string
  ephemeral   = true
}

variable "master_key" {
  description = "Seals the tenants' provider keys: openssl rand -base64 32. Keep a copy where the database's backups are not."
  type        = string
  ephemeral   = true
}

variable "ingest_secret" {
  description = "Signs what the queue's worker posts: openssl rand -hex 32. The worker gets the same."
  type        = string
  ephemeral   = true
}

variable "cron_secret" {
  description = "Lets Vercel's scheduler in: openssl rand -hex 32."
  type        = string
  ephemeral   = true
}

variable "bucket_key_id" {
  description = "The id of an R2 token that may read and write this bucket alone."
  type        = string
  ephemeral   = true
}

variable "bucket_key_secret" {
  description = "That token's secret."
  type        = string
  ephemeral   = true
}
