//! The operator's own keys: they serve tenants that saved none, each up to the operator's cap.

use std::sync::Arc;

use docent_llm::{Endpoint, SecretString, Url};

use super::{Sealed, provider};
use crate::App;
use crate::auth::TenantId;
use crate::config::{Environment, Error as Contradiction, OPERATOR_CAP as CAP};
use crate::error::{Error, Kind, Result};

/// `OPENAI_API_KEY`, `MISTRAL_API_KEY` and so on, one for each known provider, where `OPERATOR_SPEND_CAP_DAILY_USD` is
/// set; none otherwise.
#[derive(Clone, Default)]
pub struct OperatorKeys(Arc<Vec<(&'static str, SecretString)>>);

impl std::fmt::Debug for OperatorKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.0.iter().map(|(provider, _)| provider)).finish()
    }
}

impl OperatorKeys {
    pub fn read(environment: &Environment) -> Result<OperatorKeys, Contradiction> {
        if environment.get(CAP).is_none() {
            return Ok(OperatorKeys::default());
        }
        let mut keys = Vec::new();
        let mut variables = Vec::new();
        for (provider, _) in provider::hosted() {
            let variable = format!("{}_API_KEY", provider.to_uppercase());
            if let Some(key) = environment.get(&variable) {
                provider::check_key(provider, key).map_err(|_| {
                    Contradiction::new(
                        &variable,
                        "is no provider's key.",
                        "Copy the key again, without quotes or spaces.",
                    )
                })?;
                keys.push((provider, SecretString::from(key)));
            }
            variables.push(variable);
        }
        if keys.is_empty() {
            let remedy = format!("Set one of {}, or remove the cap.", variables.join(", "));
            return Err(Contradiction::new(
                CAP,
                "caps the spending on the operator's keys, but there are none.",
                remedy,
            ));
        }
        Ok(OperatorKeys(Arc::new(keys)))
    }

    fn endpoint(&self, provider: &str) -> Option<Endpoint> {
        let (name, key) = self.0.iter().find(|(name, _)| *name == provider)?;
        let (_, url) = provider::hosted().find(|(hosted, _)| hosted == name)?;
        Some(provider::endpoint(name, Url::parse(url).ok()?, Some(key.clone())))
    }
}

/// An endpoint with a key, and whose account pays there.
pub struct Account {
    pub endpoint: Endpoint,
    pub of_operator: bool,
}

/// The tenant's account at a provider, else the operator's.
pub fn account(app: &App, tenant: TenantId, provider: &str, keys: &[Sealed]) -> Result<Account> {
    if let Some(sealed) = keys.iter().find(|key| key.provider == provider) {
        return Ok(Account { endpoint: super::endpoint(app, tenant, sealed)?, of_operator: false });
    }
    let endpoint = app.operator_keys.endpoint(provider).ok_or_else(|| {
        Error::new(Kind::Provider("provider_auth"), format!("There is no key for the provider `{provider}`."))
            .hint(format!("Save one with PUT /api/keys/{provider}, or choose another provider."))
    })?;
    Ok(Account { endpoint, of_operator: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operators_keys_need_a_cap_and_the_cap_needs_keys() {
        let environment = Environment::default().with("OPENAI_API_KEY", "sk-operators");
        assert!(OperatorKeys::read(&environment).unwrap().endpoint("openai").is_none(), "no cap, no service");
        let capped = environment.with(CAP, "5");
        let keys = OperatorKeys::read(&capped).unwrap();
        assert_eq!(keys.endpoint("openai").unwrap().base_url.as_str(), "https://api.openai.com/v1");
        assert!(keys.endpoint("mistral").is_none());
        assert!(!format!("{keys:?}").contains("sk-"));
        let error = OperatorKeys::read(&Environment::default().with(CAP, "5")).unwrap_err();
        assert!(error.variable == CAP && error.remedy.contains("OPENAI_API_KEY"), "{error}");
        let error = OperatorKeys::read(&capped.with("XAI_API_KEY", "two words")).unwrap_err();
        assert!(error.variable == "XAI_API_KEY" && !error.to_string().contains("two words"), "{error}");
    }
}
