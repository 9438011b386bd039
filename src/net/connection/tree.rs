//! Telling a file's tree: its blocks' values in pages, and its root.
//!
//! What is known is told at once; what is not is hashed off the loop by the forest,
//! and told as it becomes known, with a word every second in between. It knows the
//! codec's words and the forest; it must never know a folder or how a page is written.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::answer::off_loop;
use super::forest::{Asker, Told};
use super::receive::at_work;
use super::right::Right;
use super::{Over, Talk};
use crate::entity::{Phase, RemotePath, Root};
use crate::net::hub::ConnGuard;
use crate::net::store::{Denied, Source};
use crate::net::wire::codec::{After, Detail, Refusal, Reply, ServerCodec, Value, Values, Version};

/// How often a peer that waits hears that we are at it; it is promised every 2 s.
pub(super) const WORD: Duration = Duration::from_secs(1);
/// The most values in one page; few under test, where no file has thousands of blocks.
const PAGE: usize = if cfg!(test) { 3 } else { 4_096 };

/// Whose tree is told, and how far.
struct Page<'s> {
    source: &'s About,
    detail: Detail,
    first: u64,
}

/// What stands in every page.
struct About {
    size: u64,
    version: Version,
}

impl Talk {
    /// Tells a file's values and its root, or the root alone.
    pub(super) async fn tree(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        path: RemotePath,
        version: Option<Version>,
        detail: Detail,
    ) -> Result<After, Over> {
        if let Err(denied) = self.allows(Right::Read) {
            return self.refuse(guard, codec, path, denied).await;
        }
        let store = Arc::clone(&self.context.store);
        let sought = path.clone();
        let opened = off_loop(move || {
            let source = store.read(&sought)?;
            match version {
                Some(version) if version != source.version => Err(changed()),
                _ => Ok(source),
            }
        });
        let source = match opened.await {
            Ok(source) => source,
            Err(denied) => return self.refuse(guard, codec, path, denied).await,
        };
        let about = About {
            size: source.size,
            version: source.version.clone(),
        };
        if let Some((values, root)) = self.known(&source, detail) {
            return self.pages(guard, codec, &about, &values, root).await;
        }
        match self.hashed(guard, codec, &about, detail, source).await? {
            Ok(after) => Ok(after),
            Err(refusal) => {
                let denied = if refusal == Refusal::Changed {
                    changed()
                } else {
                    failed()
                };
                self.refuse(guard, codec, path, denied).await
            }
        }
    }

    /// What is known already of what is wanted.
    fn known(&self, source: &Source, detail: Detail) -> Option<(Arc<[Value]>, Root)> {
        let trees = self.context.forest.trees();
        let root = trees.root(&source.version)?;
        let values = match detail {
            Detail::Root => Arc::from([]),
            Detail::Values => trees.values(&source.version)?,
        };
        Some((values, root))
    }

    async fn pages(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        about: &About,
        values: &[Value],
        root: Root,
    ) -> Result<After, Over> {
        let mut first = 0;
        let mut rest = values;
        while rest.len() > PAGE {
            let (page, more) = rest.split_at(PAGE);
            let page = about.page(first, page.to_vec(), None);
            self.say(guard, codec, &page).await?;
            first += PAGE as u64;
            rest = more;
        }
        let last = about.page(first, rest.to_vec(), Some(root));
        self.say(guard, codec, &last).await
    }

    /// Waits for the forest, and passes on what it makes.
    async fn hashed(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        about: &About,
        detail: Detail,
        source: Source,
    ) -> Result<Result<After, Refusal>, Over> {
        let mut asker = self.context.forest.ask(source);
        let mut page = Page {
            source: about,
            detail,
            first: 0,
        };
        loop {
            guard.dials().set_phase(Phase::Sending);
            let told = at_work(guard, news_or_silence(&mut asker)).await;
            match told {
                Some(Told {
                    over: Some(Err(refusal)),
                    ..
                }) => return Ok(Err(refusal)),
                Some(Told {
                    over: Some(Ok(root)),
                    ..
                }) => {
                    let last = loop {
                        let values = page.take(&asker);
                        if values.len() < PAGE {
                            break about.page(page.first, values, Some(root));
                        }
                        let full = about.page(page.first, values, None);
                        page.first += PAGE as u64;
                        self.say(guard, codec, &full).await?;
                    };
                    return self.say(guard, codec, &last).await.map(Ok);
                }
                Some(Told { over: None, .. }) => {}
                None => self.word(guard, codec, &asker, &mut page).await?,
            }
        }
    }

    /// A sign of life: the values that have come, or how far the hashing is.
    async fn word(
        &mut self,
        guard: &ConnGuard,
        codec: &mut dyn ServerCodec,
        asker: &Asker,
        page: &mut Page<'_>,
    ) -> Result<(), Over> {
        let values = page.take(asker);
        let told = values.len() as u64;
        let reply = if told == 0 {
            Reply::Wait {
                done: asker.told().done,
                of: page.source.size,
            }
        } else {
            page.source.page(page.first, values, None)
        };
        page.first += told;
        self.say(guard, codec, &reply).await?;
        Ok(())
    }
}

impl Page<'_> {
    /// The values that are known and not told yet.
    fn take(&self, asker: &Asker) -> Vec<Value> {
        match self.detail {
            Detail::Root => Vec::new(),
            Detail::Values => asker.values(self.first, PAGE),
        }
    }
}

impl About {
    fn page(&self, first: u64, values: Vec<Value>, root: Option<Root>) -> Reply {
        Reply::Values(Values {
            first,
            values,
            root,
            size: self.size,
            version: Some(self.version.clone()),
            more: root.is_none(),
        })
    }
}

/// The end of the hashing, or `None` after a while.
async fn news_or_silence(asker: &mut Asker) -> Option<Told> {
    let deadline = Instant::now() + WORD;
    loop {
        match timeout_at(deadline, asker.news()).await {
            Ok(told) if told.over.is_some() => return Some(told),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

pub(super) fn changed() -> Denied {
    Denied {
        refusal: Refusal::Changed,
        cause: Refusal::Changed.label(),
        detail: "the file has changed since".to_owned(),
    }
}

fn failed() -> Denied {
    Denied {
        refusal: Refusal::Failed,
        cause: "disk",
        detail: "the file could not be read".to_owned(),
    }
}
