//! Plans as text.

use super::*;

#[test]
fn a_plan_can_be_read() {
    let config = config(CONTRACT, "");
    insta::assert_snapshot!(crate::plan::describe(&resolved(&config, &selection("demo", "build_flow"))), @r"
hyperkit: scenario `build_flow` in environment `demo`
target: started with `loadgate demo-api --listen {{ address }}`, ready when /health answers, within 1m
load: 0 to 100 users in 2s, 100 users for 28s; 28s judged, drain 5s
limits: 30s a request, 64 MiB a body
seed: 42
digest: e700a441b82f82b78056edb3ee7cc02927c461a0549c2f7ba56b31b1d8cd8a8f
users:
  primary: 20, wait 1s..3s, first `authenticate`
     47.6 % create_build
     23.8 % check_build_status
     14.3 % list_builds
      9.5 % dashboard_stats
      4.8 % download_code
  heavy: 20, wait 500ms..1s, first `authenticate`
     47.6 % create_build
     23.8 % check_build_status
     14.3 % list_builds
      9.5 % dashboard_stats
      4.8 % download_code
  light: 60, wait 5s..10s
    100.0 % browse_dashboard
endpoints:
  POST /api/v1/auth/test-token
  POST /api/v1/builds
  GET /api/v1/builds/{id}
  GET /api/v1/builds
  GET /api/v1/users/me/stats
  GET /api/v1/builds/{id}/code
custom metrics:
  build_created
objectives:
  all requests: p95 at most 2s
  all requests: p99 at most 5s
  all requests: error_rate at most 1 %
  POST /api/v1/builds: p95 at most 3s
  GET /api/v1/builds/{id}: p95 at most 500ms
  GET /api/v1/builds: p95 at most 1s
  WS /ws/builds/{id}: connect_p95 at most 1s (of another scenario)
  WS /ws/builds/{id}: missing_messages at most 0 (of another scenario)
  WS /ws/builds/{id}: unexpected_closes at most 0 (of another scenario)
  build_done: p95 at most 10s (of another scenario)
");
}

#[test]
fn objectives_of_sockets_and_long_times_can_be_read() {
    let config = config(CONTRACT, "");
    insta::assert_snapshot!(crate::plan::describe(&resolved(&config, &selection("staging", "websocket_load"))), @r"
hyperkit: scenario `websocket_load` in environment `staging`
target: https://staging-api.hyperkit.io/
load: 0 to 50 users in 10s, 50 users for 14m50s; 14m50s judged, drain 5s
limits: 30s a request, 64 MiB a body
seed: 42
digest: 862f8f97a60e4c4552723df3d9378f70da96692647ae2a6806d3ecec3a0907b6
users:
  watcher: 50, wait 1s..2s, first `authenticate`
     75.0 % follow_build
     25.0 % echo
endpoints:
  POST /api/v1/auth/test-token
  POST /api/v1/builds
  WS /ws/builds/{id}
  WS /ws/echo
custom metrics:
  build_started
  build_done
  WS echo round trip
objectives:
  all requests: p95 at most 2s
  all requests: p99 at most 5s
  all requests: error_rate at most 1 %
  POST /api/v1/builds: p95 at most 3s
  GET /api/v1/builds/{id}: p95 at most 500ms (of another scenario)
  GET /api/v1/builds: p95 at most 1s (of another scenario)
  WS /ws/builds/{id}: connect_p95 at most 1s
  WS /ws/builds/{id}: missing_messages at most 0
  WS /ws/builds/{id}: unexpected_closes at most 0
  build_done: p95 at most 10s
");
}
