//! The contract of [`crate::auth`].

use crate::{
    Error,
    auth::{AuthProvider, Credential},
    principal::Principal,
};

/// What a provider is shown, and what it is to make of it.
#[derive(Debug, Default)]
pub struct Cases {
    /// Good credentials and whom they establish. At least one.
    pub good: Vec<(Credential, Principal)>,
    /// Credentials of the provider's form that are unknown, expired or revoked: nobody may tell which.
    pub refused: Vec<Credential>,
    /// Credentials of the provider's form that cannot be right whatever is stored: mistyped, cut off.
    pub malformed: Vec<Credential>,
    /// Credentials of other forms. Some that are no credential of anybody's are always added.
    pub foreign: Vec<Credential>,
}

/// Run every check on a provider.
///
/// # Panics
/// At the first promise that is broken.
pub async fn all(provider: &dyn AuthProvider, cases: &Cases) {
    good_credentials_are_established(provider, cases).await;
    what_is_not_of_its_form_is_left_to_others(provider, cases).await;
    refused_credentials_are_not_told_apart(provider, cases).await;
    nothing_shows_a_credential(provider, cases).await;
    forgetting_costs_no_good_key_its_place(provider, cases).await;
}

/// A good credential establishes the same principal every time.
pub async fn good_credentials_are_established(provider: &dyn AuthProvider, cases: &Cases) {
    assert!(!cases.good.is_empty(), "the suite needs a good credential");
    for (index, (credential, expected)) in cases.good.iter().enumerate() {
        for round in ["first", "second", "third"] {
            let found = provider.authenticate(credential).await;
            let found = found.unwrap_or_else(|error| panic!("good credential {index}, {round} time: {error}"));
            assert_eq!(found.as_ref(), Some(expected), "good credential {index}, {round} time");
        }
    }
}

/// A credential of another form is `Ok(None)`; showing nothing is, too, unless the provider lets anonymous callers in.
pub async fn what_is_not_of_its_form_is_left_to_others(provider: &dyn AuthProvider, cases: &Cases) {
    let nobodys = ["", " ", "\0", "?", "not a credential", "Bearer", "é"].map(|text| Credential::Token(text.into()));
    for (index, credential) in nobodys.iter().chain(&cases.foreign).enumerate() {
        let found = provider.authenticate(credential).await;
        assert!(matches!(found, Ok(None)), "credential {index} of no form of this provider's: {found:?}");
    }
    let anonymous = provider.authenticate(&Credential::None).await.expect("showing nothing is no error");
    assert_eq!(anonymous.is_some(), provider.allows_anonymous(), "showing nothing, against `allows_anonymous`");
}

/// What is of the provider's form and not good is [`Error::Unauthenticated`], in one and the same words.
pub async fn refused_credentials_are_not_told_apart(provider: &dyn AuthProvider, cases: &Cases) {
    let mut words = Vec::new();
    for (index, credential) in cases.refused.iter().enumerate() {
        // A second look must not say more than the first.
        for _ in 0..2 {
            words.push(refusal(provider, credential, &format!("refused credential {index}")).await);
        }
    }
    assert!(words.windows(2).all(|pair| pair[0] == pair[1]), "the refusals differ: {words:?}");
    for (index, credential) in cases.malformed.iter().enumerate() {
        refusal(provider, credential, &format!("malformed credential {index}")).await;
    }
}

/// Neither an error's words nor anything's `Debug` has the credential in it.
pub async fn nothing_shows_a_credential(provider: &dyn AuthProvider, cases: &Cases) {
    let good = cases.good.iter().map(|(credential, _)| credential);
    for credential in good.chain(&cases.refused).chain(&cases.malformed) {
        let Credential::Token(token) = credential else { continue };
        let result = provider.authenticate(credential).await;
        let words = result.as_ref().err().map(|error| crate::error::chain(error)).unwrap_or_default();
        for shown in [words, format!("{result:?}"), format!("{provider:?}"), format!("{credential:?}")] {
            // Eight characters are more than a form's prefix, and less than would be guessed.
            let tail = token.char_indices().rev().nth(7).map_or(token.as_str(), |(start, _)| &token[start..]);
            assert!(tail.is_empty() || !shown.contains(tail), "the end of a credential is in: {shown}");
        }
    }
}

/// Forgetting a key that is still good, or is nobody's, changes nothing.
pub async fn forgetting_costs_no_good_key_its_place(provider: &dyn AuthProvider, cases: &Cases) {
    provider.forget_key(uuid::Uuid::nil());
    for (credential, expected) in &cases.good {
        if let Some(id) = expected.key_id {
            provider.forget_key(id);
        }
        let found = provider.authenticate(credential).await.expect("a good credential");
        assert_eq!(found.as_ref(), Some(expected), "after `forget_key`");
    }
}

/// A key that was revoked in the storage is refused as soon as [`AuthProvider::forget_key`] has returned.
///
/// # Panics
/// When it is not good before, or still good after.
pub async fn a_revoked_key_is_refused_at_once(
    provider: &dyn AuthProvider,
    credential: &Credential,
    revoke: impl Future<Output = uuid::Uuid>,
) {
    let before = provider.authenticate(credential).await.expect("a good credential");
    assert!(before.is_some(), "the credential is recognised");
    let id = revoke.await;
    provider.forget_key(id);
    refusal(provider, credential, "a revoked key").await;
}

async fn refusal(provider: &dyn AuthProvider, credential: &Credential, what: &str) -> String {
    match provider.authenticate(credential).await {
        Err(Error::Unauthenticated(words)) => words,
        other => panic!("{what}: {other:?}"),
    }
}
