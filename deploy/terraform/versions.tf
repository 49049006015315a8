terraform {
  required_version = ">= 1.11" # write-only arguments: secrets that never enter the state

  required_providers {
    cloudflare = { source = "cloudflare/cloudflare", version = "~> 5.8" }
    neon       = { source = "kislerdm/neon", version = "0.13.0" }
    vercel     = { source = "vercel/vercel", version = "~> 4.8" }
  }
}

# Each reads its token from the environment: CLOUDFLARE_API_TOKEN, NEON_API_KEY, VERCEL_API_TOKEN.
provider "cloudflare" {}

provider "neon" {}

provider "vercel" {
  team = var.vercel_team
}
