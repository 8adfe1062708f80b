//! A typed service behind a broker: results, errors, panics.

use privateer::{Broker, CallError, Client, Service, Worker};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Divide {
    dividend: i64,
    divisor: i64,
}

#[tokio::test]
async fn typed_calls_return_results_and_errors() {
    let broker = Broker::bind("tcp://127.0.0.1:*").await.unwrap();
    let endpoint = broker.endpoints()[0].clone();
    let handle = broker.handle();
    let running = tokio::spawn(broker.run());
    let calc = Service::new("calc")
        .method(
            "divide",
            |Divide { dividend, divisor }: Divide| async move {
                dividend.checked_div(divisor).ok_or("division by zero")
            },
        )
        .method("crash", |(): ()| async move {
            if true {
                panic!("on purpose");
            }
            Ok::<(), String>(())
        });
    let worker = Worker::connect(&endpoint, calc).unwrap();
    let stop = worker.handle();
    let working = tokio::spawn(worker.run());
    let client = Client::connect(&endpoint).unwrap();
    let divide = |dividend, divisor| Divide { dividend, divisor };
    assert_eq!(
        client
            .call::<_, i64>("calc.divide", &divide(6, 3))
            .await
            .unwrap(),
        2
    );
    let failed = client.call::<_, i64>("calc.divide", &divide(6, 0)).await;
    assert!(matches!(failed, Err(CallError::Failed { reason }) if reason == "division by zero"));
    let unknown = client.call::<_, i64>("calc.nothing", &()).await;
    assert!(matches!(unknown, Err(CallError::NoSuchMethod { method }) if method == "nothing"));
    let wrong = client.call::<_, i64>("calc.divide", &"text").await;
    assert!(matches!(wrong, Err(CallError::BadRequest { .. })));
    let panicked = client.call::<_, ()>("calc.crash", &()).await;
    assert!(matches!(panicked, Err(CallError::Panicked)));
    let no_method = client.call::<_, ()>("calc", &()).await;
    assert!(matches!(no_method, Err(CallError::NoMethodNamed { .. })));
    assert_eq!(
        client
            .call::<_, i64>("calc.divide", &divide(9, 3))
            .await
            .unwrap(),
        3
    );
    stop.stop();
    assert_eq!(working.await.unwrap().unwrap().requests, 6);
    client.close().await;
    handle.stop();
    running.await.unwrap();
}
