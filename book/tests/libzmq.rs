//! The chapter for those who come from libzmq leaves out none of its functions and socket types.

const CHAPTER: &str = include_str!("../src/libzmq.md");

/// The functions of zmq.h, version 4.3, drafts included, without `zmq_`.
const FUNCTIONS: &str = "
    atomic_counter_dec atomic_counter_destroy atomic_counter_inc atomic_counter_new atomic_counter_set
    atomic_counter_value bind close connect connect_peer ctx_destroy ctx_get ctx_get_ext ctx_new ctx_set ctx_set_ext
    ctx_shutdown ctx_term curve_keypair curve_public device disconnect disconnect_peer errno getsockopt has init join
    leave msg_close msg_copy msg_data msg_get msg_gets msg_group msg_init msg_init_buffer msg_init_data msg_init_size
    msg_more msg_move msg_recv msg_routing_id msg_send msg_set msg_set_group msg_set_routing_id msg_size poll poller_add
    poller_add_fd poller_destroy poller_fd poller_modify poller_modify_fd poller_new poller_remove poller_remove_fd
    poller_size poller_wait poller_wait_all ppoll proxy proxy_steerable recv recviov recvmsg send send_const sendiov
    sendmsg setsockopt sleep socket socket_get_peer_state socket_monitor socket_monitor_pipes_stats
    socket_monitor_versioned stopwatch_intermediate stopwatch_start stopwatch_stop strerror term threadclose threadstart
    timers_add timers_cancel timers_destroy timers_execute timers_new timers_reset timers_set_interval timers_timeout
    unbind version z85_decode z85_encode
";

/// Its socket types, without `ZMQ_`.
const TYPES: &str = "
    CHANNEL CLIENT DEALER DGRAM DISH GATHER PAIR PEER PUB PULL PUSH RADIO REP REQ ROUTER SCATTER SERVER STREAM SUB XPUB
    XSUB
";

#[test]
fn each_function_of_libzmq_is_accounted_for() {
    for name in FUNCTIONS.split_whitespace() {
        let parts = name.match_indices('_').map(|(end, _)| &name[..end]);
        let is_one_of = |family: &str| CHAPTER.contains(&format!("`zmq_{family}_*`"));
        let is_named = CHAPTER.contains(&format!("`zmq_{name}`"));
        assert!(is_named || parts.into_iter().any(is_one_of), "zmq_{name}");
    }
}

#[test]
fn each_socket_type_of_libzmq_is_accounted_for() {
    for name in TYPES.split_whitespace() {
        assert!(CHAPTER.contains(&format!("`ZMQ_{name}`")), "ZMQ_{name}");
    }
}
