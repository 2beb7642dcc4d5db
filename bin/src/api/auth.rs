//! Who asks: the credential, the rate limit, the scope. In this order, and before a body is read.

use std::{marker::PhantomData, ops::Deref, sync::Arc};

use poem::{Request, RequestBody, http::StatusCode};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions,
    registry::{MetaSecurityScheme, Registry},
};
use wasmwiz_core::{
    Error,
    auth::Credential,
    principal::{Principal, Scope},
};

use super::{App, error::Problem, request_id::RequestContext};

/// The scope that an endpoint asks for.
pub(crate) trait Needs: Send + Sync {
    /// `None`: any good credential will do.
    const SCOPE: Option<Scope>;
}

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $scope:expr;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name;
            impl Needs for $name {
                const SCOPE: Option<Scope> = $scope;
            }
        )+
    };
}

scopes! {
    /// Any good credential.
    Anything = None;
    /// `modules:read`
    ReadModules = Some(Scope::ModulesRead);
    /// `modules:write`
    WriteModules = Some(Scope::ModulesWrite);
    /// `execute`
    Execute = Some(Scope::Execute);
    /// `keys`
    ManageKeys = Some(Scope::Keys);
    /// `admin`, and the role
    Administer = Some(Scope::Admin);
}

/// A caller whose credential was checked, who was counted, and who has the scope `N`.
pub(crate) struct Caller<N> {
    principal: Principal,
    needs: PhantomData<fn() -> N>,
}

impl<N> Deref for Caller<N> {
    type Target = Principal;
    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<'a, N: Needs> ApiExtractor<'a> for Caller<N> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description| MetaSecurityScheme {
            ty,
            description: Some(description),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        let bearer = scheme("http", "`Authorization: Bearer <API key>`. Keys look like `ww_<random>_<checksum>`.");
        registry.create_security_scheme(
            "bearer",
            MetaSecurityScheme { scheme: Some("bearer"), bearer_format: Some("API key"), ..bearer },
        );
        let header = scheme("apiKey", "`X-API-Key: <API key>`, for clients that cannot set Authorization.");
        registry.create_security_scheme(
            "api_key",
            MetaSecurityScheme { name: Some("X-API-Key"), key_in: Some("header"), ..header },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["bearer", "api_key"]
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self { principal: admit(request, N::SCOPE).await?, needs: PhantomData })
    }
}

async fn admit(request: &Request, scope: Option<Scope>) -> Result<Principal, Problem> {
    let app = App::of(request)?;
    let principal = app.platform.authenticate(&credential(request)?).await?;
    let decision = app.platform.count_request(&principal).await?;
    if let Some(context) = request.data::<Arc<RequestContext>>() {
        // Asked once a request, so that nothing is there yet.
        let _ = context.decision.set(decision);
    }
    if !decision.allowed {
        app.metrics.rate_limited.inc();
        let detail = format!(
            "tier `{}` allows {} requests a minute; the next one is free in {} ms",
            principal.tier,
            decision.limit,
            decision.retry_after.as_millis()
        );
        return Err(
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(decision.retry_after)
        );
    }
    if let Some(scope) = scope {
        principal.require(scope)?;
    }
    Ok(principal)
}

/// Read the credential from `Authorization` or `X-API-Key`.
fn credential(request: &Request) -> Result<Credential, Problem> {
    let bearer = single(request, "Authorization")?.map(bearer_token).transpose()?;
    let key = single(request, "X-API-Key")?;
    match (bearer, key) {
        (Some(one), Some(other)) if one != other => Err(Problem::malformed(
            "two_credentials",
            "X-API-Key",
            "Authorization and X-API-Key carry different credentials; send one of them",
        )),
        (Some(token), _) | (None, Some(token)) => Ok(Credential::Token(token.to_owned())),
        (None, None) => Ok(Credential::None),
    }
}

/// RFC 6750 section 2.1: the scheme in any case, one space, the token.
fn bearer_token(value: &str) -> Result<&str, Problem> {
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && !token.contains(char::is_whitespace) {
        return Ok(token);
    }
    Err(Error::Unauthenticated("the header Authorization must be `Bearer <API key>`".into()).into())
}

fn single<'a>(request: &'a Request, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = request.headers().get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::malformed(
            "two_credentials",
            name,
            format!("the header {name} is there twice; send it once"),
        ));
    }
    match value.to_str().map(str::trim) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        _ => Err(Error::Unauthenticated(format!("the header {name} is empty or not ASCII")).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Result<Credential, (u16, &'static str)> {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        credential(&request.finish()).map_err(|problem| (problem.status.as_u16(), problem.code))
    }

    fn token(text: &str) -> Result<Credential, (u16, &'static str)> {
        Ok(Credential::Token(text.into()))
    }

    #[test]
    fn a_credential_is_read_from_either_header() {
        assert_eq!(read(&[]), Ok(Credential::None));
        assert_eq!(read(&[("Authorization", "bearer  ww_x ")]), token("ww_x"));
        assert_eq!(read(&[("X-API-Key", "ww_x")]), token("ww_x"));
        assert_eq!(read(&[("Authorization", "Bearer ww_x"), ("X-API-Key", "ww_x")]), token("ww_x"));
    }

    #[test]
    fn two_different_credentials_are_refused() {
        assert_eq!(read(&[("Authorization", "Bearer a"), ("X-API-Key", "b")]), Err((400, "two_credentials")));
        assert_eq!(read(&[("X-API-Key", "a"), ("X-API-Key", "a")]), Err((400, "two_credentials")));
    }

    #[test]
    fn a_malformed_authorization_header_is_refused() {
        for value in ["ww_x", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer a b", ""] {
            assert_eq!(read(&[("Authorization", value)]), Err((401, "unauthenticated")), "{value}");
        }
    }
}
