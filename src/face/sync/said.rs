//! What the client of a socket says, taken in from its connection.

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    Form,
    ending::{End, broken},
    from_client::{self, FromClient, Read},
    intake::Place,
    socket::Socket,
    to_client::{self, PARSE_ERROR},
};

impl Socket {
    /// Takes in what was read of the connection.
    pub(super) fn read(&mut self, read: Option<Result<Message, Error>>) -> Option<End> {
        let message = match read {
            None => return Some(End::Gone),
            Some(Err(error)) => return Some(broken(&error)),
            Some(Ok(message)) => message,
        };
        self.alarms.alive = Instant::now();
        self.received += 1;
        match message {
            Message::Text(text) => {
                let place = self.arrived();
                self.said(&text, place);
            }
            Message::Binary(_) => {
                drop(self.arrived());
                self.malformed("a message is text", None);
            }
            Message::Pong(token) => self.heard.pong(&token),
            Message::Ping(_) | Message::Frame(_) => {}
            Message::Close(_) => return Some(End::Left),
        }
        None
    }

    /// Takes the place of a message that has come in whole, if it is large.
    fn arrived(&mut self) -> Option<Place> {
        let place = self.ws.get_mut().arrived();
        if place.is_some() {
            // Its buffer goes when all has gone out, of which there may be nothing.
            (self.is_swollen, self.is_flushed) = (true, false);
        }
        place
    }

    fn said(&mut self, text: &str, place: Option<Place>) {
        match from_client::read(text, self.form) {
            Read::Message(message) => match *message {
                FromClient::Presence(asked) => {
                    self.presence.note(asked.note.map(|note| note.as_str().to_owned()));
                    self.comings = asked.follow.then(|| self.hub.comings());
                    let told = self.hub.told_present();
                    self.send(told);
                }
                FromClient::Subscribe(_) if self.sight.as_changes => {
                    self.malformed("who asked for changes is told of all of them", None);
                }
                message => {
                    let delivered = match &message {
                        FromClient::Set(set) if self.form == Form::Old => Some(self.heard.of(set.name())),
                        _ => None,
                    };
                    self.turns.push(message, text, delivered, place);
                }
            },
            // An older client may be of any age, and older servers said nothing to what they did not know.
            Read::Unknown if self.form == Form::Old => {}
            Read::Unknown => self.malformed("it is no message of this protocol", None),
            Read::Malformed(why, op_id) => self.malformed(&why, op_id.as_deref()),
        }
    }

    fn malformed(&mut self, why: &str, op_id: Option<&str>) {
        let text = match self.form {
            Form::Old => "Invalid message format".to_owned(),
            Form::Ours => format!("Invalid message format: {why}"),
        };
        self.send(to_client::error(&text, PARSE_ERROR, op_id));
    }
}
