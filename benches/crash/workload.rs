//! Sends the requests of the crash test: each tenant is signed up, changed and deprovisioned, and signed up again, as
//! long as there are disruptions.

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
    process::{now, wait},
    testkit::{
        judge::{list, text},
        removal, request, signup,
    },
};

/// The run has failed if nothing happens for this long: longer than the longest back-off, which is five minutes, plus a
/// lease.
const TIMEOUT: Duration = Duration::from_secs(400);
/// How many of the tenants with an open request are printed in full after a failure.
const SHOWN: usize = 2;
/// The timeout of an HTTP call.
const CALL: Duration = Duration::from_secs(10);

/// The addresses of the functions and of the simulated Azure, which can change with each start.
pub(crate) struct Front {
    client: Client,
    api: Mutex<String>,
    sim: Mutex<String>,
    /// If there is one, every second request goes through this queue instead of HTTP.
    queue: Option<Queue>,
}

impl Front {
    pub(crate) fn new(queue: Option<Queue>) -> Self {
        let client = tenantry::azure::client::builder().timeout(CALL).no_proxy().build().unwrap();
        Self { client, api: Mutex::default(), sim: Mutex::default(), queue }
    }

    /// Clears the addresses until the program is started again.
    pub(crate) fn clear_address(&self) {
        self.set_address("", "");
    }

    pub(crate) fn set_address(&self, api: &str, sim: &str) {
        api.clone_into(&mut self.api.lock().unwrap());
        sim.clone_into(&mut self.sim.lock().unwrap());
    }

    /// The answer to a GET, as JSON; null for a 404, and `None` without a successful answer.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let url = format!("{}{path}", self.api.lock().unwrap());
        let answer = self.client.get(url).send().await.ok()?;
        if answer.status() == 404 {
            return Some(Value::Null);
        }
        answer.error_for_status().ok()?.json().await.ok()
    }

    /// Reads from the simulated Azure's own API (`/_sim/`). Repeats the call until it is answered, because a killed
    /// process takes a moment to start again.
    pub(crate) async fn sim(&self, what: &str) -> Value {
        let deadline = now() + TIMEOUT;
        loop {
            let url = format!("{}/_sim/{what}", self.sim.lock().unwrap());
            match self.client.get(url).timeout(CALL * 6).send().await {
                Ok(answer) => return answer.json().await.unwrap(),
                Err(error) => assert!(now() < deadline, "the simulated Azure does not answer: {error}"),
            }
            wait(Duration::from_millis(50)).await;
        }
    }

    /// Sends a task's request. Returns whether it was accepted; `false` without an answer. A refusal is an error.
    async fn hand_in(&self, task: &Task) -> Result<bool, String> {
        if let (Some(queue), true) = (&self.queue, task.number % 2 == 1) {
            let message = NewMessage {
                session_id: Some(text(&task.request, "/tenantId").to_owned()),
                body: task.request.to_string().into_bytes(),
                ..NewMessage::default()
            };
            return Ok(queue.send("tenant-requests", message, now()).await.is_ok());
        }
        let url = format!("{}/api/tenants", self.api.lock().unwrap());
        let body = task.request.to_string();
        let sent = self.client.post(url).header("content-type", "application/json").body(body).send().await;
        let Ok(answer) = sent else { return Ok(false) };
        match answer.status().as_u16() {
            // 200 is the answer to a request whose first answer was lost and that is fulfilled by now.
            200 | 202 => Ok(true),
            500.. => Ok(false),
            status => Err(format!("{status}: {}", answer.text().await.unwrap_or_default())),
        }
    }
}

/// A request about a tenant, with the status that it leads to, and its progress.
#[derive(Debug, Clone)]
struct Task {
    number: usize,
    request: Value,
    status: &'static str,
    taken: bool,
    fulfilled: bool,
}

/// The actions of the requests in one incarnation, in order.
const ACTIONS: [&str; 3] = ["signup", "update", "deprovision"];

impl Task {
    /// A tenant's task with this number, counted from 0 over all incarnations.
    fn new(tenant: &str, number: usize, pooled: bool) -> Self {
        let (incarnation, action) = (number / ACTIONS.len() + 1, ACTIONS[number % ACTIONS.len()]);
        let id = format!("{action}-{tenant}-{incarnation}");
        let request = match action {
            "signup" => {
                let mut spec = signup(if pooled { "tailspin" } else { "contoso" })["spec"].clone();
                spec["displayName"] = json!(format!("{tenant} {incarnation}"));
                request(&id, action, tenant, spec)
            }
            "update" => {
                let spec = json!({"displayName": format!("{tenant} {incarnation}, changed"), "tags": {"costcentre": "4712"}});
                request(&id, action, tenant, spec)
            }
            _ => removal(&id, tenant),
        };
        let status = if action == "deprovision" { "deleted" } else { "active" };
        Self { number, request, status, taken: false, fulfilled: false }
    }

    fn incarnation(&self) -> usize {
        self.number / ACTIONS.len() + 1
    }

    /// Whether a tenant, as the HTTP API shows it, is as the request asks, with nothing left to do.
    fn is_fulfilled_in(&self, shown: &Value) -> bool {
        text(shown, "/status") == self.status
            && shown["incarnation"] == json!(self.incarnation())
            && shown["operations"] == json!([])
            && shown["concluded"]["action"] == self.request["action"]
    }
}

/// A tenant of the crash test.
#[derive(Debug, Clone)]
pub(crate) struct TrialTenant {
    pub(crate) name: String,
    pub(crate) pooled: bool,
    /// A bystander is signed up before the first disruption, and gets no more requests.
    pub(crate) bystander: bool,
    /// How many of its tasks were fulfilled.
    pub(crate) fulfilled: usize,
    task: Task,
}

impl TrialTenant {
    /// How often the tenant was signed up.
    pub(crate) fn signups(&self) -> usize {
        self.task.incarnation()
    }

    pub(crate) fn status(&self) -> &'static str {
        self.task.status
    }

    fn next(&mut self) {
        self.task = Task::new(&self.name, self.task.number + 1, self.pooled);
    }
}

/// All tenants of the crash test. The task that sends requests and the one that disrupts share it.
pub(crate) struct Workload {
    all: Mutex<Vec<TrialTenant>>,
    /// Whether the current tasks are the last ones.
    last_request: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Workload {
    /// A workload with this many tenants of both tiers, and one bystander of each tier.
    pub(crate) fn new(tenants: usize) -> Self {
        let tenant = |name: String, pooled: bool, bystander: bool| {
            let task = Task::new(&name, 0, pooled);
            TrialTenant { name, pooled, bystander, fulfilled: 0, task }
        };
        let mut all = vec![
            tenant("bystander-dedicated".to_owned(), false, true),
            tenant("bystander-pooled".to_owned(), true, true),
        ];
        all.extend((0..tenants).map(|number| tenant(format!("tenant-{number:02}"), number % 4 != 0, false)));
        Self { all: Mutex::new(all), last_request: AtomicBool::new(false), failure: Mutex::default() }
    }

    pub(crate) fn all(&self) -> Vec<TrialTenant> {
        self.all.lock().unwrap().clone()
    }

    /// The tenants whose request was accepted and is not fulfilled.
    pub(crate) fn under_way(&self) -> Vec<String> {
        let all = self.all();
        let open = all.into_iter().filter(|tenant| tenant.task.taken && !tenant.task.fulfilled);
        open.map(|tenant| tenant.name).collect()
    }

    /// Ends the workload: from now on a tenant whose task is fulfilled gets no further one.
    pub(crate) fn come_to_rest(&self) {
        self.last_request.store(true, Ordering::SeqCst);
    }

    /// The failure after which the run can't continue, if there is one.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap().clone()
    }

    fn fail(&self, what: String) {
        self.failure.lock().unwrap().get_or_insert(what);
    }

    /// Signs up the bystanders and waits until they are active.
    pub(crate) async fn sign_up_bystanders(&self, front: &Front) {
        self.come_to_rest();
        self.pursue(front, |tenant| tenant.bystander).await;
        self.last_request.store(false, Ordering::SeqCst);
    }

    /// Sends requests about the tenants that are no bystanders, until the workload is ended and all tasks are
    /// fulfilled.
    pub(crate) async fn sign_up_and_change(&self, front: &Front) {
        self.pursue(front, |tenant| !tenant.bystander).await;
    }

    /// Deprovisions all tenants, and waits until they are deleted.
    pub(crate) async fn remove_all(&self, front: &Front) {
        self.come_to_rest();
        for tenant in self.all.lock().unwrap().iter_mut() {
            while tenant.task.status != "deleted" {
                tenant.next();
            }
        }
        self.pursue(front, |_| true).await;
    }

    async fn pursue(&self, front: &Front, whose: impl Fn(&TrialTenant) -> bool) {
        let mut progress = (0, now());
        loop {
            let chosen: Vec<TrialTenant> = self.all().into_iter().filter(&whose).collect();
            let done: usize =
                chosen.iter().map(|tenant| 2 * tenant.fulfilled + usize::from(tenant.task.taken)).sum();
            if done != progress.0 {
                progress = (done, now());
            }
            if now() > progress.1 + TIMEOUT {
                self.fail(self.open(front, &chosen).await);
            }
            let at_rest = self.last_request.load(Ordering::SeqCst);
            if self.failure().is_some() || (at_rest && chosen.iter().all(|tenant| tenant.task.fulfilled)) {
                return;
            }
            let tenants = front.get("/api/tenants?limit=200").await.unwrap_or_default();
            let shown = list(&tenants["tenants"]);
            join_all(chosen.iter().map(|tenant| self.attend(front, tenant, shown, at_rest))).await;
            wait(Duration::from_millis(50)).await;
        }
    }

    /// A report on the tenants whose task is not fulfilled, with details of some.
    async fn open(&self, front: &Front, chosen: &[TrialTenant]) -> String {
        let open: Vec<&TrialTenant> = chosen.iter().filter(|tenant| !tenant.task.fulfilled).collect();
        let names: Vec<&str> = open.iter().map(|tenant| tenant.name.as_str()).collect();
        let mut report = format!("nothing happened for {} s; open: {names:?}", TIMEOUT.as_secs());
        for tenant in open.iter().take(SHOWN) {
            for path in [String::new(), "?view=history&limit=20".to_owned()] {
                let shown = front.get(&format!("/api/tenants/{}{path}", tenant.name)).await;
                report += &format!("\n{:?}: {:#}", tenant.task, shown.unwrap_or_default());
            }
        }
        report
    }

    /// Advances a tenant by one step: sends its request, checks whether it is fulfilled, or takes the next task.
    async fn attend(&self, front: &Front, tenant: &TrialTenant, shown: &[Value], at_rest: bool) {
        let task = &tenant.task;
        let mut changed = tenant.clone();
        if task.fulfilled {
            if at_rest {
                return;
            }
            changed.next();
        } else if !task.taken {
            match front.hand_in(task).await {
                Ok(taken) => changed.task.taken = taken,
                Err(refusal) => self.fail(format!("{}: refused: {refusal}", task.request)),
            }
        } else {
            let brief = shown.iter().find(|one| text(one, "/tenantId") == tenant.name);
            let status = brief.map_or("", |brief| text(brief, "/status"));
            let ended = ["failed", "waiting"].contains(&status);
            if status != task.status && !ended {
                return;
            }
            let Some(shown) = front.get(&format!("/api/tenants/{}", tenant.name)).await else { return };
            if ended && shown["operations"] == json!([]) {
                self.fail(format!("{} is {status}: {shown:#}", tenant.name));
            }
            changed.task.fulfilled = task.is_fulfilled_in(&shown);
            changed.fulfilled += usize::from(changed.task.fulfilled);
        }
        let mut all = self.all.lock().unwrap();
        if let Some(one) = all.iter_mut().find(|one| one.name == tenant.name) {
            *one = changed;
        }
    }
}
