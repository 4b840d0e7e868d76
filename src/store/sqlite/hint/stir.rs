//! When to look at the hint file: Linux tells of each write to it; elsewhere, and where the system has no watch to
//! give, a look every 20 ms has to do. (macOS and Windows may delay what they tell of a file that is kept open.)

use std::time::Duration;

/// How often the file is looked at where nothing tells of a write.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A pause between looks, not a wait for an event: nothing tells of a foreign commit.
#[expect(clippy::disallowed_methods, reason = "the pause is the point")]
async fn pause() {
    tokio::time::sleep(LOOK_EVERY).await;
}

#[cfg(target_os = "linux")]
pub(super) use self::linux::Stir;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::Stir;

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, path::Path};

    use futures_util::StreamExt as _;
    use inotify::{EventStream, Inotify, WatchMask};

    /// Room for what is told at once. It says nothing but that there was a write, and the system tells of many as one.
    const BUFFER_BYTES: usize = 256;

    /// Writes to the file as the system tells of them.
    pub(in super::super) enum Stir {
        /// Not yet waited for: only within a runtime can one wait.
        Fresh(Inotify),
        Told(EventStream<Vec<u8>>),
        /// Nothing tells.
        Polled,
    }

    impl Stir {
        pub(in super::super) fn of(file: &Path) -> Self {
            let watched = Inotify::init().and_then(|inotify| {
                inotify.watches().add(file, WatchMask::MODIFY)?;
                Ok(inotify)
            });
            watched.map_or_else(Self::without, Self::Fresh)
        }

        /// A user may have 128 such watchers by default, in all processes together.
        fn without(error: io::Error) -> Self {
            tracing::debug!(%error, "the system does not watch the hint file for us: looking every 20 ms instead");
            Self::Polled
        }

        /// The next write, or the next time to look.
        pub(in super::super) async fn next(&mut self) {
            if matches!(self, Self::Fresh(_))
                && let Self::Fresh(inotify) = std::mem::replace(self, Self::Polled)
            {
                *self = inotify.into_event_stream(vec![0; BUFFER_BYTES]).map_or_else(Self::without, Self::Told);
            }
            match self {
                Self::Told(told) => match told.next().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => *self = Self::without(error),
                    None => *self = Self::Polled,
                },
                Self::Fresh(_) | Self::Polled => super::pause().await,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::path::Path;

    /// A look now and then.
    pub(in super::super) struct Stir;

    impl Stir {
        pub(in super::super) fn of(_: &Path) -> Self {
            Self
        }

        /// The next time to look.
        pub(in super::super) async fn next(&mut self) {
            super::pause().await;
        }
    }
}
