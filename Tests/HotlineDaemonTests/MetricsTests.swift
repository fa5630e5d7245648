import Dispatch
import HotlineCore
import HotlineSystem
import HotlineTransport
import TestSupport
import Testing

@testable import HotlineDaemon

@Suite(.serialized) struct MetricsTests {
  @Test(arguments: [
    ("127.0.0.1:9464", "127.0.0.1", 9464), ("[::1]:0", "::1", 0),
    ("localhost:65535", "localhost", 65535),
  ])
  func anAddressIsOfThisMachine(_ text: String, _ host: String, _ port: Int) {
    #expect(MetricsAddress(text)?.host == host)
    #expect(MetricsAddress(text)?.port == port)
    #expect(MetricsAddress(text)?.description == text)
  }

  @Test(arguments: [
    "", ":9464", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
    "0.0.0.0:9464", "192.168.0.1:9464", "::1:9464", "[::]:9464", "example.com:80", "localhost:1x",
  ])
  func anyOtherIsRefused(_ text: String) {
    #expect(MetricsAddress(text) == nil)
    #expect(
      World("[metrics]\nlisten = \"\(text)\"").problems().first?.contains(
        "is no address and port of this machine alone") == true)
  }

  @Test func whereTheyAreIsConfigured() throws {
    let monitoring = try World(
      """
      access_log = "log/access.json"
      [metrics]
      socket = "~/m.sock"
      listen = "[::1]:1"
      """
    ).load().monitoring
    #expect(monitoring.metricsSocket == "/home/ann/m.sock")
    #expect(monitoring.metricsAddress?.description == "[::1]:1")
    #expect(monitoring.accessLog == .file("/home/ann/.config/hotline/log/access.json"))
    #expect(try World("access_log = \"journal\"").load().monitoring.accessLog == .journal)
    #expect(try World().load().monitoring == Configuration.Monitoring())
    #expect(World("access_log = 1").problems().count == 1)
    #expect(World("access_log = \"\"").problems().count == 1)
  }

  @Test func theTextIsEscaped() {
    var text = PrometheusText()
    text.metric("a_total", .counter, "a\\b\n\"c\"", [(labels: [("l", "x\\y\n\"z\"")], value: 7)])
    text.metric("empty", .gauge, "None.", [] as [(labels: [(String, String)], value: Int)])
    text.metric("b", .gauge, "B.", [(labels: [], value: 0.25)])
    #expect(
      text.text == """
        # HELP a_total a\\\\b\\n"c"
        # TYPE a_total counter
        a_total{l="x\\\\y\\n\\"z\\""} 7
        # HELP b B.
        # TYPE b gauge
        b 0.25

        """)
  }

  @Test func histogramsAreCumulative() {
    var histogram = LatencyHistogram()
    for milliseconds in [1, 40, 40, 3000] { histogram.record(.milliseconds(milliseconds)) }
    var text = PrometheusText()
    text.histogram("h", [("u", "x")], histogram, bounds: [10, 50, 1000])
    #expect(
      text.text == """
        h_bucket{u="x",le="0.01"} 1
        h_bucket{u="x",le="0.05"} 3
        h_bucket{u="x",le="1.0"} 3
        h_bucket{u="x",le="+Inf"} 4
        h_sum{u="x"} 3.081
        h_count{u="x"} 4

        """)
  }

  @Test func thePageHasWhatWasCounted() throws {
    let rig = try LoopRig { configuration in
      configuration.budgets.perDay = 2
      configuration.budgets.perDayByTag = ["night": 1]
    }
    let page = try rig.onLoop { daemon in
      daemon.open()
      daemon.calendar = { _ in StatisticsTests.day(1) }
      daemon.spending.spent(0.5, tag: "night", on: StatisticsTests.day(1))
      // The same label of two users is one.
      for uid: UInt32 in [1, 2] {
        daemon.statistics.requestEnded(
          StatisticsTests.end(model: nil, tag: "night", uid: uid, upstream: "test", cost: 0.25),
          on: StatisticsTests.day(1))
      }
      return MetricsPage.text(daemon)
    }
    for line in [
      "hotline_upstream_up{upstream=\"test\"} 1",
      "hotline_upstream_connections{upstream=\"test\",state=\"ready\"} 1",
      "hotline_upstream_connections{upstream=\"test\",state=\"busy\"} 0",
      "hotline_requests_ended_total{outcome=\"completed\"} 0",
      "hotline_responses_drained_total 0",
      "hotline_idle_events_ignored_total 0",
      "hotline_tag_requests_total{tag=\"night\"} 2",
      "hotline_tag_cost_usd_total{tag=\"night\"} 0.5",
      "hotline_model_tokens_total{model=\"none\",kind=\"input\"} 6",
      "hotline_budget_usd{tag=\"\"} 2.0",
      "hotline_budget_spent_usd{tag=\"night\"} 0.5",
      "hotline_request_duration_seconds_count{upstream=\"test\"} 2",
    ] {
      #expect(page.contains(line + "\n"), "\(line) is missing in \(page)")
    }
  }

  @Test func theRoundTripIsThatOfTheLatestPing() throws {
    let rig = try LoopRig()
    let pages = try rig.onLoop { daemon in
      daemon.open()
      let before = MetricsPage.text(daemon)
      let later = daemon.now.advanced(by: .seconds(30))
      for case .sendPing(let number, let id) in daemon.broker.deadlineReached(at: later) {
        let answered = later.advanced(by: .milliseconds(20))
        _ = daemon.broker.pongReceived(
          id: id, on: number, of: UpstreamIndex(0), at: answered)
      }
      return (before, MetricsPage.text(daemon))
    }
    #expect(!pages.0.contains("round_trip"))
    #expect(pages.1.contains("hotline_upstream_round_trip_seconds{upstream=\"test\"} 0.02\n"))
  }

  /// As a reload has it: a file that was moved away is made again.
  @Test func endsOfRequestsAreNoted() throws {
    let directory = try TemporaryDirectory()
    let path = directory("access")
    let rig = try LoopRig { $0.monitoring.accessLog = .file(path) }
    try rig.onLoop { daemon in
      daemon.openAccessLog()
      daemon.open()
    }
    let client = try rig.connect()
    try client.write(request("a", #"{"tag":"night"}"#, input: "a secret question"))
    #expect(try rig.waits { $0.link?.running != nil })
    try rig.onLoop { $0.answer(created, delta, completed) }
    _ = try client.readLines(4)
    DaemonLoop.disk.wait()
    let surroundings = Surroundings.process
    let bytes = try surroundings.readFile(path, 1 << 20).get()
    #expect(bytes.last == 0x0A && bytes.count { $0 == 0x0A } == 1)
    let line = try JSON(parsing: bytes)
    #expect(line.request_id.string == "a")
    #expect(line.tag.string == "night")
    #expect(line.outcome.string == "completed")
    #expect(!String(decoding: bytes, as: UTF8.self).contains("secret"))
    try rig.onLoop { daemon in
      daemon.configuration.monitoring.accessLog = nil
      daemon.openAccessLog()
      #expect(daemon.accessLog == nil)
    }
  }
}
