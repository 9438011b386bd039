//! The loop under a paused clock: frames are counted, not waited for.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use futures_util::stream;
use ratatui::backend::TestBackend;
use tokio::time::sleep;

use super::*;
use crate::entity::DisplayName;
use crate::net::hub::Hub;

/// A stage that counts its frames and remembers the last one.
struct Counted {
    terminal: ratatui::Terminal<TestBackend>,
    frames: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
    /// Frames until the terminal dies.
    lives: usize,
}

impl Stage for Counted {
    fn draw(&mut self, model: &Model, screen: &mut Screen) -> io::Result<()> {
        if self.frames.fetch_add(1, SeqCst) >= self.lives {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let _ = self.terminal.draw(|frame| ui::view(frame, model, screen));
        if let Ok(mut last) = self.last.lock() {
            *last = format!("{}", self.terminal.backend());
        }
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct World {
    hub: Arc<Hub>,
    frames: Arc<AtomicUsize>,
    last: Arc<Mutex<String>>,
    app: App<Counted>,
    orders: UnboundedReceiver<Command>,
}

fn world(role: Role, lives: usize) -> World {
    let hub = Hub::new(RING);
    let (commands, orders) = mpsc::unbounded_channel();
    let handle = Handle {
        feed: hub.feed(),
        commands,
        totals: Arc::clone(hub.totals()),
        task: tokio::spawn(async {}),
    };
    let about = About {
        role: role.clone(),
        subject: DisplayName::from("/srv"),
        landing: DisplayName::default(),
        badges: Vec::new(),
        standing: None,
        limit: None,
        max_connections: 16,
    };
    let frames = Arc::new(AtomicUsize::new(0));
    let last = Arc::new(Mutex::new(String::new()));
    let terminal = ratatui::Terminal::new(TestBackend::new(100, 30));
    let stage = Counted {
        terminal: terminal.unwrap_or_else(|never| match never {}),
        frames: Arc::clone(&frames),
        last: Arc::clone(&last),
        lives,
    };
    let screen = Screen::new(role, Theme::plain(), jiff::tz::TimeZone::UTC);
    World {
        hub,
        frames,
        last,
        app: App::new(stage, handle, about, screen),
        orders,
    }
}

/// Keys that come at so many milliseconds; then nothing, for ever.
fn keys(keys: Vec<(u64, KeyCode, KeyModifiers)>) -> impl Stream<Item = io::Result<Input>> + Unpin {
    let typed = stream::iter(keys).then(|(at, code, with)| async move {
        sleep(Duration::from_millis(at)).await;
        Ok(Input::Key(KeyEvent::new(code, with)))
    });
    Box::pin(typed.chain(stream::pending()))
}

fn silent() -> UnboundedReceiver<Word> {
    let (say, words) = mpsc::unbounded_channel();
    // Kept open: a closed channel would say that the system is gone.
    std::mem::forget(say);
    words
}

#[tokio::test(start_paused = true)]
async fn an_idle_screen_draws_once_and_then_for_its_clocks_alone() {
    let World {
        hub, frames, app, ..
    } = world(Role::Serve, usize::MAX);
    let running = tokio::spawn(app.run(keys(Vec::new()), silent()));
    sleep(Duration::from_millis(900)).await;
    assert_eq!(frames.load(SeqCst), 1, "nothing changed: one frame");
    sleep(Duration::from_secs(10)).await;
    let drawn = frames.load(SeqCst);
    assert!(
        (10..=12).contains(&drawn),
        "one a second for the clocks: {drawn}"
    );
    hub.close();
    assert!(matches!(running.await, Ok(Exit::Code(0))));
}

#[tokio::test(start_paused = true)]
async fn a_flood_stays_at_the_frame_cap_and_a_key_is_answered_in_it() {
    let World {
        hub,
        frames,
        last,
        app,
        ..
    } = world(Role::Serve, usize::MAX);
    let running = tokio::spawn(app.run(
        keys(vec![(1_500, KeyCode::Char('?'), KeyModifiers::NONE)]),
        silent(),
    ));
    let flood = Arc::clone(&hub);
    let flooding = tokio::spawn(async move {
        for round in 0..2_000 {
            for _ in 0..100 {
                flood.note("flood", &format!("round {round}"));
            }
            sleep(Duration::from_millis(1)).await;
        }
    });
    sleep(Duration::from_millis(1_490)).await;
    let before = last.lock().map(|last| last.clone()).unwrap_or_default();
    sleep(Duration::from_millis(110)).await;
    let after = last.lock().map(|last| last.clone()).unwrap_or_default();
    assert!(
        !before.to_lowercase().contains("help ─") && before.contains("round"),
        "{before}"
    );
    assert!(
        after.to_lowercase().contains("help"),
        "a key is answered within 100 ms:\n{after}"
    );
    let _ = flooding.await;
    let drawn = frames.load(SeqCst);
    assert!((20..=40).contains(&drawn), "2 s at 15 a second: {drawn}");
    hub.close();
    assert!(matches!(running.await, Ok(Exit::Code(0))));
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_leaves_and_a_second_one_aborts() {
    let World {
        app, mut orders, ..
    } = world(Role::Serve, usize::MAX);
    let ctrl_c = |at| (at, KeyCode::Char('c'), KeyModifiers::CONTROL);
    let exit = app.run(keys(vec![ctrl_c(10), ctrl_c(500)]), silent()).await;
    assert!(matches!(exit, Exit::Code(130)));
    assert!(matches!(
        orders.recv().await,
        Some(Command::Leave { grace: None })
    ));
    assert!(matches!(orders.recv().await, Some(Command::Abort)));
}

#[tokio::test(start_paused = true)]
async fn sigterm_leaves_like_q() {
    let World {
        hub,
        app,
        mut orders,
        ..
    } = world(Role::Serve, usize::MAX);
    let (say, words) = mpsc::unbounded_channel();
    let running = tokio::spawn(app.run(keys(Vec::new()), words));
    let _ = say.send(Word::Leave);
    assert!(matches!(orders.recv().await, Some(Command::Leave { .. })));
    hub.close();
    assert!(matches!(running.await, Ok(Exit::Code(0))));
}

#[tokio::test(start_paused = true)]
async fn a_server_outlives_its_terminal_and_a_client_does_not() {
    for (role, stays) in [(Role::Serve, true), (Role::Dial, false)] {
        let World { app, .. } = world(role, 2);
        let exit = app.run(keys(Vec::new()), silent()).await;
        assert_eq!(matches!(exit, Exit::ScreenLost(_)), stays);
    }
    let World { app, .. } = world(Role::Serve, usize::MAX);
    let exit = app
        .run(stream::iter([Err(io::ErrorKind::Other.into())]), silent())
        .await;
    assert!(
        matches!(exit, Exit::ScreenLost(_)),
        "input that is gone counts too"
    );
    let World { app, .. } = world(Role::Serve, usize::MAX);
    let (say, words) = mpsc::unbounded_channel();
    let _ = say.send(Word::HangUp);
    assert!(matches!(
        app.run(keys(Vec::new()), words).await,
        Exit::ScreenLost(_)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_display_stands_while_the_world_goes_on() {
    let World { hub, last, app, .. } = world(Role::Serve, usize::MAX);
    let f = |at| (at, KeyCode::Char('f'), KeyModifiers::NONE);
    let running = tokio::spawn(app.run(keys(vec![f(10), f(3_000)]), silent()));
    sleep(Duration::from_millis(500)).await;
    hub.note("late", "after the freeze");
    sleep(Duration::from_secs(2)).await;
    let shown = |last: &Mutex<String>| last.lock().map(|last| last.clone()).unwrap_or_default();
    assert!(!shown(&last).contains("after the freeze"));
    assert!(shown(&last).contains("FROZEN"));
    sleep(Duration::from_secs(1)).await;
    assert!(shown(&last).contains("after the freeze"));
    hub.close();
    let _ = running.await;
}
