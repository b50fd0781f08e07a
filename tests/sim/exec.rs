//! The executor: runs all tasks in one thread at virtual time; the seed determines which task is next.
//!
//! Time moves only when no task can run at the present instant. A task belongs to a worker or to the scenario. All
//! tasks of a worker can be dropped, wherever they await (a kill), or suspended for a while (a pause).

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt::{self, Write as _},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Wake, Waker},
};

use super::rng::Rng;

/// Milliseconds of virtual time since the start of a run.
pub(crate) type Millis = i64;

/// The most polls of tasks in a run. A run of twenty minutes needs fewer; a run that reaches this never ends.
pub(crate) const MOST_POLLS: u64 = 400_000;

/// The owner of a task: one process of a worker, or 0 for the scenario. A restarted worker is another owner.
pub(crate) type Owner = usize;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    owner: Owner,
    /// The number of the tenant that the task works for, if known.
    about: Option<usize>,
    work: Option<Work>,
    waker: Waker,
    /// A number that no other task of the run has.
    serial: u64,
}

struct TaskWaker {
    task: usize,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut ready = self.ready.lock().unwrap();
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

struct Timer(Millis, u64, Waker);

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

#[derive(Default)]
struct OwnerState {
    paused: bool,
    dead: bool,
    /// Tasks that became ready while their worker was paused.
    lying: Vec<usize>,
}

struct Core {
    now: Millis,
    drawn: u64,
    timers: BinaryHeap<Reverse<Timer>>,
    tasks: Vec<Option<Task>>,
    free: Vec<usize>,
    owners: Vec<OwnerState>,
    rng: Rng,
    current: (Owner, Option<usize>),
    serials: u64,
    current_serial: u64,
    polls: u64,
    most_polls: u64,
    /// The hash of the trace; with `lines`, the trace is also kept as text.
    hash: u64,
    notes: u64,
    lines: Option<Vec<String>>,
}

/// The handle of the executor, which everything in a run shares.
pub(crate) struct Hub {
    core: Mutex<Core>,
    ready: Arc<Mutex<Vec<usize>>>,
}

impl Hub {
    pub(crate) fn new(seed: u64, with_lines: bool, most_polls: u64) -> Arc<Self> {
        Arc::new(Self {
            core: Mutex::new(Core {
                now: 0,
                drawn: 0,
                timers: BinaryHeap::new(),
                tasks: Vec::new(),
                free: Vec::new(),
                owners: vec![OwnerState::default()],
                rng: Rng::new(seed, 1),
                current: (0, None),
                serials: 0,
                current_serial: 0,
                polls: 0,
                most_polls,
                hash: 0xcbf2_9ce4_8422_2325,
                notes: 0,
                lines: with_lines.then(Vec::new),
            }),
            ready: Arc::default(),
        })
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap()
    }

    pub(crate) fn now(&self) -> Millis {
        self.core().now
    }

    /// A number for a new process of a worker.
    pub(crate) fn next_owner(&self) -> Owner {
        let mut core = self.core();
        core.owners.push(OwnerState::default());
        core.owners.len() - 1
    }

    pub(crate) fn spawn(
        &self,
        owner: Owner,
        about: Option<usize>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> usize {
        let mut core = self.core();
        let slot = core.free.pop().unwrap_or(core.tasks.len());
        let waker = Waker::from(Arc::new(TaskWaker { task: slot, ready: Arc::clone(&self.ready) }));
        core.serials += 1;
        let serial = core.serials;
        let task = Task { owner, about, work: Some(Box::pin(work)), waker: waker.clone(), serial };
        if slot == core.tasks.len() {
            core.tasks.push(Some(task));
        } else {
            core.tasks[slot] = Some(task);
        }
        drop(core);
        waker.wake();
        slot
    }

    /// Drops all tasks of a worker, as a crash does.
    pub(crate) fn kill(&self, owner: Owner) {
        let mut dropped = Vec::new();
        let mut core = self.core();
        core.owners[owner].dead = true;
        for slot in 0..core.tasks.len() {
            if core.tasks[slot].as_ref().is_some_and(|task| task.owner == owner) {
                // The task that is being polled now is dropped when its poll returns.
                if core.tasks[slot].as_ref().is_some_and(|task| task.work.is_some()) {
                    dropped.push(core.tasks[slot].take());
                    core.free.push(slot);
                }
            }
        }
        drop(core);
        drop(dropped);
    }

    /// Drops all tasks. They refer to the executor, so without this a run would never be freed.
    pub(crate) fn end(&self) {
        let tasks = std::mem::take(&mut self.core().tasks);
        drop(tasks);
    }

    pub(crate) fn pause(&self, owner: Owner) {
        self.core().owners[owner].paused = true;
    }

    pub(crate) fn resume(&self, owner: Owner) {
        let lying = {
            let mut core = self.core();
            core.owners[owner].paused = false;
            std::mem::take(&mut core.owners[owner].lying)
        };
        self.ready.lock().unwrap().extend(lying);
    }

    /// The owner of the running task, and the number of the tenant that the task works for.
    pub(crate) fn current(&self) -> (Owner, Option<usize>) {
        self.core().current
    }

    /// The number of the running task, which identifies an invocation.
    pub(crate) fn invocation(&self) -> u64 {
        self.core().current_serial
    }

    /// Whether the run has made so many polls that it will never end.
    pub(crate) fn is_endless(&self) -> bool {
        let core = self.core();
        core.polls > core.most_polls
    }

    /// Adds a line to the trace.
    pub(crate) fn note(&self, what: &str, detail: &dyn fmt::Display) {
        let mut core = self.core();
        core.notes += 1;
        let now = core.now;
        let owner = core.current.0;
        let mut hash = Hash(core.hash);
        hash.take(&now.to_le_bytes());
        let _ = write!(hash, "{what}{detail}");
        core.hash = hash.0;
        if let Some(lines) = &mut core.lines {
            let text = detail.to_string();
            lines.push(format!(
                "{:>4}:{:02}.{:03} w{owner:<2} {what:<10} {text}",
                now / 60_000,
                now / 1000 % 60,
                now % 1000
            ));
        }
    }

    /// The trace so far: its hash, the number of its lines, and the lines if they were requested.
    pub(crate) fn trace(&self) -> (u64, u64, Vec<String>) {
        let core = self.core();
        (core.hash ^ core.polls, core.notes, core.lines.clone().unwrap_or_default())
    }

    pub(crate) fn sleep(self: &Arc<Self>, span: Millis) -> Sleep {
        let at = self.now() + span.max(0);
        Sleep { hub: Arc::clone(self), at, registered: false }
    }

    pub(crate) fn sleep_until(self: &Arc<Self>, at: Millis) -> Sleep {
        Sleep { hub: Arc::clone(self), at, registered: false }
    }

    /// Runs until `end`, or until `done` returns true; `done` is called before each move of the time.
    pub(crate) fn run(&self, end: Millis, mut done: impl FnMut() -> bool) {
        loop {
            while let Some(slot) = self.choose() {
                self.poll(slot);
            }
            if done() || self.is_endless() {
                return;
            }
            let mut rung = Vec::new();
            {
                let mut core = self.core();
                let Some(Reverse(Timer(at, ..))) = core.timers.peek() else { return };
                let at = *at;
                if at > end {
                    core.now = end;
                    return;
                }
                core.now = core.now.max(at);
                while core.timers.peek().is_some_and(|Reverse(timer)| timer.0 <= at) {
                    rung.extend(core.timers.pop().map(|Reverse(timer)| timer.2));
                }
            }
            rung.into_iter().for_each(Waker::wake);
        }
    }

    /// A ready task, chosen at random by the seed. Tasks of paused workers are set aside.
    fn choose(&self) -> Option<usize> {
        let mut core = self.core();
        let mut ready = self.ready.lock().unwrap();
        while !ready.is_empty() {
            let index = usize::try_from(core.rng.below(ready.len() as u64)).unwrap_or(0);
            let slot = ready.swap_remove(index);
            let Some(owner) = core.tasks.get(slot).and_then(|task| Some(task.as_ref()?.owner)) else {
                continue;
            };
            if core.owners[owner].paused {
                if !core.owners[owner].lying.contains(&slot) {
                    core.owners[owner].lying.push(slot);
                }
                continue;
            }
            return Some(slot);
        }
        None
    }

    fn poll(&self, slot: usize) {
        let (mut work, waker) = {
            let mut core = self.core();
            let Some(task) = core.tasks[slot].as_mut() else { return };
            let Some(work) = task.work.take() else { return };
            let (waker, owner, about, serial) = (task.waker.clone(), task.owner, task.about, task.serial);
            core.current = (owner, about);
            core.current_serial = serial;
            core.polls += 1;
            (work, waker)
        };
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        let mut core = self.core();
        let owner = core.current.0;
        core.current = (0, None);
        if polled.is_ready() || core.owners[owner].dead {
            core.tasks[slot] = None;
            core.free.push(slot);
        } else if let Some(task) = core.tasks[slot].as_mut() {
            task.work = Some(work);
            return;
        }
        drop(core);
        drop(work);
    }
}

/// An FNV-1a hash of everything that is written to it.
struct Hash(u64);

impl Hash {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.take(text.as_bytes());
        Ok(())
    }
}

/// Waits for an instant of the virtual time, which no worker's clock skew changes.
pub(crate) struct Sleep {
    hub: Arc<Hub>,
    at: Millis,
    registered: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let mut core = self.hub.core();
        if core.now >= at {
            return Poll::Ready(());
        }
        if !self.registered {
            core.drawn += 1;
            let number = core.drawn;
            core.timers.push(Reverse(Timer(at, number, context.waker().clone())));
            drop(core);
            self.registered = true;
        }
        Poll::Pending
    }
}
