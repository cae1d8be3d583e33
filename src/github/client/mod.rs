//! The API of GitHub, behind blocking calls: octocrab carries the requests, and everything about trying
//! again is here. A request that may have been done is never just repeated. Knows no comment, issue or
//! pull request.

mod answer;
mod error;
mod patience;
mod route;

use std::cell::OnceCell;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, header};
use octocrab::Octocrab;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::context::Host;
use super::repository::Repository;
use super::token::Credential;
use crate::clock;
use crate::load::shutdown::Shutdown;
use crate::load::tls;
use answer::Answer;
use patience::Patience;

pub use error::ClientError;
pub use route::Route;

/// More than a page of the longest comments: 100 of 65,536 characters, each of up to twelve bytes in JSON.
const LARGEST_ANSWER: usize = 96 << 20;
/// What the API gives at once, at most.
const PAGE: usize = 100;
/// Pages that are looked at.
const MOST_PAGES: u32 = 30;
const CONNECT: Duration = Duration::from_secs(10);
const REQUEST: Duration = Duration::from_secs(30);
/// Who writes with the token of a job; that token may not ask who it is.
const ACTIONS_BOT: &str = "github-actions[bot]";

/// A repository on a GitHub. Everything that is asked of it together waits 90 s at most.
pub struct Client {
    runtime: tokio::runtime::Runtime,
    crab: Octocrab,
    host: Host,
    repository: Repository,
    patience: Patience,
    /// A job that is cancelled meanwhile waits for nothing.
    shutdown: Shutdown,
    login: OnceCell<String>,
}

/// A request.
struct Ask<'a> {
    method: Method,
    route: &'a str,
    body: Option<&'a Value>,
    /// The most bytes of the answer.
    most: usize,
}

impl Ask<'_> {
    /// As it is called in messages.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.route.split('?').next().unwrap_or_default())
    }

    /// Whether doing it twice is the same as doing it once.
    fn is_repeatable(&self) -> bool {
        self.method != Method::POST
    }
}

impl Client {
    /// A client for the repository of a job.
    pub fn open(host: &Host) -> Result<Self, ClientError> {
        Self::admits(host)?;
        Self::new(host, Patience::begin())
    }

    /// Whether there is what a client needs; nothing is asked.
    pub fn admits(host: &Host) -> Result<(), ClientError> {
        match (&host.credential, &host.repository) {
            (Credential::Missing, _) => Err(ClientError::NoToken),
            (Credential::Malformed, _) => Err(ClientError::MalformedToken),
            (Credential::Token(_), None) => Err(ClientError::NoRepository),
            (Credential::Token(_), Some(_)) => Ok(()),
        }
    }

    /// A client for what everybody may read, for somebody who waits: it gives up within seconds.
    pub fn anonymous(host: &Host) -> Result<Self, ClientError> {
        Self::new(&Host { credential: Credential::Missing, ..host.clone() }, Patience::brief())
    }

    fn new(host: &Host, patience: Patience) -> Result<Self, ClientError> {
        let repository = host.repository.clone().ok_or(ClientError::NoRepository)?;
        let setup = |source| ClientError::Setup { api: host.api.clone(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| setup(error.into()))?;
        let (crab, shutdown) = {
            let _inside = runtime.enter();
            let shutdown = Shutdown::listen().map_err(|error| setup(error.into()))?;
            (carrier(&host.api, &host.credential).map_err(setup)?, shutdown)
        };
        let (host, login) = (host.clone(), OnceCell::new());
        Ok(Self { runtime, crab, host, repository, patience, shutdown, login })
    }

    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// A path below the repository.
    pub fn route(&self, parts: &[&str]) -> Route {
        let repository = self.repository.to_string();
        let (owner, name) = repository.split_once('/').unwrap_or_default();
        Route::new(["repos", owner, name].into_iter().chain(parts.iter().copied()))
    }

    /// Asks for something.
    pub fn get<T: DeserializeOwned>(&self, route: &Route) -> Result<T, ClientError> {
        self.asked(Method::GET, route, None)
    }

    /// Asks for a list, page by page; of a very long one its first 3,000.
    pub fn pages<T: DeserializeOwned>(&self, route: &Route) -> Result<Vec<T>, ClientError> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let route = route.clone().with("per_page", &PAGE.to_string()).with("page", &page.to_string());
            let ask = Ask { method: Method::GET, route: route.as_str(), body: None, most: LARGEST_ANSWER };
            let answer = self.answered(&ask)?;
            let more = answer.more;
            all.extend(parsed::<Vec<T>>(&answer, &ask)?);
            if !more {
                break;
            }
        }
        Ok(all)
    }

    /// Changes something.
    pub fn patch<T: DeserializeOwned>(&self, route: &Route, body: &Value) -> Result<T, ClientError> {
        self.asked(Method::PATCH, route, Some(body))
    }

    /// Changes something that others change too: before it is tried again, `still` says whether it is to be
    /// changed at all.
    pub fn patch_while<T: DeserializeOwned>(
        &self,
        route: &Route,
        body: &Value,
        still: &dyn Fn() -> Result<(), ClientError>,
    ) -> Result<T, ClientError> {
        let ask =
            Ask { method: Method::PATCH, route: route.as_str(), body: Some(body), most: LARGEST_ANSWER };
        parsed(&self.answered_while(&ask, still)?, &ask)
    }

    /// Removes something.
    pub fn delete(&self, route: &Route) -> Result<(), ClientError> {
        let ask = Ask { method: Method::DELETE, route: route.as_str(), body: None, most: LARGEST_ANSWER };
        self.answered(&ask).map(drop)
    }

    /// Makes something, once: where it is not known whether it was made, `made` looks.
    pub fn create<T: DeserializeOwned>(
        &self,
        route: &Route,
        body: &Value,
        made: &dyn Fn() -> Result<Option<T>, ClientError>,
    ) -> Result<T, ClientError> {
        let mut attempt = 1;
        loop {
            let error = match self.asked(Method::POST, route, Some(body)) {
                Err(error) if is_unsure(&error) => error,
                outcome => return outcome,
            };
            if let Some(found) = made()? {
                return Ok(found);
            }
            let pause = self.patience.after(attempt).ok_or(error)?;
            self.wait(pause)?;
            attempt += 1;
        }
    }

    /// The bytes behind a path, of which there are at most `most`; our token goes to GitHub only.
    pub fn download(&self, route: &Route, most: usize) -> Result<Vec<u8>, ClientError> {
        let ask = Ask { method: Method::GET, route: route.as_str(), body: None, most };
        Ok(self.answered(&ask)?.bytes)
    }

    /// Who writes with this token.
    pub fn login(&self) -> Result<&str, ClientError> {
        if self.login.get().is_none() {
            let login = self.find_login()?;
            return Ok(self.login.get_or_init(|| login));
        }
        Ok(self.login.get().map_or(ACTIONS_BOT, String::as_str))
    }

    fn find_login(&self) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        struct User {
            login: String,
        }
        match self.get::<User>(&Route::new(["user"])) {
            Ok(user) => Ok(user.login),
            // Apps are no users. The other API knows them, where it may be asked.
            Err(error) if matches!(error.status(), Some(401 | 403 | 404)) => {
                Ok(self.viewer().unwrap_or_else(|| ACTIONS_BOT.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    /// The login as the GraphQL API says it, which on an Enterprise server is not below the other one.
    fn viewer(&self) -> Option<String> {
        let base = self.host.api.strip_suffix("/v3").unwrap_or(&self.host.api);
        let crab = {
            let _inside = self.runtime.enter();
            carrier(base, &self.host.credential).ok()?
        };
        let body = json!({ "query": "query { viewer { login } }" });
        let ask = Ask { method: Method::POST, route: "/graphql", body: Some(&body), most: LARGEST_ANSWER };
        let answer = self.runtime.block_on(self.attempt(&crab, &ask)).ok()?;
        let answer: Value = serde_json::from_slice(&answer.bytes).ok()?;
        answer.pointer("/data/viewer/login").and_then(Value::as_str).map(str::to_owned)
    }

    fn asked<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &Route,
        body: Option<&Value>,
    ) -> Result<T, ClientError> {
        let ask = Ask { method, route: route.as_str(), body, most: LARGEST_ANSWER };
        let answer = self.answered(&ask)?;
        parsed(&answer, &ask)
    }

    fn answered(&self, ask: &Ask) -> Result<Answer, ClientError> {
        self.answered_while(ask, &|| Ok(()))
    }

    /// The answer that counts, after as many attempts as it takes and there is time for, as long as it is
    /// `still` to be asked.
    fn answered_while(
        &self,
        ask: &Ask,
        still: &dyn Fn() -> Result<(), ClientError>,
    ) -> Result<Answer, ClientError> {
        let mut attempt = 1;
        loop {
            let outcome = self.unless_asked_to_end(async { Ok(self.attempt(&self.crab, ask).await) })?;
            let Some(pause) = self.pause(ask, &outcome, attempt) else {
                return outcome?.accepted(&ask.name());
            };
            self.wait(pause)?;
            still()?;
            attempt += 1;
        }
    }

    fn wait(&self, pause: Duration) -> Result<(), ClientError> {
        self.unless_asked_to_end(async {
            tokio::time::sleep(pause).await;
            Ok(())
        })
    }

    fn unless_asked_to_end<T>(
        &self,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = self.shutdown.requested() => Err(ClientError::Interrupted),
                done = work => done,
            }
        })
    }

    /// How long to wait before another attempt; none if this one counts.
    fn pause(&self, ask: &Ask, outcome: &Result<Answer, ClientError>, attempt: u32) -> Option<Duration> {
        match outcome {
            Ok(Answer { limited: Some(asked), .. }) => self.patience.as_asked(*asked, attempt),
            Ok(answer) if answer.is_broken() && ask.is_repeatable() => self.patience.after(attempt),
            Err(ClientError::Unreachable { .. }) if ask.is_repeatable() => self.patience.after(attempt),
            _ => None,
        }
    }

    async fn attempt(&self, crab: &Octocrab, ask: &Ask<'_>) -> Result<Answer, ClientError> {
        let unreachable = |reason: String| ClientError::Unreachable {
            request: ask.name(),
            api: self.host.api.clone(),
            reason,
        };
        let request = Request::builder().method(ask.method.clone()).uri(ask.route);
        let request = crab.build_request(request, ask.body).map_err(|error| unreachable(cause(&error)))?;
        let exchange = async {
            let response = crab.execute(request).await.map_err(|error| unreachable(cause(&error)))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, ask.most).collect().await.map_err(|error| {
                if error.is::<http_body_util::LengthLimitError>() {
                    ClientError::TooLarge { request: ask.name(), most: ask.most }
                } else {
                    unreachable(cause(&*error))
                }
            })?;
            let now_s = u64::try_from(clock::now_ms() / 1_000).unwrap_or(0);
            Ok(Answer::new(head.status.as_u16(), &head.headers, body.to_bytes().to_vec(), now_s))
        };
        let late = |_| unreachable("no answer in time".to_owned());
        tokio::time::timeout(self.patience.left(), exchange).await.map_err(late)?
    }
}

/// What carries the requests. To be made within the runtime that it lives in.
fn carrier(
    base: &str,
    credential: &Credential,
) -> Result<Octocrab, Box<dyn std::error::Error + Send + Sync>> {
    // The builder would panic over some of what is none.
    let url = url::Url::parse(base)?;
    if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
        return Err("it is no http or https address".into());
    }
    tls::install_provider();
    let http = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(REQUEST)
        .retry(reqwest::retry::never())
        .build()?;
    let accept = (header::ACCEPT, "application/vnd.github+json".to_owned());
    let builder = Octocrab::builder().base_uri(base)?.add_header(accept.0, accept.1);
    let builder = match credential {
        Credential::Token(token) => builder.personal_token(token.reveal().to_owned()),
        Credential::Missing | Credential::Malformed => builder,
    };
    Ok(builder.build_with_reqwest(http)?)
}

fn parsed<T: DeserializeOwned>(answer: &Answer, ask: &Ask) -> Result<T, ClientError> {
    serde_json::from_slice(&answer.bytes)
        .map_err(|source| ClientError::Unexpected { request: ask.name(), source })
}

/// Whether something may have been done although the answer is an error.
fn is_unsure(error: &ClientError) -> bool {
    matches!(error, ClientError::Unreachable { .. } | ClientError::Refused { status: 500.., .. })
}

/// What is at the bottom of an error.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// An error with its causes, each once.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !text.contains(&said) {
            text = if text.is_empty() { said } else { format!("{text}: {said}") };
        }
        next = error.source();
    }
    text
}
