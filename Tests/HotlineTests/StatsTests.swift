import Testing

@testable import hotline

/// The page that `stats` makes of the daemon's line.
@Suite struct StatsTests {
  private static let line =
    #"{"type":"hotline.stats","protocol":1,"version":"9.8.7","pid":4321,"uptime_s":75,"#
    + #""counters":{"clients_accepted":3,"requests_ended":{"completed":2,"failed":0,"error":1},"#
    + #""responses_drained":0,"errors":{"timeout":0}},"#
    + #""latency_ms":[{"upstream":"a\u001b","queued":{"count":3,"mean":0.2,"p50":0.1,"p90":0.4,"#
    + #""p99":0.41,"p999":0.5,"max":0.52},"connect":null,"first_event":null,"first_text":null,"#
    + #""total":{"count":3,"mean":1840.2,"p50":900.0,"p90":3000.0,"p99":60000.0,"p999":60000.0,"#
    + #""max":61000.0}}],"#
    + #""usage":{"requests":3,"input_tokens":36,"cached_input_tokens":30,"output_tokens":87,"#
    + #""cost_usd":0.0021,"unpriced_requests":1,"models":[{"model":"m","requests":2,"#
    + #""input_tokens":36,"cached_input_tokens":30,"output_tokens":87,"cost_usd":0.0021,"#
    + #""unpriced_requests":0},{"model":null,"requests":1,"input_tokens":0,"#
    + #""cached_input_tokens":0,"output_tokens":0,"cost_usd":null,"unpriced_requests":1}],"#
    + #""upstreams":[],"tags":[{"tag":"ni\nght","uid":7,"requests":3,"input_tokens":36,"#
    + #""cached_input_tokens":30,"output_tokens":87,"cost_usd":null,"unpriced_requests":3}]},"#
    + #""budgets":[{"tag":null,"usd_per_day":5,"spent_usd":1.25,"#
    + #""resets_at":"2026-11-24T00:00:00+01:00"}],"#
    + #""days":[{"date":"2026-11-23","requests":3,"input_tokens":36,"cached_input_tokens":30,"#
    + #""output_tokens":87,"cost_usd":12.5,"unpriced_requests":0,"models":[],"upstreams":[],"#
    + #""tags":[]}]}"#

  private static let page = """
    hotlined 9.8.7, pid 4321, up 1 min 15 s

    LATENCY  COUNT  MEAN     P50     P90      P99     MAX     OF
    queued   3      0.2 ms   0.1 ms  0.4 ms   0.4 ms  0.5 ms  a
    total    3      1840 ms  900 ms  3000 ms  60.0 s  61.0 s  a

    REQUESTS  INPUT  CACHED  OUTPUT  COST        MODEL
    2         36     30      87      0.0021 USD  m
    1         0      0       0       -           -

    REQUESTS  INPUT  CACHED  OUTPUT  COST  TAG
    3         36     30      87      -     ni ght

    REQUESTS  INPUT  CACHED  OUTPUT  COST         DAY
    3         36     30      87      12.5000 USD  2026-11-23

    SPENT TODAY  OF          UNTIL                      BY TAG
    1.2500 USD   5.0000 USD  2026-11-24T00:00:00+01:00  all

    clients_accepted  3
    requests_ended    2 completed, 1 error

    """

  private func daemon(_ line: String) -> FakeDaemon {
    FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"hotline.stats"}"#)
      client.send(line)
      _ = client.readToEnd()
    }
  }

  @Test func thePageFitsAndLeavesOutWhatIsNot() {
    let daemon = daemon(Self.line)
    let ending = Program("stats", socket: daemon.path).finish()
    #expect(ending == .init(status: 0, output: Self.page, error: ""))
  }

  @Test func theLineIsThereAsItIs() {
    let daemon = daemon(Self.line)
    let ending = Program("stats", "--json", socket: daemon.path).finish()
    #expect(ending == .init(status: 0, output: Self.line + "\n", error: ""))
  }

  /// As other users get it.
  @Test func labelsAloneAreAPageToo() {
    let line = #"{"type":"hotline.stats","usage":{"tags":[]},"days":[{"date":"d","tags":[]}]}"#
    let daemon = daemon(line)
    let ending = Program("stats", socket: daemon.path).finish()
    #expect(ending == .init(status: 0, output: "hotlined -, pid -, up -\n", error: ""))
  }
}
