//! The table of keys holds what it promises.

use crate::model::Role;
use crate::ui::keys::{self, Key, Place};

#[test]
fn no_two_keys_collide_in_one_place() {
    for place in Place::ALL {
        let mut seen: Vec<Key> = Vec::new();
        for binding in keys::TABLE.iter().filter(|it| it.places.contains(&place)) {
            for key in binding.keys {
                assert!(!seen.contains(key), "{key:?} twice in {place:?}");
                seen.push(*key);
            }
        }
        for key in &seen {
            if let Key::Twice(ch) = key {
                assert!(
                    !seen.contains(&Key::Char(*ch)),
                    "{ch} hides {ch}{ch} in {place:?}"
                );
            }
        }
    }
}

#[test]
fn every_key_has_its_words() {
    for binding in keys::TABLE {
        assert!(!binding.keys.is_empty() && !binding.places.is_empty());
        for words in [binding.shown, binding.word, binding.help, binding.group] {
            assert!(!words.trim().is_empty(), "{}", binding.shown);
        }
        assert!(binding.help.chars().count() <= 52, "{}", binding.help);
    }
}

#[test]
fn letters_are_text_where_one_types() {
    for place in Place::ALL.into_iter().filter(|place| place.types()) {
        for binding in keys::TABLE.iter().filter(|it| it.places.contains(&place)) {
            let letter = |key: &Key| matches!(key, Key::Char(_) | Key::Twice(_));
            assert!(
                !binding.keys.iter().any(letter),
                "{} in {place:?}",
                binding.shown
            );
        }
    }
}

#[test]
fn every_place_can_be_left_and_every_key_is_in_the_help() {
    for place in Place::ALL {
        for key in [Key::Ctrl('c'), Key::Ctrl('z')] {
            assert!(keys::find(key, place).is_some(), "{place:?}");
        }
    }
    let helped: Vec<_> = [Role::Serve, Role::Dial]
        .iter()
        .flat_map(keys::help)
        .flat_map(|(_, bindings)| bindings)
        .map(|binding| (binding.shown, binding.help))
        .collect();
    for binding in keys::TABLE {
        assert!(
            helped.contains(&(binding.shown, binding.help)),
            "{}",
            binding.shown
        );
    }
}
