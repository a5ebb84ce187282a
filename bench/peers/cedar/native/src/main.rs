// SPDX-License-Identifier: Apache-2.0
//! Cedar's engine itself among the peers of the policy benchmark: policies, requests and entities are built
//! beforehand, and only Authorizer::is_authorized is timed. `cedar-peer FOLDER` reads what
//! `node peer.js --write FOLDER` wrote. The conversation is that of bench/policy_peer.c.

use cedar_policy::{get_sdk_version, Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::{json, Value};
use std::error::Error;
use std::io::{stdin, BufRead};
use std::time::{Duration, Instant};

const LEAST: usize = 5; // evaluations of a round

struct Call {
    request: Request,
    entities: Entities,
    allows: bool,
}

struct Peer {
    authorizer: Authorizer,
    policies: PolicySet,
    calls: Vec<Call>,
    checked: usize,
}

fn read_call(line: &str) -> Result<Call, Box<dyn Error>> {
    let whole: Value = serde_json::from_str(line)?;
    let call = &whole["call"];
    let uid = |key: &str| EntityUid::from_json(call[key].clone());
    let context = Context::from_json_value(call["context"].clone(), None)?;
    Ok(Call {
        request: Request::new(uid("principal")?, uid("action")?, uid("resource")?, context, None)?,
        entities: Entities::from_json_value(call["entities"].clone(), None)?,
        allows: whole["allows"] == true,
    })
}

impl Peer {
    fn allows(&self, call: &Call) -> bool {
        self.authorizer
            .is_authorized(&call.request, &self.policies, &call.entities)
            .decision()
            == Decision::Allow
    }

    fn check(&mut self, limit: Duration) -> Value {
        let start = Instant::now();
        let mut wrong = Vec::new();
        self.checked = 0;
        for (i, call) in self.calls.iter().enumerate() {
            if start.elapsed() > limit {
                break;
            }
            if self.allows(call) != call.allows {
                wrong.push(i + 1);
            }
            self.checked = i + 1;
        }
        json!({"checked": self.checked, "wrong": wrong})
    }

    fn round(&self, allowed: bool, limit: Duration) -> Value {
        let calls: Vec<&Call> = self.calls[..self.checked]
            .iter()
            .filter(|call| call.allows == allowed)
            .collect();
        let start = Instant::now();
        let mut samples = Vec::new();
        for call in calls.iter().cycle() {
            if samples.len() >= LEAST && start.elapsed() > limit {
                break;
            }
            let from = Instant::now();
            std::hint::black_box(self.allows(call));
            samples.push(from.elapsed().as_nanos() as u64);
        }
        samples.sort_unstable();
        let quantile = |percent: usize| samples[(samples.len() - 1) * percent / 100];
        json!({"p50_ns": quantile(50), "p99_ns": quantile(99), "count": samples.len()})
    }

    fn answer(&mut self, line: &str) -> Result<Value, Box<dyn Error>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["check", seconds] => Ok(self.check(Duration::from_secs_f64(seconds.parse()?))),
            ["round", kind, seconds] => Ok(self.round(kind == "allow", Duration::from_secs_f64(seconds.parse()?))),
            _ => Err(format!("this is neither check nor round: {line}").into()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: cedar-peer FOLDER")?;
    let start = Instant::now();
    let policies: PolicySet = std::fs::read_to_string(format!("{folder}/policies.cedar"))?.parse()?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let lines = std::fs::read_to_string(format!("{folder}/calls.jsonl"))?;
    let calls = lines.lines().map(read_call).collect::<Result<_, _>>()?;
    let mut peer = Peer {
        authorizer: Authorizer::new(),
        policies,
        calls,
        checked: 0,
    };
    println!(
        "{}",
        json!({"ready": true, "version": format!("Cedar {} (crate)", get_sdk_version()), "load_ms": load_ms})
    );
    for line in stdin().lock().lines() {
        println!("{}", peer.answer(&line?)?);
    }
    Ok(())
}
