//! Which credentials each kind of caller may show, for the description of the API.

use http::StatusCode;

use super::{Credential, May, Need, Page, Scope};
use crate::http::openapi::{Argument, Draft};

/// Shown, not good enough, or too often.
const REFUSALS: [StatusCode; 3] = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];

fn caller<N: Need>(draft: &mut Draft<'_>) {
    let scope = Some(N::SCOPE.as_str());
    draft.admits("secretKey", scope);
    draft.admits("sessionCookie", scope);
    draft.admits("sessionToken", scope);
    if N::OF_VISITOR == Scope::Chat {
        draft.admits("visitorToken", None);
    }
    draft.fails(&REFUSALS);
}

impl<N: Need> Argument for May<N> {
    fn describe(draft: &mut Draft<'_>) {
        caller::<N>(draft);
    }
}

impl<N: Need> Argument for Credential<N> {
    fn describe(draft: &mut Draft<'_>) {
        caller::<N>(draft);
    }
}

impl Argument for Page {
    fn describe(draft: &mut Draft<'_>) {
        draft.admits("publishableKey", None);
        draft.header("Origin", "The page's; browsers send it. It must be one of those that the key names.");
        draft.fails(&REFUSALS);
    }
}
