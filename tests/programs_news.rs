//! The programs that publish, `wuserver` and `wuclient`, and the web server on a STREAM.

mod support;

use privateer::core::{Linger, PubSocket, SubSocket};
use support::process::Process;
use support::sockets::soon;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An endpoint with a free port.
const ANY: &str = "tcp://127.0.0.1:*";

#[tokio::test]
async fn the_weather_of_one_place_has_an_average() {
    let mut server = Process::start("wuserver", &["--endpoint", ANY]);
    let endpoint = server.listening().await;
    let arguments = ["--endpoint", &endpoint, "--zipcode", "10001"];
    let lines = Process::run("wuclient", &[&arguments[..], &["--count", "2"]].concat())
        .await
        .well();
    assert_eq!(lines[0], "Collecting updates from weather server...");
    let average = lines[1].strip_prefix("Average temperature for zipcode '10001' was ");
    let average = average.and_then(|rest| rest.strip_suffix('F')).unwrap();
    assert!((-80..135).contains(&average.parse::<i32>().unwrap()));
    server.signal("TERM");
    assert!(server.end().await.well().is_empty());
}

/// What the server publishes is of the form that the guide's client reads.
#[tokio::test]
async fn the_weather_server_speaks_as_the_guides() {
    let mut server = Process::start("wuserver", &["--endpoint", ANY]);
    let subscriber = SubSocket::new().unwrap();
    subscriber.connect(&*server.listening().await).unwrap();
    subscriber.subscribe("").unwrap();
    for _ in 0..100 {
        let report = soon(subscriber.recv()).await.unwrap();
        let report = String::from_utf8(report[0].to_vec()).unwrap();
        let [zipcode, temperature, humidity] = *report.split(' ').collect::<Vec<_>>() else {
            panic!("{report}");
        };
        assert_eq!((zipcode.len(), report.len() - report.trim().len()), (5, 0));
        assert!(zipcode.parse::<u32>().unwrap() < 100_000);
        assert!((-80..135).contains(&temperature.parse::<i32>().unwrap()));
        assert!((10..60).contains(&humidity.parse::<i32>().unwrap()));
    }
    server.signal("INT");
    assert!(server.end().await.well().is_empty());
}

/// The client takes the reports of its place alone, and counts them exactly.
#[tokio::test]
async fn the_weather_client_hears_of_its_place_alone() {
    let publisher = PubSocket::new().unwrap();
    let endpoint = publisher.bind(ANY).await.unwrap().to_string();
    let arguments = [
        "--endpoint",
        &endpoint,
        "--zipcode",
        "00042",
        "--count",
        "3",
        "--json",
    ];
    let client = Process::start("wuclient", &arguments);
    soon(publisher.wait_for("00042 ", 1)).await;
    for report in [
        "00042 10 1",
        "00041 99 1",
        "000420 99 1",
        "00042 20 1",
        "00042 -3 1",
    ] {
        publisher.send(report).await.unwrap();
    }
    let lines = client.end().await.well();
    assert_eq!(lines, [r#"{"average":9,"reports":3,"zipcode":"00042"}"#]);
    let _unsent = publisher.close_with(Linger::Discard).await;
}

/// K17: a web server on a STREAM: requests in pieces, several at once, each connection closed when its page is out.
#[tokio::test]
async fn the_web_server_answers_each_request_and_closes() {
    let mut server = Process::start("httpserver", &["--endpoint", ANY]);
    let endpoint = server.listening().await;
    let address = endpoint.strip_prefix("tcp://").unwrap();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET /page HTTP/1.1\r\nHos")
            .await
            .unwrap();
        clients.push(client);
    }
    // One that asks for nothing holds nobody up, and one that goes away neither.
    let silent = TcpStream::connect(address).await.unwrap();
    drop(clients.remove(0));
    for mut client in clients {
        client.write_all(b"t: example\r\n\r\n").await.unwrap();
        let mut page = String::new();
        soon(client.read_to_string(&mut page)).await.unwrap();
        assert!(page.starts_with("HTTP/1.0 200 OK\r\n"), "{page}");
        assert!(page.ends_with("\r\n\r\nHello, World!\n"), "{page}");
    }
    drop(silent);
    server.signal("TERM");
    assert_eq!(server.end().await.well(), ["GET /page HTTP/1.1"; 2]);
}
