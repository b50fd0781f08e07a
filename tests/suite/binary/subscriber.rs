//! `tenantry local --subscriber`: what a webhook on this machine gets from the simulated Event Grid.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    routing::any,
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::program::{run, tenantry};
use crate::testkit::{folder, judge::text, repository};

/// A webhook that gives scripted answers, and records its requests.
#[derive(Clone)]
struct Webhook {
    url: String,
    /// The origins that the answers to `OPTIONS` allow, in order (empty: none); the last one is repeated.
    allows: Arc<Mutex<VecDeque<&'static str>>>,
    /// The statuses of the answers to deliveries, in order; then 200.
    answers: Arc<Mutex<VecDeque<u16>>>,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
    got: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

impl Webhook {
    async fn start(allows: &[&'static str], answers: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhook = Self {
            url: format!("http://{}/hook?code=k", listener.local_addr().unwrap()),
            allows: Arc::new(Mutex::new(allows.iter().copied().collect())),
            answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
            asked: Arc::default(),
            got: Arc::default(),
        };
        let app = Router::new().route("/hook", any(answer)).with_state(webhook.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        webhook
    }

    fn ids(&self) -> Vec<String> {
        self.got.lock().unwrap().iter().map(|(_, event)| text(event, "/id").to_owned()).collect()
    }
}

async fn answer(
    State(webhook): State<Webhook>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let mut answer = HeaderMap::new();
    if method == Method::OPTIONS {
        webhook.asked.lock().unwrap().push(headers);
        let mut allows = webhook.allows.lock().unwrap();
        let allowed = if allows.len() > 1 { allows.pop_front() } else { allows.front().copied() };
        if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) {
            answer.insert("webhook-allowed-origin", allowed.parse().unwrap());
        }
        return (StatusCode::OK, answer);
    }
    webhook.got.lock().unwrap().push((headers, serde_json::from_slice(&body).unwrap()));
    let status = webhook.answers.lock().unwrap().pop_front().unwrap_or(200);
    (StatusCode::from_u16(status).unwrap(), answer)
}

/// Signs one tenant up in `tenantry local`; returns the result of the run.
async fn play(folder: &Path, sample: &str, more: &[&str]) -> super::program::Run {
    let arguments = ["local", "--data", "data", "--port", "0", "--speed", "max"];
    let mut command = tenantry(folder, &arguments);
    command.args(more).arg(repository().join(format!("examples/signups/{sample}.json")));
    run(command).await
}

#[tokio::test]
async fn events_are_delivered_after_the_handshake_as_event_grid_does_it() {
    let folder = folder();
    let webhook = Webhook::start(&["", "someone.example", "eventgrid.azure.net"], &[]).await;
    let ended = play(folder.path(), "tailspin", &["--subscriber", &webhook.url]).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let asked = webhook.asked.lock().unwrap();
    assert_eq!(asked.len(), 3, "asked again until it was granted");
    assert!(asked.iter().all(|headers| headers["webhook-request-origin"] == "eventgrid.azure.net"));
    assert!(!ended.err.contains("code=k"), "{ended:#?}");
    let got = webhook.got.lock().unwrap();
    let (headers, first) = &got[0];
    assert_eq!(headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert_eq!(headers["aeg-event-type"], "Notification");
    assert_eq!(headers["aeg-delivery-count"], "0");
    assert_eq!(text(first, "/type"), "io.tenantry.tenant.request.accepted.v1");
    let (_, last) = got.last().unwrap();
    assert_eq!(text(last, "/type"), "io.tenantry.tenant.provision.succeeded.v1");
}

#[tokio::test]
async fn a_failed_delivery_is_retried_unless_the_answer_is_final() {
    let folder = folder();
    let webhook = Webhook::start(&["*"], &[500, 404, 503, 204, 400, 403]).await;
    let ended = play(folder.path(), "tailspin", &["--subscriber", &webhook.url]).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let got = webhook.got.lock().unwrap();
    let count =
        |at: usize| (text(&got[at].1, "/sequence"), got[at].0["aeg-delivery-count"].to_str().unwrap());
    let first: Vec<_> = (0..4).map(count).collect();
    let one = "00000000000000000001";
    assert_eq!(first, [(one, "0"), (one, "1"), (one, "2"), (one, "3")], "an event, until it is accepted");
    let rest: Vec<_> = (4..got.len()).map(|at| count(at).1).collect();
    assert!(rest.iter().all(|count| *count == "0"), "no retry after 400 and 403: {rest:?}");
    assert_eq!(ended.err.matches("is given up after 1 attempts").count(), 2, "{ended:#?}");
}

#[tokio::test]
async fn each_event_comes_once_in_all_runs_and_a_new_webhook_gets_no_earlier_events() {
    let folder = folder();
    play(folder.path(), "tailspin", &[]).await;
    let webhook = Webhook::start(&["*"], &[]).await;
    for sample in ["contoso", "fabrikam"] {
        play(folder.path(), sample, &["--subscriber", &webhook.url]).await;
    }
    let mut ids = webhook.ids();
    let delivered = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), delivered, "none twice");
    let got = webhook.got.lock().unwrap();
    assert!(got.iter().all(|(_, event)| text(event, "/tenantid") != "tailspin"), "{got:#?}");
    let ready = got.iter().filter(|(_, event)| text(event, "/type").ends_with("provision.succeeded.v1"));
    assert_eq!(ready.count(), 2);
}

#[tokio::test]
async fn with_repeat_events_each_event_arrives_twice_and_out_of_order() {
    let folder = folder();
    let webhook = Webhook::start(&["*"], &[]).await;
    play(folder.path(), "tailspin", &["--subscriber", &webhook.url, "--repeat-events"]).await;
    // The program may end before the last events are repeated, but not before the first two are.
    let ids = webhook.ids();
    let count = |id: &String| ids.iter().filter(|other| *other == id).count();
    assert_eq!((count(&ids[0]), count(&ids[1])), (2, 2), "{ids:?}");
    let sequence = |id: &String| id.rsplit('/').next().unwrap().parse::<u32>().unwrap();
    let order: Vec<u32> = ids.iter().map(sequence).collect();
    assert!(order.windows(2).any(|pair| pair[0] > pair[1]), "{order:?}");
}

#[tokio::test]
async fn an_unavailable_webhook_is_reported_and_gets_the_rest_in_the_next_run() {
    let folder = folder();
    let webhook = Webhook::start(&[""], &[]).await;
    let ended = play(folder.path(), "tailspin", &["--subscriber", &webhook.url]).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("HTTP 200 without WebHook-Allowed-Origin"), "{ended:#?}");
    assert!(ended.err.contains("the rest is delivered in the next run"), "{ended:#?}");
    assert_eq!(webhook.ids(), [""; 0], "nothing before the handshake is granted");
    webhook.allows.lock().unwrap().push_front("eventgrid.azure.net");
    webhook.allows.lock().unwrap().truncate(1);
    play(folder.path(), "tailspin", &["--subscriber", &webhook.url]).await;
    let got = webhook.got.lock().unwrap();
    assert_eq!(text(&got[0].1, "/type"), "io.tenantry.tenant.request.accepted.v1");
}

#[tokio::test]
async fn only_webhooks_on_this_machine_are_accepted() {
    let folder = folder();
    for url in ["https://127.0.0.1/hook", "http://192.0.2.1/hook", "hook"] {
        let run = run(tenantry(folder.path(), &["local", "--port", "0", "--subscriber", url])).await;
        assert_eq!(run.code, Some(2), "{url}: {run:#?}");
        assert!(run.err.contains(url) && run.err.contains("http://127.0.0.1:8090/events"), "{run:#?}");
    }
}
