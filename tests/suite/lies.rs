//! One wrong answer at each request of a provisioning run: whatever Azure, or a host in between, answers, the tenant
//! becomes ready, no object is created twice, and no request and no token goes to another host.
//!
//! A proxy between the production transport and the simulated Azure counts the requests and replaces the answer to
//! one of them. The request itself is carried out or not.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    response::Response,
};
use azure_sim::Speed;
use serde_json::{Value, json};
use tenantry::{
    azure::transport::HttpTransport,
    ports::{Ports, Transport},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    tenant::Status,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::testkit::{self, fixture::Fixture, judge::nothing_was_made_twice, signup};

/// A wrong answer that replaces Azure's answer.
#[derive(Debug, Clone, Copy)]
enum WrongAnswer {
    /// The sign-in page of a gateway.
    Html,
    /// A success status with an error in the body.
    ErrorInside,
    /// A body of 10 MiB, more than the transport reads.
    Flood,
    /// A resource with another id and without our tags.
    OtherId,
    /// A list whose next page is on another host.
    ForeignNext,
    /// A redirect to another host.
    Redirect,
    /// A long-running operation whose URL is on another host, in plain http.
    ForeignOperation,
}

const WRONG_ANSWERS: [WrongAnswer; 7] = [
    WrongAnswer::Html,
    WrongAnswer::ErrorInside,
    WrongAnswer::Flood,
    WrongAnswer::OtherId,
    WrongAnswer::ForeignNext,
    WrongAnswer::Redirect,
    WrongAnswer::ForeignOperation,
];

impl WrongAnswer {
    fn response(self, elsewhere: &str) -> Response {
        let json = |status: u16, body: Value| {
            let response = Response::builder().status(status).header("content-type", "application/json");
            response.body(Body::from(body.to_string())).unwrap()
        };
        let with = |mut response: Response, name: &'static str| {
            response.headers_mut().insert(name, format!("{elsewhere}/next?t=1").parse().unwrap());
            response
        };
        match self {
            Self::Html => Response::new(Body::from("<html><body>Please sign in</body></html>")),
            Self::ErrorInside => {
                json(200, json!({"error": {"code": "InternalServerError", "message": "Something broke."}}))
            }
            Self::Flood => Response::new(Body::from(vec![b' '; 10 << 20])),
            Self::OtherId => json(200, json!({"id": "/subscriptions/x/resourceGroups/other", "tags": {}})),
            Self::ForeignNext => json(200, json!({"value": [], "nextLink": format!("{elsewhere}/next")})),
            Self::Redirect => with(json(307, json!({})), "location"),
            Self::ForeignOperation => with(with(json(202, json!({})), "location"), "azure-asyncoperation"),
        }
    }
}

struct Proxy {
    target: String,
    elsewhere: String,
    client: reqwest::Client,
    /// The number of the request whose answer is replaced, and the wrong answer.
    replaced: (usize, WrongAnswer),
    /// Whether the request with the replaced answer is carried out.
    carries_out: bool,
    requests: AtomicUsize,
}

async fn answer(State(proxy): State<Arc<Proxy>>, request: Request) -> Response {
    let number = proxy.requests.fetch_add(1, Ordering::Relaxed);
    let is_replaced = number == proxy.replaced.0;
    if is_replaced && !proxy.carries_out {
        return proxy.replaced.1.response(&proxy.elsewhere);
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap();
    let url = format!("{}{}", proxy.target, head.uri);
    // The headers are forwarded unchanged: the simulated services build their poll URLs from the `host` header.
    let passed =
        proxy.client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    if is_replaced {
        return proxy.replaced.1.response(&proxy.elsewhere);
    }
    let mut response = Response::builder().status(passed.status());
    for (name, value) in passed.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(passed.bytes().await.unwrap())).unwrap()
}

async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

/// The result of provisioning a tenant with one wrong answer.
struct Run {
    status: Status,
    /// The number of requests to Azure.
    requests: usize,
    /// The requests that went to another host, with their `authorization` header; there should be none.
    strays: Vec<String>,
    journal: Value,
    /// Why steps are blocked; there should be no such step.
    causes: Vec<String>,
}

/// Signs a tenant up and reconciles it at virtual time until its status is settled. The answer to request number `at`
/// is replaced.
async fn run(sample: &str, at: usize, answer_with: WrongAnswer, carries_out: bool) -> Run {
    let fixture = Fixture::new(Speed::Max).await;
    let strays = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&strays);
    let elsewhere = Router::new().fallback(async move |request: Request| {
        noted.lock().unwrap().push(format!("{} {:?}", request.uri(), request.headers().get("authorization")));
        "{}"
    });
    let (elsewhere, far) = serve(elsewhere).await;
    let proxy = Arc::new(Proxy {
        target: fixture.base().to_owned(),
        elsewhere,
        client: tenantry::azure::client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap(),
        replaced: (at, answer_with),
        carries_out,
        requests: AtomicUsize::new(0),
    });
    let (url, near) = serve(Router::new().fallback(answer).with_state(Arc::clone(&proxy))).await;
    let transport = HttpTransport::simulated(&url.parse().unwrap(), Duration::from_secs(30)).unwrap();
    let transport: Arc<dyn Transport> = Arc::new(transport);
    let ports = Ports { transport, ..fixture.ports.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup(sample).to_string();
    let taken = Fixture::intake(&ports, &blueprint).take_in(body.as_bytes()).await.unwrap();
    let id = taken.tenant_id.unwrap();
    let reconciler = Reconciler::new(ports.clone(), Settings::local("local"), "worker");
    let mut status = Status::Requested;
    for _ in 0..200 {
        match reconciler.reconcile(&id).await.unwrap() {
            Progress::Settled(settled) => {
                status = settled;
                break;
            }
            Progress::Requeued(until) | Progress::Held(until) => ports.clock.sleep_until(until).await,
            Progress::Unknown => panic!("the tenant is unknown"),
        }
    }
    let journal = fixture.sim("journal").await;
    far.abort();
    near.abort();
    let strays = strays.lock().unwrap().clone();
    let tenant = ports.store.load(&id).await.unwrap().unwrap().value;
    let causes = tenant.steps().iter().filter_map(|(name, step)| {
        let cause = step.state.blocked()?;
        Some(format!("{name}: {cause:?}"))
    });
    let causes = causes.collect();
    Run { status, requests: proxy.requests.load(Ordering::Relaxed), strays, journal, causes }
}

/// The stride of a thorough run, or the longer one of a quick run.
fn stride(thorough: usize, quick: usize) -> usize {
    if testkit::thorough() { thorough } else { quick }
}

/// Provisions a tenant once per wrong answer and `stride`th request. The request with the wrong answer is carried out
/// or not.
async fn survives(sample: &str, stride: usize, carries_out: bool) {
    let undisturbed = run(sample, usize::MAX, WrongAnswer::Html, true).await;
    assert_eq!(undisturbed.status, Status::Active);
    let mut tried = BTreeSet::new();
    for (number, wrong) in WRONG_ANSWERS.into_iter().enumerate() {
        for at in (number % stride..undisturbed.requests).step_by(stride) {
            let run = run(sample, at, wrong, carries_out).await;
            let case =
                format!("{wrong:?} as answer {at} of {}, carried out: {carries_out}", undisturbed.requests);
            assert_eq!(run.causes, Vec::<String>::new(), "{case}: {:#}", run.journal);
            assert_eq!(run.status, Status::Active, "{case}");
            assert_eq!(run.strays, Vec::<String>::new(), "{case}");
            nothing_was_made_twice(&run.journal, 1);
            tried.insert(at);
        }
    }
    assert!(
        tried.len() >= undisturbed.requests.min(WRONG_ANSWERS.len()),
        "only {} positions were tried",
        tried.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_tenant_survives_wrong_answers_to_requests_that_are_not_carried_out() {
    survives("contoso", stride(4, 12), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_tenant_survives_wrong_answers_to_requests_that_are_carried_out() {
    survives("contoso", stride(4, 12), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_tenant_survives_wrong_answers() {
    survives("tailspin", stride(1, 5), false).await;
    survives("tailspin", stride(1, 5), true).await;
}
