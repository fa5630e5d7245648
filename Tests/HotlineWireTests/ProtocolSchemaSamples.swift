/// One line of each kind, and lines with one fault each.
extension ProtocolSchemaTests {
  private static let timing =
    #"{"queued":0.1,"first_event":null,"first_text":null,"total":18.2}"#

  private static let account =
    #""requests":2,"input_tokens":1,"cached_input_tokens":0,"output_tokens":1,"cost_usd":null,"#
    + #""unpriced_requests":1"#

  static let daemonLines = [
    #"{"request_id":"a1","type":"response.output_text.delta","delta":"hotline"}"#,
    #"{"request_id":7}"#,
    #"{"request_id":7,"type":17,"upstream_hotline":{}}"#,
    #"{"request_id":"a","type":"error","error":{"code":null},"status":400}"#,
    #"{"type":"error","request_id":null,"error":{"type":"hotline_error","code":"invalid_json","#
      + #""message":"m","param":null},"hotline":{"accepted":false,"retryable":false,"sent":"no"}}"#,
    #"{"type":"error","request_id":"a1","error":{"type":"hotline_error","code":"upstream_auth","#
      + #""message":"m","param":"hotline.upstream"},"hotline":{"accepted":true,"retryable":true,"#
      + #""sent":"unknown","status":401,"close_code":1008,"close_reason":""}}"#,
    #"{"type":"hotline.queued","request_id":"a1","position":3,"reason":"busy"}"#,
    #"{"type":"hotline.raw","request_id":"a1","data":"AAE=","base64":true}"#,
    #"{"type":"hotline.raw","request_id":"a1","data":""}"#,
    #"{"type":"hotline.done","request_id":"a1","outcome":"completed","response_id":"resp_1","#
      + #""upstream":"smartaipi","connection":7,"reused":true,"resent":false,"#
      + #""usage":{"input_tokens":9},"cost_usd":0.0021,"timing_ms":\#(timing),"events":57}"#,
    #"{"type":"hotline.done","request_id":-1,"outcome":"error","response_id":null,"#
      + #""upstream":null,"connection":null,"reused":null,"resent":false,"usage":null,"#
      + #""cost_usd":null,"timing_ms":\#(timing),"events":0}"#,
    #"{"type":"hotline.pong","protocol":1,"version":"0.1","pid":1,"uptime_s":0}"#,
    #"{"type":"hotline.ok"}"#,
    #"{"type":"hotline.ok","request_id":"x","warnings":["socket.path is kept"]}"#,
    #"{"type":"hotline.status","request_id":1,"protocol":1,"version":"0.1","pid":1,"uptime_s":5,"#
      + #""state":"running","upstreams":[{"name":"sim","url":"wss://h/p","proxy":null,"#
      + #""default":true,"state":"ok","last_error":null,"tls":{"handshakes":2,"resumed":1},"#
      + #""saved_bytes":-5,"waiting":0,"lane_names":"echoed","warm_up":"on","#
      + #""warm_ups_sent":1,"warm_ups_failed":0,"rate_limits":[{"name":"requests","limit":500,"#
      + #""remaining":null,"used_percent":12.5,"reset_s":3}],"#
      + #""connections_warm":1,"connections_max":8,"#
      + #""connections":[{"number":1,"state":"ready","age_s":5,"idle_s":null,"rtt_ms":1.5,"#
      + #""requests":3,"lanes":1,"lanes_busy":0,"tls_version":"TLSv1.3","tls_resumed":false,"#
      + #""headers":{"x-request-id":"r"},"deflate":true,"saved_bytes":-5}]}],"#
      + #""queue":{"waiting":0,"max":1024},"clients":[{"number":1,"pid":2,"uid":0,"#
      + #""command":"socat","hung_up":true,"open_requests":1,"unread_bytes":0,"#
      + #""requests":[{"request_id":"a","state":"waiting","age_s":0,"upstream":"sim","#
      + #""connection":null,"model":"m","tag":null}]}],"memory_bytes":0}"#,
    #"{"type":"hotline.stats","protocol":1,"version":"0.1","pid":1,"uptime_s":5,"#
      + #""counters":{"clients_accepted":1,"clients_refused":0,"requests_accepted":1,"#
      + #""requests_refused":0,"requests_hung_up":0,"requests_resent":0,"#
      + #""requests_queued":0,"controls_forwarded":0,"cancels_asked":0,"#
      + #""connections_dialed":1,"dials_failed":0,"#
      + #""pings_sent":0,"warm_ups_sent":0,"warm_ups_failed":0,"#
      + #""affinity_hits":0,"affinity_misses":0,"#
      + #""requests_failed_over":0,"rate_limit_holds":0,"circuits_opened":0,"#
      + #""requests_ended":{"completed":1},"errors":{"timeout":0},"events_delivered":3,"#
      + #""idle_events_ignored":0,"abandoned_events":0,"responses_dropped":0,"#
      + #""responses_drained":0,"connections_opened":1,"connections_lost":0,"#
      + #""connections_closed":{"aged":0}},"latency_ms":[{"upstream":"sim","queued":null,"#
      + #""connect":{"count":1,"mean":1.5,"p50":1,"p90":1,"p99":1,"p999":1,"max":1},"#
      + #""first_event":null,"first_text":null,"total":null}],"usage":{\#(account),"#
      + #""models":[{"model":null,\#(account)}],"upstreams":[{"upstream":"sim",\#(account)}],"#
      + #""tags":[{"tag":"other","uid":null,\#(account)}]},"budgets":[{"tag":null,"#
      + #""usd_per_day":5,"spent_usd":0.1,"resets_at":"midnight"}],"#
      + #""days":[{"date":"2026-11-23","tags":[{"tag":"t","uid":0,\#(account)}]}]}"#,
    #"{"type":"hotline.config","request_id":"a","file":null,"settings":[{"key":"log_level","#
      + #""value":"info","origin":"default"},{"key":"upstream.sim.headers","#
      + #""value":{"x-team":"***"},"origin":"file"},{"key":"upstream.sim.pin_sha256","#
      + #""value":["AA=="],"origin":"flag"}]}"#,
    #"{"type":"hotline.ended","request":{"time":"2026-11-23T02:50:00.123Z","client":7,"pid":12,"#
      + #""uid":0,"command":"socat","request_id":"a","tag":"t","model":"m","outcome":"error","#
      + #""code":"timeout","response_id":null,"upstream":"sim","connection":1,"reused":true,"#
      + #""resent":false,"input_tokens":null,"cached_input_tokens":null,"output_tokens":4,"#
      + #""cost_usd":null,"timing_ms":\#(timing),"events":0}}"#,
  ]

  static let clientLines = [
    #"{"type":"response.create"}"#,
    #"{"type":"response.create","request_id":"a","hotline":{"upstream":"u","conversation":"c","#
      + #""priority":"batch","events":"text","queue_timeout_ms":1,"timeout_ms":86400000,"#
      + #""resend":"unanswered","on_hangup":"finish","tag":"t"},"#
      + #""response":{"model":"m","input":"hi","type":"x","previous_response_id":null}}"#,
    #"{"type":"response.create","stream":true,"background":false,"#
      + #""model":"m","input":[],"previous_response_id":5}"#,
    #"{"type":"response.cancel","request_id":-17}"#,
    #"{"type":"response.steer","request_id":"a","previous_response_id":"resp_1","input":[]}"#,
    #"{"type":"response.inject","request_id":"a","response_id":null}"#,
    #"{"type":"response.interrupt","request_id":"a"}"#,
    #"{"type":"hotline.ping","more":1}"#,
    #"{"type":"hotline.status","request_id":"x"}"#,
    #"{"type":"hotline.stats"}"#,
    #"{"type":"hotline.watch"}"#,
    #"{"type":"hotline.watch","request_id":"w","every_ms":0,"requests":true}"#,
    #"{"type":"hotline.watch","every_ms":null,"requests":null}"#,
    #"{"type":"hotline.config"}"#,
    #"{"type":"hotline.cancel","client":7,"request_id":"a"}"#,
    #"{"type":"hotline.drain"}"#,
    #"{"type":"hotline.reload"}"#,
  ]

  static let plantedInDaemonLines = [
    (#"{"type":"response.completed"}"#, "/request_id"),
    (#"{"request_id":"a","hotline":{},"type":"response.created"}"#, "/hotline"),
    (#"{"type":"hotline.dnoe","request_id":"a"}"#, "/type"),
    (#"{"type":"hotline.ok","request_id":null}"#, "/request_id"),
    (#"{"type":"hotline.ok","warnings":[]}"#, "/warnings"),
    (#"{"type":"hotline.ok","extra":1}"#, "/extra"),
    (#"{"type":"hotline.queued","request_id":"a","position":0,"reason":"busy"}"#, "/position"),
    (
      #"{"type":"hotline.config","file":null,"settings":[{"key":"k","value":null,"#
        + #""origin":"rumour"}]}"#, "/settings/0/origin"
    ),
    (#"{"type":"hotline.ended","request":{"time":"t"}}"#, "/request/client"),
    (#"{"type":"hotline.queued","request_id":"a","position":1,"reason":"tired"}"#, "/reason"),
    (
      #"{"type":"error","request_id":"a","error":{"type":"hotline_error","code":"oops","#
        + #""message":"m","param":null},"hotline":{"accepted":false,"retryable":false,"#
        + #""sent":"no"}}"#, "/error/code"
    ),
    (
      #"{"type":"error","request_id":"a","error":{"type":"hotline_error","code":"timeout","#
        + #""message":"m","param":null},"hotline":{"accepted":false,"sent":"no"}}"#,
      "/hotline/retryable"
    ),
    (
      #"{"type":"hotline.done","request_id":"a","outcome":"completed","response_id":null,"#
        + #""upstream":null,"connection":null,"reused":null,"resent":false,"usage":null,"#
        + #""cost_usd":null,"timing_ms":\#(timing)}"#, "/events"
    ),
  ]

  static let plantedInClientLines = [
    (#"{"type":"hotline.watch","every_ms":99}"#, "/every_ms"),
    (#"{"type":"hotline.watch","requests":1}"#, "/requests"),
    (#"{"type":"hotline.cancel","request_id":"a"}"#, "/client"),
    (#"{"type":"hotline.cancel","client":0,"request_id":"a"}"#, "/client"),
    (#"{"type":"hotline.cancel","client":7}"#, "/request_id"),
    (#"{"request_id":"a"}"#, "/type"),
    (#"{"type":"session.update"}"#, "/type"),
    (#"{"type":"response.create","request_id":""}"#, "/request_id"),
    (#"{"type":"response.create","request_id":1.5}"#, "/request_id"),
    (#"{"type":"response.create","request_id":null}"#, "/request_id"),
    (#"{"type":"response.create","response":null}"#, "/response"),
    (#"{"type":"response.create","response":{},"model":"m"}"#, "/model"),
    (#"{"type":"response.create","response":{"hotline":{}}}"#, "/response/hotline"),
    (#"{"type":"response.create","stream_id":"s"}"#, "/stream_id"),
    (#"{"type":"response.create","background":true}"#, "/background"),
    (#"{"type":"response.create","hotline":{"evnets":"all"}}"#, "/hotline/evnets"),
    (#"{"type":"response.create","hotline":{"timeout_ms":0}}"#, "/hotline/timeout_ms"),
    (#"{"type":"response.create","hotline":{"tag":"a\u0007"}}"#, "/hotline/tag"),
    (#"{"type":"response.cancel"}"#, "/request_id"),
    (
      #"{"type":"response.steer","request_id":"a","previous_response_id":5}"#,
      "/previous_response_id"
    ),
  ]
}
