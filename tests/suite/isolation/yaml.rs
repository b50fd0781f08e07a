//! A simple subset of YAML as JSON values, for the tables.

#![expect(clippy::wildcard_enum_match_arm, reason = "the tables use none of the parser's other events")]

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

pub(crate) fn value(text: &str) -> Value {
    let mut events = Parser::new_from_str(text).map(|event| event.unwrap().0);
    loop {
        match events.next() {
            Some(Event::StreamStart | Event::DocumentStart(_)) => {}
            Some(event) => return node(event, &mut events),
            None => panic!("an empty file"),
        }
    }
}

fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(node(event, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut members = Map::new();
            loop {
                match events.next().unwrap() {
                    Event::MappingEnd => return Value::Object(members),
                    Event::Scalar(key, ..) => {
                        let event = events.next().unwrap();
                        let twice = members.insert(key.to_string(), node(event, events));
                        assert!(twice.is_none(), "{key} appears twice in one map");
                    }
                    event => panic!("a key is a text, not {event:?}"),
                }
            }
        }
        event => panic!("the tables have no {event:?}"),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "null" | "~" | "" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}
