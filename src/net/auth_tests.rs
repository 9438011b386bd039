//! Codes, proofs, and what guessing costs.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot set its scene has failed"
)]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::*;

fn session<'s>(exporter: u8, server: &'s [u8], client: &'s [u8]) -> Session<'s> {
    Session {
        exporter: [exporter; 32],
        server,
        client,
    }
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

#[test]
fn a_code_is_read_as_it_is_shown() {
    for _ in 0..200 {
        let code = Code::make().unwrap();
        let shown = code.reveal();
        assert_eq!(shown.len(), 19);
        assert!(Code::parse(&shown) == Ok(code.clone()), "a code");
        assert!(Code::parse(&shown.to_lowercase().replace('-', " ")) == Ok(code));
    }
    assert_ne!(
        Code::make().unwrap().reveal(),
        Code::make().unwrap().reveal()
    );
    assert_eq!(code("0123456789ABCDEF").reveal(), "0123-4567-89AB-CDEF");
    assert_eq!(code("zzzzzzzzzzzzzzzz").reveal(), "ZZZZ-ZZZZ-ZZZZ-ZZZZ");
}

#[test]
fn what_people_mix_up_is_one() {
    let right = code("0101-1010-AAAA-BBBB");
    for typed in [
        "O1OI-l0i0-aaaa-bbbb",
        " oioi 1o1o aaaabbbb\n",
        "0-1-0-1-1-0-1-0-A-A-A-A-B-B-B-B",
    ] {
        assert!(Code::parse(typed) == Ok(right.clone()), "{typed}");
    }
    assert_eq!(Code::parse("").err(), Some(NoCode::Length(0)));
    assert_eq!(
        Code::parse("0101-1010-AAAA-BBB").err(),
        Some(NoCode::Length(15))
    );
    assert_eq!(
        Code::parse("0101-1010-AAAA-BBBBB").err(),
        Some(NoCode::Length(17))
    );
    for typed in [
        "0101-1010-AAAA-BBBU",
        "0101-1010-AAAA-BBBé",
        "0101-1010-AAAA-BB!B",
    ] {
        assert_eq!(Code::parse(typed).err(), Some(NoCode::Digit), "{typed}");
    }
}

#[test]
fn a_code_is_not_shown_by_accident() {
    let code = code("0123456789ABCDEF");
    assert_eq!(format!("{code:?}"), "Code(…)");
    let keeper = Gatekeeper::new(code);
    assert!(!format!("{keeper:?}").contains("0123"));
}

/// HMAC-SHA-256(HKDF-SHA-256(code), "client" ‖ exporter ‖ server ‖ client), worked out
/// with Python's hmac and hashlib.
#[test]
fn a_proof_is_what_the_specification_says() {
    let code = code("0123456789ABCDEF");
    let at = session(7, b"server key", b"client key");
    // A pin is shown in hex too.
    let hex = |mac: Mac| crate::entity::Pin(mac).to_string();
    assert_eq!(hex(code.prove(Side::Client, &at)), CLIENT_PROOF);
    assert_eq!(hex(code.prove(Side::Server, &at)), SERVER_PROOF);
}

const CLIENT_PROOF: &str = "a9b259d4c421b9b531c7e69b28192f0ac8f9d61762cb255e5eb6e99c883ce485";
const SERVER_PROOF: &str = "20bb2489ecd8ef0da86be37d7ca30777fc96e52ca32d8630c145448b7d77ebd9";

#[test]
fn a_proof_holds_for_one_session_two_keys_and_one_direction() {
    let right = code("0123456789ABCDEF");
    let here = session(1, b"server", b"client");
    let proof = right.prove(Side::Client, &here);
    assert!(right.is_proved(Side::Client, &here, &proof));
    // Reflected.
    assert!(!right.is_proved(Side::Server, &here, &proof));
    // Replayed in another session, relayed under another key.
    for there in [
        session(2, b"server", b"client"),
        session(1, b"other", b"client"),
        session(1, b"server", b"other"),
        session(1, b"client", b"server"),
    ] {
        assert!(!right.is_proved(Side::Client, &there, &proof));
    }
    assert!(!code("0123456789ABCDEG").is_proved(Side::Client, &here, &proof));
    for bit in 0..8 {
        let mut bent = proof;
        bent[31] ^= 1 << bit;
        assert!(!right.is_proved(Side::Client, &here, &bent));
    }
}

struct Door {
    keeper: Gatekeeper,
    now: Instant,
}

impl Door {
    fn open() -> Self {
        Self {
            keeper: Gatekeeper::new(code("0123456789ABCDEF")),
            now: Instant::now(),
        }
    }

    fn wrong(&mut self, from: &str) -> Verdict {
        self.knock(from, [0; 32])
    }

    fn right(&mut self, from: &str) -> Verdict {
        let proof = self.keeper.code().unwrap().prove(Side::Client, &HERE);
        self.knock(from, proof)
    }

    fn knock(&mut self, from: &str, proof: Mac) -> Verdict {
        let from: IpAddr = from.parse().unwrap();
        self.keeper.judge(from, &HERE, &proof, self.now)
    }

    fn later(&mut self, by: Duration) {
        self.now += by;
    }
}

const HERE: Session<'static> = Session {
    exporter: [1; 32],
    server: b"server",
    client: b"client",
};

#[test]
fn each_wrong_code_waits_longer_and_then_the_address_is_banned() {
    let mut door = Door::open();
    let mut waits = Vec::new();
    for nth in 1..=PATIENCE {
        match door.wrong("10.0.0.1") {
            Verdict::Wrong {
                wait,
                count,
                turned: false,
            } => {
                assert_eq!(count, nth);
                waits.push(wait);
            }
            other => unreachable!("{other:?}"),
        }
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert_eq!(
        door.right("10.0.0.1"),
        Verdict::Banned(BAN),
        "even the right one"
    );
    assert!(
        matches!(door.right("10.0.0.2"), Verdict::Right(_)),
        "others come in"
    );
    door.later(BAN.checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(
        door.right("10.0.0.1"),
        Verdict::Banned(Duration::from_secs(1))
    );
    door.later(Duration::from_secs(1));
    assert!(matches!(door.right("10.0.0.1"), Verdict::Right(_)));
}

#[test]
fn the_right_code_wipes_the_slate_and_so_does_time() {
    let mut door = Door::open();
    for _ in 1..PATIENCE {
        door.wrong("10.0.0.1");
    }
    assert!(matches!(door.right("10.0.0.1"), Verdict::Right(_)));
    assert!(matches!(
        door.wrong("10.0.0.1"),
        Verdict::Wrong { count: 1, .. }
    ));
    door.later(BAN);
    assert!(matches!(
        door.wrong("10.0.0.1"),
        Verdict::Wrong { count: 1, .. }
    ));
}

#[test]
fn an_ipv6_host_is_counted_by_its_net() {
    let mut door = Door::open();
    for at in 0..PATIENCE {
        door.wrong(&format!("fd00:1:2:3::{at}"));
    }
    assert!(matches!(
        door.right("fd00:1:2:3:ffff::1"),
        Verdict::Banned(_)
    ));
    assert!(matches!(door.right("fd00:1:2:4::1"), Verdict::Right(_)));
    for _ in 0..PATIENCE {
        door.wrong("::ffff:10.0.0.9");
    }
    assert!(matches!(door.right("10.0.0.9"), Verdict::Banned(_)));
}

#[test]
fn after_a_hundred_wrong_codes_there_is_another() {
    let mut door = Door::open();
    let before = door.keeper.code().unwrap().clone();
    let old = before.prove(Side::Client, &HERE);
    for at in 1..TURN {
        let from = format!("10.0.1.{at}");
        assert!(matches!(
            door.wrong(&from),
            Verdict::Wrong { turned: false, .. }
        ));
    }
    assert_eq!(door.keeper.turns(), 0);
    assert!(matches!(
        door.wrong("10.0.2.1"),
        Verdict::Wrong { turned: true, .. }
    ));
    assert_eq!(door.keeper.turns(), 1);
    assert!(door.keeper.code() != Some(&before));
    assert!(matches!(door.knock("10.0.3.1", old), Verdict::Wrong { .. }));
    assert!(matches!(door.right("10.0.3.2"), Verdict::Right(_)));
}

#[test]
fn a_flood_of_addresses_is_remembered_in_part() {
    let mut door = Door::open();
    for at in 0..10_000_u32 {
        door.later(Duration::from_millis(1));
        let from = IpAddr::from((0x0a00_0000 + at).to_be_bytes());
        door.keeper.judge(from, &HERE, &[0; 32], door.now);
    }
    assert!(door.keeper.remembers() <= 4_096);
    for _ in 1..PATIENCE {
        door.wrong("10.0.39.15");
    }
    assert!(
        matches!(door.right("10.0.39.15"), Verdict::Banned(_)),
        "the newest is known"
    );
}

#[test]
fn our_own_proof_is_the_servers() {
    let mut door = Door::open();
    let code = door.keeper.code().unwrap().clone();
    let Verdict::Right(answer) = door.right("10.0.0.1") else {
        unreachable!("the right code is right");
    };
    assert!(code.is_proved(Side::Server, &HERE, &answer));
}
