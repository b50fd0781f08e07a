//! Bad answers, one at every place of a tenant's life: whatever Azure (or who stands in its place) answers instead of
//! the truth, the tenant gets ready, nothing is made twice, and no request and no token goes to another host.
//!
//! A liar stands between the production wire and the simulated Azure. It counts requests, and replaces the answer of
//! one of them; what was asked for may have been carried out before the lie.

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
    azure::wire::HttpWire,
    ports::{Wire, World},
    reconciler::{Progress, Reconciler, Settings},
};
use tenantry_core::{
    blueprint::{Blueprint, DEFAULT},
    tenant::Status,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::testkit::{self, judge::nothing_was_made_twice, lab::Lab, signup};

/// What is answered instead.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// A sign-in page of some gateway.
    Html,
    /// A success that holds an error.
    ErrorInside,
    /// More than anybody reads.
    Flood,
    /// Somebody else's resource, with our marks missing and another id.
    OtherId,
    /// A list that goes on at another host.
    ForeignNext,
    /// A redirect to another host.
    Redirect,
    /// A long-running operation at another host, in plain http.
    ForeignOperation,
}

const LIES: [Lie; 7] = [
    Lie::Html,
    Lie::ErrorInside,
    Lie::Flood,
    Lie::OtherId,
    Lie::ForeignNext,
    Lie::Redirect,
    Lie::ForeignOperation,
];

impl Lie {
    fn told(self, elsewhere: &str) -> Response {
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

struct Liar {
    target: String,
    elsewhere: String,
    client: reqwest::Client,
    /// Which request is lied about, by number, and how.
    lie: (usize, Lie),
    /// Whether what was asked for is carried out all the same.
    carries_out: bool,
    asked: AtomicUsize,
}

async fn answer(State(liar): State<Arc<Liar>>, request: Request) -> Response {
    let number = liar.asked.fetch_add(1, Ordering::Relaxed);
    let lies = number == liar.lie.0;
    if lies && !liar.carries_out {
        return liar.lie.1.told(&liar.elsewhere);
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 4 << 20).await.unwrap();
    let url = format!("{}{}", liar.target, head.uri);
    // With the headers as they came: the services give their poll URLs out under the host that they were called at.
    let passed = liar.client.request(head.method, url).headers(head.headers).body(body).send().await.unwrap();
    if lies {
        return liar.lie.1.told(&liar.elsewhere);
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

/// What a life with one lie came to.
struct Life {
    status: Status,
    /// How many requests there were.
    asked: usize,
    /// What went to the other host.
    strays: Vec<String>,
    journal: Value,
    /// Why steps are blocked, of which there should be none.
    causes: Vec<String>,
}

/// Signs a tenant up and drives it, at virtual time, until nothing more happens.
async fn live(sample: &str, at: usize, lie: Lie, carries_out: bool) -> Life {
    let lab = Lab::new(Speed::Max).await;
    let strays = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&strays);
    let elsewhere = Router::new().fallback(async move |request: Request| {
        noted.lock().unwrap().push(format!("{} {:?}", request.uri(), request.headers().get("authorization")));
        "{}"
    });
    let (elsewhere, far) = serve(elsewhere).await;
    let liar = Arc::new(Liar {
        target: lab.base().to_owned(),
        elsewhere,
        client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
        lie: (at, lie),
        carries_out,
        asked: AtomicUsize::new(0),
    });
    let (url, near) = serve(Router::new().fallback(answer).with_state(Arc::clone(&liar))).await;
    let wire = HttpWire::simulated(&url.parse().unwrap(), Duration::from_secs(30)).unwrap();
    let wire: Arc<dyn Wire> = Arc::new(wire);
    let world = World { wire, ..lab.world.clone() };
    let blueprint = Blueprint::check(DEFAULT).unwrap().blueprint;
    let body = signup(sample).to_string();
    let taken = Lab::intake(&world, &blueprint).take_in(body.as_bytes()).await.unwrap();
    let id = taken.tenant_id.unwrap();
    let reconciler = Reconciler::new(world.clone(), Settings::local("local"), "lied-to");
    let mut status = Status::Requested;
    for _ in 0..200 {
        match reconciler.reconcile(&id).await.unwrap() {
            Progress::Settled(settled) => {
                status = settled;
                break;
            }
            Progress::Parked(until) | Progress::Held(until) => world.clock.sleep_until(until).await,
            Progress::Unknown => panic!("the tenant is gone"),
        }
    }
    let journal = lab.sim("journal").await;
    far.abort();
    near.abort();
    let strays = strays.lock().unwrap().clone();
    let tenant = world.store.load(&id).await.unwrap().unwrap().value;
    let causes = tenant.steps().iter().filter_map(|(name, step)| {
        let cause = step.state.halted()?;
        Some(format!("{name}: {cause:?}"))
    });
    let causes = causes.collect();
    Life { status, asked: liar.asked.load(Ordering::Relaxed), strays, journal, causes }
}

/// The same places each night, and a third or a fifth of them for each change.
fn stride(thorough: usize, quick: usize) -> usize {
    if testkit::thorough() { thorough } else { quick }
}

/// Every lie at every `stride`th place, before or after what was asked for is carried out.
async fn survives(sample: &str, stride: usize, carries_out: bool) {
    let truth = live(sample, usize::MAX, Lie::Html, true).await;
    assert_eq!(truth.status, Status::Active);
    let mut told = BTreeSet::new();
    for (number, lie) in LIES.into_iter().enumerate() {
        for at in (number % stride..truth.asked).step_by(stride) {
            let life = live(sample, at, lie, carries_out).await;
            let place = format!("{lie:?} in answer {at} of {}, carried out: {carries_out}", truth.asked);
            assert_eq!(life.causes, Vec::<String>::new(), "{place}: {:#}", life.journal);
            assert_eq!(life.status, Status::Active, "{place}");
            assert_eq!(life.strays, Vec::<String>::new(), "{place}");
            nothing_was_made_twice(&life.journal, 1);
            told.insert(at);
        }
    }
    assert!(told.len() >= truth.asked.min(LIES.len()), "there were lies all along");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_tenant_survives_lies_instead_of_deeds() {
    survives("contoso", stride(4, 12), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedicated_tenant_survives_lies_about_deeds() {
    survives("contoso", stride(4, 12), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_tenant_survives_lies() {
    survives("tailspin", stride(1, 5), false).await;
    survives("tailspin", stride(1, 5), true).await;
}
