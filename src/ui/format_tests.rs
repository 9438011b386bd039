//! The widths hold for every value, and the words read well.

use super::*;

#[test]
fn sizes_keep_their_width_and_their_units_their_place() {
    let mut value: u64 = 0;
    loop {
        for bytes in [value, value.saturating_add(1), value.saturating_sub(1)] {
            assert_eq!(width(&size(bytes)), SIZE, "{bytes}");
            assert_eq!(size(bytes).find(' ').map(|_| 4), Some(4));
            assert_eq!(size(bytes).chars().nth(4), Some(' '), "{bytes}");
            assert_eq!(width(&rate(bytes as f64)), RATE, "{bytes}");
        }
        if value > u64::MAX / 3 {
            break;
        }
        value = value * 2 + 7;
    }
    assert_eq!(size(u64::MAX), "16.0 EiB");
    assert_eq!(width(&size_or(None)), SIZE);
    assert_eq!(width(&rate(0.0)), RATE);
    assert_eq!(width(&rate(f64::NAN)), RATE);
    assert_eq!(width(&rate(f64::INFINITY)), RATE);
}

#[test]
fn sizes_read_well() {
    let cases = [
        (0, "   0 B  "),
        (512, " 512 B  "),
        (999, " 999 B  "),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (1_299_227_607, "1.21 GiB"),
        (681_574_400, " 650 MiB"),
    ];
    for (bytes, words) in cases {
        assert_eq!(size(bytes), words);
    }
    assert_eq!(rate(117_440_512.0), " 112 MiB/s");
    assert_eq!(rate(0.0), "   –      ");
    assert_eq!(rate(12.0), "  12 B/s  ");
}

#[test]
fn a_percentage_is_whole_only_at_the_end() {
    assert_eq!(percent(Some(0.6289)), " 62 %");
    assert_eq!(percent(Some(0.999_9)), " 99 %");
    assert_eq!(percent(Some(1.0)), "100 %");
    assert_eq!(percent(Some(7.0)), "100 %");
    assert_eq!(percent(Some(f64::NAN)), "  –  ");
    for ratio in [None, Some(0.0), Some(0.5), Some(1.0)] {
        assert_eq!(width(&percent(ratio)), PERCENT);
    }
}

#[test]
fn times_fit_their_columns() {
    let cases = [
        (0, "0:00", "  0s"),
        (14, "0:14", " 14s"),
        (3_723, "1:02:03", "  1h"),
        (86_399, "23h 59m", " 23h"),
        (1_047_600, "12d 3h", " 12d"),
        (u64::MAX, "999999d", "999d"),
    ];
    for (seconds, long, brief) in cases {
        let time = Duration::from_secs(seconds);
        assert_eq!(clock_words(time), long);
        assert_eq!(width(&clock(Some(time))), CLOCK);
        assert_eq!(short(time), brief);
    }
    assert_eq!(clock(None), "      –");
    assert_eq!(uptime(Duration::from_secs(8_049)), "02:14:09");
    assert_eq!(uptime(Duration::from_secs(267_249)), "3d 02:14:09");
    assert_eq!(count(9_412), "9,412");
    assert_eq!(count(1_000_000), "1,000,000");
    assert_eq!(plural(1, "file"), "1 file");
}

#[test]
fn a_limit_is_said_in_the_unit_it_was_asked_in() {
    assert_eq!(limit_words(10_000_000), "10 MB/s");
    assert_eq!(limit_words(500_000), "500 kB/s");
    assert_eq!(limit_words(2 << 20), "2 MiB/s");
    assert_eq!(limit_words(1_234_567), "1.18 MiB/s");
}

#[test]
fn a_cut_path_gives_up_its_folders_first() {
    let path = "iso/debian-12.9.0.iso";
    assert_eq!(cut_path(path, 21), path);
    assert_eq!(cut_path(path, 20), "…/debian-12.9.0.iso");
    assert_eq!(cut_path(path, 17), "debian-12.9.0.iso");
    assert_eq!(cut_path(path, 15), "debian-…9.0.iso");
    assert_eq!(cut_path("debian-12.9.0.iso", 15), "debian-…9.0.iso");
}

#[test]
fn a_cut_name_keeps_its_ending_and_its_width() {
    assert_eq!(cut_name("debian-12.iso", 20), "debian-12.iso");
    assert_eq!(
        cut_name("debian-12.9.0-amd64-DVD-1.iso", 15),
        "debian-…D-1.iso"
    );
    assert_eq!(cut("a longer sentence", 9), "a longer…");
    let names = [
        "日本語のとても長いファイル名です.txt",
        "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}.png",
        "👩👩👩👩👩👩👩👩",
        "\u{301}\u{301}\u{301}",
        "\u{1100}\u{1161}\u{11a8}한글",
        "ｶﾞｷﾞｸﾞ",
    ];
    for name in names {
        for room in 0..40 {
            assert!(width(&cut_name(name, room)) <= room, "{name} {room}");
            assert!(width(&cut(name, room)) <= room, "{name} {room}");
        }
    }
    let prank = format!("a{}", "\u{301}".repeat(5_000));
    assert!(cut(&prank, 10).len() < 40);
}

#[test]
fn a_bar_never_outgrows_its_room() {
    assert_eq!(bar(0.0, 10), "");
    assert_eq!(bar(1.0, 4), "████");
    assert_eq!(bar(0.5, 3), "█▌");
    assert_eq!(bar(9.0, 3), "███");
    assert_eq!(bar(f64::NAN, 3), "");
    assert_eq!(bar(-1.0, 3), "");
}

#[test]
fn a_limit_is_read_as_it_is_typed() {
    for (text, rate) in [
        ("10M", 10_000_000),
        ("500k", 500_000),
        (" 2 MiB/s ", 2 << 20),
        ("1234", 1_234),
        ("0.2", 1),
        ("99999999999999999999T", u64::MAX),
    ] {
        assert_eq!(read_limit(text), Ok(Some(rate)), "{text}");
    }
    for text in ["", "0", "  ", "none", "0M"] {
        assert_eq!(read_limit(text), Ok(None), "{text}");
    }
    for text in ["12q", "fast", "-5M", "1e9", "10M10", "M", "."] {
        assert_eq!(read_limit(text), Err(Unmeant), "{text}");
    }
}

#[test]
fn files_and_folders_are_named_where_there_are_any() {
    assert_eq!(kinds(3, 2), "3 files and 2 folders");
    assert_eq!(kinds(1, 0), "1 file");
    assert_eq!(kinds(0, 1), "1 folder");
    assert_eq!(kinds(0, 0), "0 files");
}

#[test]
fn a_limit_is_written_as_it_is_typed() {
    for typed in ["10M", "500k", "2MiB", "3GiB", "7G", "1536KiB", "1001"] {
        let rate = read_limit(typed).ok().flatten();
        assert_eq!(rate.map(write_limit).as_deref(), Some(typed));
    }
    for rate in [0, 1, 999, u64::MAX] {
        assert_eq!(write_limit(rate), rate.to_string());
    }
}
