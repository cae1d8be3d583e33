//! The routes of the service: what each one reads from a request and what it answers.

use axum::{
    Router,
    extract::{Path, Request, State},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{
    Endpoint,
    answer::{Refusal, json, json_text},
    builds::Order,
    handshake::Handshake,
    request::{Body, Caller, PageQuery, Paging, check, read},
    service::Shared,
    view::{BuildView, PageView, StatsView, TokenView, code_text},
    websocket,
};

/// The longest user id and prompt, in bytes, and the most chains of one build.
const LONGEST_USER: usize = 128;
const LONGEST_PROMPT: usize = 2000;
const MOST_CHAINS: usize = 16;

type Answer = Result<Response, Refusal>;

/// Everything the service answers to.
pub(super) fn router(service: Shared) -> Router {
    Router::new()
        .route(Endpoint::Health.route(), get(health))
        .route(Endpoint::Token.route(), post(token))
        .route(Endpoint::CreateBuild.route(), get(list).post(create))
        .route(Endpoint::Build.route(), get(show))
        .route(Endpoint::Code.route(), get(code))
        .route(Endpoint::Stats.route(), get(stats))
        .route(Endpoint::Follow.route(), get(follow))
        .route(Endpoint::Echo.route(), get(echo))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(service)
}

async fn health(State(service): State<Shared>) -> Answer {
    service.perform(Endpoint::Health, || Ok(json_text(r#"{"status":"ok"}"#))).await
}

#[derive(Deserialize)]
struct Login {
    user_id: String,
}

async fn token(State(service): State<Shared>, body: Body) -> Answer {
    let work = || {
        let Login { user_id } = read(body)?;
        check("user_id", user_id.len(), LONGEST_USER)?;
        let access_token = service.keyring.issue(&user_id);
        Ok(json(&TokenView { access_token, token_type: "bearer", user_id }))
    };
    service.perform(Endpoint::Token, work).await
}

#[derive(Deserialize)]
struct Wish {
    prompt: String,
    chains: Vec<u64>,
}

async fn create(State(service): State<Shared>, caller: Caller, body: Body) -> Answer {
    let work = || {
        let user = caller.user()?;
        let Wish { prompt, chains } = read(body)?;
        check("prompt", prompt.trim().len(), LONGEST_PROMPT)?;
        check("chains", chains.len(), MOST_CHAINS)?;
        let now = service.uptime();
        let build = service.builds().create(Order { user, prompt, chains }, now);
        Ok(json(&BuildView::at(&build, now)))
    };
    service.perform(Endpoint::CreateBuild, work).await
}

async fn list(State(service): State<Shared>, caller: Caller, query: PageQuery) -> Answer {
    let work = || {
        let user = caller.user()?;
        let paging = Paging::read(query)?;
        let page = service.builds().page(&user, paging);
        Ok(json(&PageView::at(&page, paging, service.uptime())))
    };
    service.perform(Endpoint::ListBuilds, work).await
}

async fn show(State(service): State<Shared>, caller: Caller, Path(id): Path<String>) -> Answer {
    let work = || {
        let build = service.build(&caller.user()?, &id)?;
        Ok(json(&BuildView::at(&build, service.uptime())))
    };
    service.perform(Endpoint::Build, work).await
}

async fn code(State(service): State<Shared>, caller: Caller, Path(id): Path<String>) -> Answer {
    let work = || {
        let build = service.build(&caller.user()?, &id)?;
        Ok(json_text(code_text(&build)))
    };
    service.perform(Endpoint::Code, work).await
}

async fn stats(State(service): State<Shared>, caller: Caller) -> Answer {
    let work = || {
        let user_id = caller.user()?;
        let builds = service.builds().counts(&user_id, service.uptime());
        Ok(json(&StatsView { user_id, builds }))
    };
    service.perform(Endpoint::Stats, work).await
}

async fn follow(
    State(service): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    mut request: Request,
) -> Answer {
    let handshake = Handshake::read(&mut request);
    let work = || {
        let build = service.build(&caller.user()?, &id)?;
        let (response, upgrade) = handshake?.agree();
        let service = Shared::clone(&service);
        tokio::spawn(async move { websocket::follow(upgrade, &service, &build).await });
        Ok(response)
    };
    service.perform(Endpoint::Follow, work).await
}

async fn echo(State(service): State<Shared>, mut request: Request) -> Answer {
    let handshake = Handshake::read(&mut request);
    let work = || {
        let (response, upgrade) = handshake?.agree();
        let service = Shared::clone(&service);
        tokio::spawn(async move { websocket::echo(upgrade, &service).await });
        Ok(response)
    };
    service.perform(Endpoint::Echo, work).await
}

async fn no_route(State(service): State<Shared>) -> Answer {
    service.thaw().await;
    Err(Refusal::NoRoute)
}

async fn no_method(State(service): State<Shared>) -> Answer {
    service.thaw().await;
    Err(Refusal::Method)
}
