//! Questions asked again when they were not answered.
//!
//! A proof asks dozens of them, and one that stays open leaves it inconclusive. With one answer in ten lost, hardly any
//! proof would come about if each were asked once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tenantry_core::{
    isolation::ProbeTarget,
    steps::{Failure, Method, Reply, Request, failure::classify},
    tenant::FailureClass,
    time::later,
};

use crate::ports::{Clock, Credential, NoToken, ProbeToken, Prober, Scored, TokenFor, Wire, World};

/// How often a question is asked.
const TRIES: u32 = 4;
/// How often a service is called: a call that waits may cost ten seconds.
const CALLS: u32 = 3;
/// The first wait; each one is four times as long as the one before.
const FIRST: Duration = Duration::from_millis(250);
/// A service that wants more time than this is not waited for here.
const LONGEST: Duration = Duration::from_secs(10);

/// A wire for reading that has patience.
pub(super) struct Patient<'a> {
    wire: &'a dyn Wire,
    clock: &'a dyn Clock,
    put_off: AtomicU64,
}

impl<'a> Patient<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { wire: world.wire.as_ref(), clock: world.clock.as_ref(), put_off: AtomicU64::new(0) }
    }

    /// How long a service that was given up wants to be left alone, if one said so.
    pub(super) fn put_off(&self) -> Option<Duration> {
        let seconds = self.put_off.load(Ordering::Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let (mut wait, mut tries) = (FIRST, 0);
        loop {
            let answer = self.wire.send(request.clone()).await;
            let Some(asked_for) = unanswered(&request, &answer) else { return answer };
            let pause = asked_for.unwrap_or(wait);
            tries += 1;
            if tries == TRIES || pause > LONGEST {
                // A part of a second is waited for whole.
                let whole = |asked: Duration| asked.as_secs() + u64::from(asked.subsec_nanos() > 0);
                let seconds = asked_for.map_or(0, whole);
                self.put_off.fetch_max(seconds, Ordering::Relaxed);
                return answer;
            }
            self.clock.sleep_until(later(self.clock.now(), pause)).await;
            wait *= 4;
        }
    }
}

/// Whether asking again may help; with how long the service wants to be left alone, if it says so.
fn unanswered(request: &Request, answer: &Result<Reply, Failure>) -> Option<Option<Duration>> {
    if request.method != Method::Get {
        return None;
    }
    let failure = match answer {
        Ok(reply) if reply.is_success() || reply.status == 404 => return None,
        Ok(reply) => &classify(reply),
        Err(failure) => failure,
    };
    match failure.cause.class {
        FailureClass::Transient | FailureClass::Ambiguous | FailureClass::Throttled => {
            Some(failure.retry_after)
        }
        FailureClass::ReplicationLag
        | FailureClass::Wait
        | FailureClass::NeedsProvider
        | FailureClass::NameHeld
        | FailureClass::Foreign
        | FailureClass::Quota
        | FailureClass::Denied
        | FailureClass::Unknown
        | FailureClass::NeedsConsent
        | FailureClass::Permanent => None,
    }
}

/// Calls to services made again when they were not answered, or when the service was not itself.
pub(super) struct PatientProber<'a> {
    prober: &'a dyn Prober,
    clock: &'a dyn Clock,
}

impl<'a> PatientProber<'a> {
    pub(super) fn new(prober: &'a dyn Prober, clock: &'a dyn Clock) -> Self {
        Self { prober, clock }
    }

    /// Asks a few times, until an answer will do.
    async fn until<T, E, F>(&self, will_do: fn(&Result<T, E>) -> bool, ask: impl Fn() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let mut wait = FIRST;
        for _ in 1..CALLS {
            let answer = ask().await;
            if will_do(&answer) {
                return answer;
            }
            self.clock.sleep_until(later(self.clock.now(), wait)).await;
            wait *= 4;
        }
        ask().await
    }
}

impl Prober for PatientProber<'_> {
    fn place(&self) -> &str {
        self.prober.place()
    }

    fn token<'a>(
        &'a self,
        of: &'a ProbeTarget,
        is_for: TokenFor,
    ) -> BoxFuture<'a, Result<ProbeToken, NoToken>> {
        let will_do = |answer: &Result<ProbeToken, NoToken>| !matches!(answer, Err(NoToken::Other(_)));
        Box::pin(self.until(will_do, move || self.prober.token(of, is_for)))
    }

    fn call<'a>(
        &'a self,
        target: &'a ProbeTarget,
        with: &'a Credential,
    ) -> BoxFuture<'a, Result<Scored, String>> {
        let will_do = |answer: &Result<Scored, String>| {
            answer.as_ref().is_ok_and(|scored| scored.status != 429 && scored.status < 500)
        };
        Box::pin(self.until(will_do, move || self.prober.call(target, with)))
    }
}

impl Wire for Patient<'_> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.ask(request))
    }
}
