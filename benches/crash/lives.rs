//! What is wished for the tenants: each is signed up, changed and removed, and signed up anew, for as long as blows are
//! dealt.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use azure_sim::queue::{NewMessage, Queue};
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use crate::{
    process::{now, pass},
    testkit::{
        judge::{list, text},
        removal, request, signup,
    },
};

/// How long nothing at all may come about before everything is taken for lost: longer than the longest back-off, which is
/// five minutes, and a lease.
const PATIENCE: Duration = Duration::from_secs(400);
/// Of how many that are open all is told.
const TOLD: usize = 2;
/// How long a call may take.
const CALL: Duration = Duration::from_secs(10);

/// Where the functions are reached; another place after some starts.
pub(crate) struct Front {
    client: Client,
    api: Mutex<String>,
    sim: Mutex<String>,
    /// Where there is a way to it, every other request goes through the queue.
    queue: Option<Queue>,
}

impl Front {
    pub(crate) fn new(queue: Option<Queue>) -> Self {
        let client = Client::builder().timeout(CALL).no_proxy().build().unwrap();
        Self { client, api: Mutex::default(), sim: Mutex::default(), queue }
    }

    /// Nobody is reached until it is said where.
    pub(crate) fn is_gone(&self) {
        self.is_at("", "");
    }

    pub(crate) fn is_at(&self, api: &str, sim: &str) {
        api.clone_into(&mut self.api.lock().unwrap());
        sim.clone_into(&mut self.sim.lock().unwrap());
    }

    /// What a function answers, or none if it does not.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.api.lock().unwrap());
        let answer = self.client.get(url).send().await.ok()?;
        if answer.status() == 404 {
            return Some(Value::Null);
        }
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// The simulated Azure's own window; after a kill it takes a moment until it is there again.
    pub(crate) async fn sim(&self, what: &str) -> Value {
        let deadline = now() + PATIENCE;
        loop {
            let url = format!("{}/_sim/{what}", self.sim.lock().unwrap());
            match self.client.get(url).timeout(CALL * 6).send().await {
                Ok(answer) => return answer.json().await.unwrap(),
                Err(error) => assert!(now() < deadline, "the simulated Azure does not answer: {error}"),
            }
            pass(Duration::from_millis(50)).await;
        }
    }

    /// Hands a request in; whether it was taken. A refusal is an error.
    async fn hand_in(&self, wish: &Wish) -> Result<bool, String> {
        if let (Some(queue), true) = (&self.queue, wish.number % 2 == 1) {
            let message = NewMessage {
                session_id: Some(text(&wish.request, "/tenantId").to_owned()),
                body: wish.request.to_string().into_bytes(),
                ..NewMessage::default()
            };
            return Ok(queue.send("tenant-requests", message, now()).await.is_ok());
        }
        let url = format!("{}/api/tenants", self.api.lock().unwrap());
        let body = wish.request.to_string();
        let sent = self.client.post(url).header("content-type", "application/json").body(body).send().await;
        let Ok(answer) = sent else { return Ok(false) };
        match answer.status().as_u16() {
            // 200 is the answer to one whose first answer was lost and that is fulfilled by now.
            200 | 202 => Ok(true),
            500.. => Ok(false),
            status => Err(format!("{status}: {}", answer.text().await.unwrap_or_default())),
        }
    }
}

/// One request and what it is to lead to.
#[derive(Debug, Clone)]
struct Wish {
    number: usize,
    request: Value,
    status: &'static str,
    taken: bool,
    fulfilled: bool,
}

/// The actions of a life, in turn.
const ACTIONS: [&str; 3] = ["signup", "update", "deprovision"];

impl Wish {
    /// A tenant's n-th wish.
    fn new(tenant: &str, number: usize, pooled: bool) -> Self {
        let (life, action) = (number / ACTIONS.len() + 1, ACTIONS[number % ACTIONS.len()]);
        let id = format!("{action}-{tenant}-{life}");
        let request = match action {
            "signup" => {
                let mut spec = signup(if pooled { "tailspin" } else { "contoso" })["spec"].clone();
                spec["displayName"] = json!(format!("{tenant} {life}"));
                request(&id, action, tenant, spec)
            }
            "update" => {
                let spec = json!({"displayName": format!("{tenant} {life}, changed"), "tags": {"costcentre": "4712"}});
                request(&id, action, tenant, spec)
            }
            _ => removal(&id, tenant),
        };
        let status = if action == "deprovision" { "deleted" } else { "active" };
        Self { number, request, status, taken: false, fulfilled: false }
    }

    fn life(&self) -> usize {
        self.number / ACTIONS.len() + 1
    }

    /// Whether a tenant, as it is shown, is as wished.
    fn is_fulfilled_in(&self, shown: &Value) -> bool {
        text(shown, "/status") == self.status
            && shown["incarnation"] == json!(self.life())
            && shown["operations"] == json!([])
            && shown["concluded"]["action"] == self.request["action"]
    }
}

/// A tenant of the run.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) name: String,
    pub(crate) pooled: bool,
    /// A bystander is signed up before the first blow, and nothing is asked for it any more.
    pub(crate) bystander: bool,
    /// How many of its wishes were fulfilled.
    pub(crate) fulfilled: usize,
    wish: Wish,
}

impl Life {
    /// How often it was signed up.
    pub(crate) fn signups(&self) -> usize {
        self.wish.life()
    }

    pub(crate) fn status(&self) -> &'static str {
        self.wish.status
    }

    fn next(&mut self) {
        self.wish = Wish::new(&self.name, self.wish.number + 1, self.pooled);
    }
}

/// All tenants, seen by the one who wishes and by the one who deals blows.
pub(crate) struct Lives {
    all: Mutex<Vec<Life>>,
    /// No wish follows on the present one.
    last_wish: AtomicBool,
    complaint: Mutex<Option<String>>,
}

impl Lives {
    /// Tenants of both tiers, and a bystander of each.
    pub(crate) fn new(tenants: usize) -> Self {
        let life = |name: String, pooled: bool, bystander: bool| {
            let wish = Wish::new(&name, 0, pooled);
            Life { name, pooled, bystander, fulfilled: 0, wish }
        };
        let mut all = vec![
            life("bystander-dedicated".to_owned(), false, true),
            life("bystander-pooled".to_owned(), true, true),
        ];
        all.extend((0..tenants).map(|number| life(format!("tenant-{number:02}"), number % 4 != 0, false)));
        Self { all: Mutex::new(all), last_wish: AtomicBool::new(false), complaint: Mutex::default() }
    }

    pub(crate) fn all(&self) -> Vec<Life> {
        self.all.lock().unwrap().clone()
    }

    /// Those whose wish was taken and is not fulfilled.
    pub(crate) fn under_way(&self) -> Vec<String> {
        let all = self.all();
        let open = all.into_iter().filter(|life| life.wish.taken && !life.wish.fulfilled);
        open.map(|life| life.name).collect()
    }

    /// From now on no wish follows on a fulfilled one.
    pub(crate) fn come_to_rest(&self) {
        self.last_wish.store(true, Ordering::SeqCst);
    }

    /// What went so wrong that there was no going on.
    pub(crate) fn complaint(&self) -> Option<String> {
        self.complaint.lock().unwrap().clone()
    }

    fn complain(&self, what: String) {
        self.complaint.lock().unwrap().get_or_insert(what);
    }

    /// Wishes the bystanders into being and waits for them.
    pub(crate) async fn place_bystanders(&self, front: &Front) {
        self.come_to_rest();
        self.pursue(front, |life| life.bystander).await;
        self.last_wish.store(false, Ordering::SeqCst);
    }

    /// Wishes and looks until all have come to rest.
    pub(crate) async fn live(&self, front: &Front) {
        self.pursue(front, |life| !life.bystander).await;
    }

    /// Has everybody removed who is not.
    pub(crate) async fn remove_all(&self, front: &Front) {
        self.come_to_rest();
        for life in self.all.lock().unwrap().iter_mut() {
            while life.wish.status != "deleted" {
                life.next();
            }
        }
        self.pursue(front, |_| true).await;
    }

    async fn pursue(&self, front: &Front, whose: impl Fn(&Life) -> bool) {
        let mut progress = (0, now());
        loop {
            let chosen: Vec<Life> = self.all().into_iter().filter(&whose).collect();
            let done: usize =
                chosen.iter().map(|life| 2 * life.fulfilled + usize::from(life.wish.taken)).sum();
            if done != progress.0 {
                progress = (done, now());
            }
            if now() > progress.1 + PATIENCE {
                self.complain(self.open(front, &chosen).await);
            }
            let at_rest = self.last_wish.load(Ordering::SeqCst);
            if self.complaint().is_some() || (at_rest && chosen.iter().all(|life| life.wish.fulfilled)) {
                return;
            }
            let tenants = front.get("/api/tenants?limit=200").await.unwrap_or_default();
            let shown = list(&tenants["tenants"]);
            join_all(chosen.iter().map(|life| self.attend(front, life, shown, at_rest))).await;
            pass(Duration::from_millis(50)).await;
        }
    }

    /// What is open, and all that is to be known of some of it.
    async fn open(&self, front: &Front, chosen: &[Life]) -> String {
        let open: Vec<&Life> = chosen.iter().filter(|life| !life.wish.fulfilled).collect();
        let names: Vec<&str> = open.iter().map(|life| life.name.as_str()).collect();
        let mut told = format!("nothing came about for {} s; open: {names:?}", PATIENCE.as_secs());
        for life in open.iter().take(TOLD) {
            for path in [String::new(), "?view=history&limit=20".to_owned()] {
                let shown = front.get(&format!("/api/tenants/{}{path}", life.name)).await;
                told += &format!("\n{:?}: {:#}", life.wish, shown.unwrap_or_default());
            }
        }
        told
    }

    /// Brings one tenant's wish forward by a step.
    async fn attend(&self, front: &Front, life: &Life, shown: &[Value], at_rest: bool) {
        let wish = &life.wish;
        let mut changed = life.clone();
        if wish.fulfilled {
            if at_rest {
                return;
            }
            changed.next();
        } else if !wish.taken {
            match front.hand_in(wish).await {
                Ok(taken) => changed.wish.taken = taken,
                Err(refusal) => self.complain(format!("{}: refused: {refusal}", wish.request)),
            }
        } else {
            let brief = shown.iter().find(|tenant| text(tenant, "/tenantId") == life.name);
            let status = brief.map_or("", |brief| text(brief, "/status"));
            let ended = ["failed", "waiting"].contains(&status);
            if status != wish.status && !ended {
                return;
            }
            let Some(shown) = front.get(&format!("/api/tenants/{}", life.name)).await else { return };
            if ended && shown["operations"] == json!([]) {
                self.complain(format!("{} is {status}: {shown:#}", life.name));
            }
            changed.wish.fulfilled = wish.is_fulfilled_in(&shown);
            changed.fulfilled += usize::from(changed.wish.fulfilled);
        }
        let mut all = self.all.lock().unwrap();
        if let Some(one) = all.iter_mut().find(|one| one.name == life.name) {
            *one = changed;
        }
    }
}
