//! `zcat` sends, receives and echoes with any type of socket.

mod support;

use support::process::{Ended, Process};

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

/// Starts `zcat`, with a command line divided at spaces.
fn zcat(arguments: &str) -> Process {
    Process::start("zcat", &arguments.split(' ').collect::<Vec<_>>())
}

/// Starts a `zcat` that binds, and one that connects to it; returns the lines of both.
async fn pair(bound: &str, connected: &str) -> [Vec<String>; 2] {
    let mut bound = zcat(&format!("{bound} --bind {ANY}"));
    let endpoint = bound.listening().await;
    let connected = zcat(&format!("{connected} --connect {endpoint}"));
    let connected = connected.end().await.well();
    [bound.end().await.well(), connected]
}

#[tokio::test]
async fn push_sends_frames_to_pull() {
    let [pulled, pushed] = pair(
        "pull --count 3",
        "push --send one --send two --frame more --send -3",
    )
    .await;
    assert_eq!(pulled, ["one", "two\tmore", "-3"]);
    assert!(pushed.is_empty());
}

#[tokio::test]
async fn json_is_an_array_of_frames() {
    let [pulled, _] = pair(
        "pull --count 2 --json",
        "push --send a\"b --frame c --send \u{b5}",
    )
    .await;
    assert_eq!(pulled, [r#"["a\"b","c"]"#, "[\"\u{b5}\"]"]);
}

#[tokio::test]
async fn sub_gets_what_it_subscribes_to() {
    let send = "--send weather.a --frame 1 --send wind.b --send weather.c --wait-peers 1";
    let [published, subscribed] = pair(
        &format!("pub {send}"),
        "sub --subscribe weather. --subscribe x --count 2",
    )
    .await;
    assert_eq!(subscribed, ["weather.a\t1", "weather.c"]);
    assert!(published.is_empty());
    // Without a topic it gets all.
    let [subscribed, _] = pair("sub --count 3", &format!("xpub {send}")).await;
    assert_eq!(subscribed, ["weather.a\t1", "wind.b", "weather.c"]);
}

/// A collector takes what is published and what is pushed.
#[tokio::test]
async fn a_collector_receives_of_both_kinds() {
    let mut collector = zcat(&format!("collector --bind {ANY} --subscribe a --count 2"));
    let endpoint = collector.listening().await;
    let push = format!("push --connect {endpoint} --send pushed");
    assert!(zcat(&push).end().await.well().is_empty());
    assert_eq!(collector.line().await, "pushed");
    let publish = format!("pub --connect {endpoint} --wait-peers 1 --send abc --send b");
    assert!(zcat(&publish).end().await.well().is_empty());
    assert_eq!(collector.end().await.well(), ["abc"]);
}

/// A stream shows who is there, and sends raw octets back.
#[tokio::test]
async fn a_stream_echoes_raw_octets() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = zcat(&format!("stream --bind {ANY} --echo --json"));
    let endpoint = stream.listening().await;
    let address = endpoint.strip_prefix("tcp://");
    let connecting = tokio::net::TcpStream::connect(address.expect("it listens on tcp"));
    let mut client = connecting.await.expect("it listens");
    client.write_all(b"hello\r\n").await.expect("it reads");
    let mut received = [0; 7];
    let reading = client.read_exact(&mut received);
    reading.await.expect("it answers");
    assert_eq!(&received, b"hello\r\n");
    let line = stream.line().await;
    assert!(line.ends_with(",\"hello\\r\\n\"]"), "{line}");
    stream.signal("TERM");
    stream.end().await.well();
}

#[tokio::test]
async fn xpub_shows_subscriptions_and_what_xsub_sends() {
    let [shown, _] = pair(
        "xpub --count 2",
        "xsub --subscribe a --wait-peers 1 --send up",
    )
    .await;
    assert_eq!(shown, ["\\x01a", "up"]);
}

#[tokio::test]
async fn lines_of_standard_input_are_messages() {
    let mut bound = zcat(&format!("dealer --echo --count 3 --bind {ANY} --json"));
    let endpoint = bound.listening().await;
    let mut connected = zcat(&format!("dealer --stdin --count 3 --connect {endpoint}"));
    connected.type_in(b"one\n\n\xff\xfe").await;
    assert_eq!(connected.end().await.well(), ["one", "", "\\xff\\xfe"]);
    assert_eq!(
        bound.end().await.well(),
        [r#"["one"]"#, r#"[""]"#, r#"[{"hex":"fffe"}]"#]
    );
}

#[tokio::test]
async fn rep_echoes_what_req_asks() {
    for correlate in ["", " --correlate"] {
        let [asked, replied] = pair(
            "rep --echo --count 2",
            &format!("req --send a --send b --frame c{correlate}"),
        )
        .await;
        assert_eq!(
            (&asked[..], &replied[..]),
            (&["a".to_owned(), "b\tc".to_owned()][..], &asked[..])
        );
    }
}

#[tokio::test]
async fn rep_replies_in_turn() {
    let [_, replied] = pair(
        "rep --send x --send y --count 3",
        "req --send 1 --send 2 --send 3",
    )
    .await;
    assert_eq!(replied, ["x", "y", "x"]);
    let [asked, replied] = pair("rep --send once", "req --send 1").await;
    assert_eq!((&*asked[0], &*replied[0]), ("1", "once"));
}

#[tokio::test]
async fn router_puts_the_routing_id_before_the_message() {
    let dealer = "dealer --routing-id D --send hi --frame there --count 1";
    let [routed, echoed] = pair("router --echo --count 1", dealer).await;
    assert_eq!((&*routed[0], &*echoed[0]), ("D\thi\tthere", "hi\tthere"));
    let [_, dealt] = pair(
        "router --wait-peers 1 --send D --frame first",
        "dealer --routing-id D --count 1",
    )
    .await;
    assert_eq!(dealt, ["first"]);
}

#[tokio::test]
async fn pairs_talk_both_ways() {
    let [left, right] = pair("pair --send left --count 1", "pair --send right --count 1").await;
    assert_eq!((&*left[0], &*right[0]), ("right", "left"));
}

#[tokio::test]
async fn messages_go_again_and_again_at_an_interval() {
    let [pulled, _] = pair(
        "pull --count 5",
        "push --send a --send b --interval 1 --count 5",
    )
    .await;
    assert_eq!(pulled, ["a", "b", "a", "b", "a"]);
}

#[tokio::test]
async fn messages_wait_for_the_number_of_peers() {
    let mut push = zcat(&format!(
        "push --bind {ANY} --wait-peers 2 --send a --send b"
    ));
    let endpoint = push.listening().await;
    let pulls = [1, 2].map(|_| zcat(&format!("pull --count 1 --connect {endpoint}")));
    push.end().await.well();
    let mut pulled = Vec::new();
    for pull in pulls {
        pulled.extend(pull.end().await.well());
    }
    pulled.sort();
    assert_eq!(pulled, ["a", "b"]);
}

#[tokio::test]
async fn several_endpoints_are_told_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let ipc = format!("ipc://{}/zcat", directory.path().display());
    let mut pull = zcat(&format!("pull --bind {ipc} --bind {ANY} --count 2"));
    assert_eq!(pull.listening().await, ipc);
    let tcp = pull.listening().await;
    zcat(&format!(
        "push --connect {ipc} --connect {tcp} --send a --send b --wait-peers 2"
    ))
    .end()
    .await
    .well();
    let mut pulled = pull.end().await.well();
    pulled.sort();
    assert_eq!(pulled, ["a", "b"]);
}

#[tokio::test]
async fn silence_for_the_timeout_fails() {
    for arguments in [
        "pull --timeout 20 --connect tcp://127.0.0.1:1",
        "push --timeout 20 --send a --connect tcp://127.0.0.1:1",
        "req --timeout 20 --send a --connect tcp://127.0.0.1:1",
        "push --timeout 20 --send a --wait-peers 1 --connect tcp://127.0.0.1:1",
    ] {
        assert_eq!(zcat(arguments).end().await.code, Some(1), "{arguments}");
    }
}

#[tokio::test]
async fn a_signal_ends_what_would_go_on() {
    let mut pull = zcat(&format!("pull --bind {ANY}"));
    let endpoint = pull.listening().await;
    zcat(&format!("push --send a --connect {endpoint}"))
        .end()
        .await
        .well();
    assert_eq!(pull.line().await, "a");
    pull.signal("TERM");
    assert!(pull.end().await.well().is_empty());
}

#[tokio::test]
async fn what_is_wrong_is_told_in_one_line_with_the_remedy() {
    for (arguments, remedy) in [
        ("push --send a", "--bind"),
        ("foo --bind tcp://*:0", "take req, rep"),
        ("sub --connect tcp://a:1 --send x", "leave out --send"),
        ("pub --bind tcp://*:0", "give --send or --stdin"),
        (
            "pull --connect tcp://a:1 --subscribe x",
            "leave out --subscribe",
        ),
        ("push --connect tcp://a:1", "give --send or --stdin"),
        ("req --connect tcp://a:1", "give --send or --stdin"),
        ("rep --bind tcp://*:0", "give either --echo"),
        ("pull --connect tcp://a:1 --send a", "leave out --send"),
        (
            "push --connect tcp://a:1 --send a --echo",
            "leave out --echo",
        ),
        (
            "push --connect tcp://a:1 --send a --routing-id x",
            "leave out --routing-id",
        ),
        (
            "dealer --connect tcp://a:1 --send a --correlate",
            "leave out --correlate",
        ),
        (
            "push --connect tcp://a:1 --frame a --send b",
            "begin it with --send",
        ),
        ("push --connect tcp://a:1 --snd a", "--send"),
        ("pull --connect tcp://a", "write host:port"),
        ("pull --connect tcp://*:5555", "tcp://localhost:5555"),
    ] {
        let Ended {
            code,
            lines,
            errors,
        } = zcat(arguments).end().await;
        assert_eq!(
            (code, lines.len(), errors.lines().count()),
            (Some(2), 0, 1),
            "{errors}"
        );
        assert!(errors.contains(remedy), "{arguments} says {errors}");
    }
}
