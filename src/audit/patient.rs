//! Questions asked again when they were not answered.
//!
//! A proof asks dozens of them, and one that stays open leaves it inconclusive. With one answer in ten lost, hardly any
//! proof would come about if each were asked once.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{
    engine::later,
    ports::{Clock, Wire, World},
    steps::{Failure, Method, Reply, Request, failure::classify},
    tenant::FailureClass,
};

/// How often a question is asked.
const TRIES: u32 = 4;
/// The first wait; each one is four times as long as the one before.
const FIRST: Duration = Duration::from_millis(250);
/// A service that wants more time than this is not waited for here.
const LONGEST: Duration = Duration::from_secs(10);

/// A wire for reading that has patience.
pub(super) struct Patient<'a> {
    wire: &'a dyn Wire,
    clock: &'a dyn Clock,
}

impl<'a> Patient<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { wire: world.wire.as_ref(), clock: world.clock.as_ref() }
    }

    async fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let mut wait = FIRST;
        for _ in 1..TRIES {
            let answer = self.wire.send(request.clone()).await;
            let Some(asked_for) = unanswered(&request, &answer) else { return answer };
            let pause = asked_for.unwrap_or(wait);
            if pause > LONGEST {
                return answer;
            }
            self.clock.sleep_until(later(self.clock.now(), pause)).await;
            wait *= 4;
        }
        self.wire.send(request).await
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
        | FailureClass::Permanent => None,
    }
}

impl Wire for Patient<'_> {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Reply, Failure>> {
        Box::pin(self.ask(request))
    }
}
