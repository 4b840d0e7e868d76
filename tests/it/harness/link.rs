//! What every client can do, whatever it is connected through and whichever era it speaks.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{
    http_client::HttpClient,
    mcp::{ACKNOWLEDGED, Client, Era, Reply, SUBSCRIPTION, ToolReply, text},
};

/// A client, connected.
pub(crate) struct Link<'s> {
    transport: Transport<'s>,
    era: Era,
    /// The subscriptions of the newer era, by what they follow.
    followed: HashMap<String, u64>,
}

enum Transport<'s> {
    Pipes(Box<Client>),
    Http(Box<HttpClient<'s>>),
}

impl<'s> Link<'s> {
    /// Over stdio.
    pub(crate) fn pipes(client: Client, era: Era) -> Self {
        Self { transport: Transport::Pipes(Box::new(client)), era, followed: HashMap::new() }
    }

    /// Over HTTP; a session also opens its stream.
    pub(crate) fn http(mut client: HttpClient<'s>, era: Era) -> Self {
        if era == Era::Legacy {
            client.open_session_stream();
        }
        Self { transport: Transport::Http(Box::new(client)), era, followed: HashMap::new() }
    }

    /// A request and its reply.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Reply {
        match &mut self.transport {
            Transport::Pipes(client) => client.request(method, params),
            Transport::Http(client) => client.request(method, &params),
        }
    }

    /// A tool call that may also be refused by the protocol.
    pub(crate) fn try_call(&mut self, tool: &str, args: &Value) -> Result<ToolReply, Value> {
        self.request("tools/call", json!({"name": tool, "arguments": args})).map(ToolReply::of)
    }

    /// A tool call that must succeed.
    pub(crate) fn call(&mut self, tool: &str, args: &Value) -> Value {
        self.try_call(tool, args).unwrap_or_else(|error| panic!("{tool} is a protocol error: {error}")).ok()
    }

    /// The names of the keys, in one page of 1000.
    pub(crate) fn keys(&mut self) -> Vec<String> {
        let listed = self.call("list_keys", &json!({"limit": 1000}));
        listed["keys"].as_array().expect("keys").iter().map(|key| text(&key["key"])).collect()
    }

    /// The next notification that is no acknowledgement.
    pub(crate) fn next_notification(&mut self) -> Value {
        match &mut self.transport {
            Transport::Pipes(client) => client.next_notification(),
            Transport::Http(client) => client.next_where(|message| message["method"].is_string()),
        }
    }

    /// Follows one resource.
    pub(crate) fn follow(&mut self, uri: &str) {
        match self.era {
            Era::Legacy => {
                self.request("resources/subscribe", json!({"uri": uri})).expect("the subscription is taken");
            }
            Era::Modern => self.listen(uri, &json!({"resourceSubscriptions": [uri]})),
        }
    }

    /// Follows the lists of tools and resources; a session is told of them unasked.
    pub(crate) fn follow_lists(&mut self) {
        if self.era == Era::Modern {
            self.listen("lists", &json!({"toolsListChanged": true, "resourcesListChanged": true}));
        }
    }

    fn listen(&mut self, what: &str, wanted: &Value) {
        let (id, acknowledged) = match &mut self.transport {
            Transport::Http(client) => client.listen(wanted),
            Transport::Pipes(client) => {
                let id = client.send("subscriptions/listen", json!({"notifications": wanted}));
                let first = client.next_notification();
                assert_eq!(first["method"], ACKNOWLEDGED, "{first}");
                assert_eq!(first["params"]["_meta"][SUBSCRIPTION], json!(id), "{first}");
                (id, first["params"]["notifications"].clone())
            }
        };
        assert_eq!(acknowledged, *wanted, "all of it is honoured");
        self.followed.insert(what.to_owned(), id);
    }

    /// Stops following a resource as its era and transport do it: by a request, a notification, or hanging up.
    pub(crate) fn unfollow(&mut self, uri: &str) {
        let id = self.followed.remove(uri);
        match (&mut self.transport, id) {
            (_, None) => {
                self.request("resources/unsubscribe", json!({"uri": uri})).expect("it was followed");
            }
            (Transport::Http(client), Some(id)) => client.hang_up(id),
            (Transport::Pipes(client), Some(id)) => {
                client.notify("notifications/cancelled", json!({"requestId": id, "reason": "for the test"}));
            }
        }
    }
}
