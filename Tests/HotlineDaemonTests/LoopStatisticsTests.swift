import Glibc
import HotlineCore
import TestSupport
import Testing

@testable import HotlineDaemon

/// `hotline.stats`, and what it counts.
@Suite(.serialized) struct LoopStatisticsTests {
  private func stats(_ rig: LoopRig) throws -> JSON {
    try JSON(parsing: try rig.connect().asking(#"{"type":"hotline.stats","request_id":7}"#))
  }

  private let completed = #"""
    {"type":"response.completed","response":{"id":"resp_1","usage":{"input_tokens":36,
    "input_tokens_details":{"cached_tokens":30},"output_tokens":87}}}
    """#

  @Test func aFreshDaemonHasDoneNothing() throws {
    let stats = try stats(try LoopRig())
    #expect(stats.type.string == "hotline.stats")
    #expect(stats.request_id.integer == 7)
    #expect(stats.counters.clients_accepted.integer == 1)
    #expect(stats.counters.requests_ended.completed.integer == 0)
    #expect(stats.counters.errors.names == Set(HotlineError.Code.allCases.map(\.rawValue)))
    #expect(
      stats.counters.connections_closed.names == Set(CloseReason.allCases.map(\.rawValue)))
    #expect(stats.latency_ms == .array([]))
    #expect(stats.usage.requests.integer == 0)
    #expect(stats.usage.cost_usd == .null)
    #expect(stats.days == .array([]))
  }

  /// Every counter that the core keeps is shown.
  @Test func noCounterIsForgotten() throws {
    let counters = Counters()
    let names = Mirror(reflecting: counters).children.compactMap(\.label).map { name in
      name.map { $0.isUppercase ? "_\($0.lowercased())" : "\($0)" }.joined()
    }
    #expect(names.count >= 16)
    let shown = counters.entries.map { $0.name == "errors" ? "errors_by_code" : $0.name }
    #expect(Set(shown) == Set(names))
  }

  @Test func whatARequestUsedIsCountedAtItsEnd() throws {
    let rig = try LoopRig()
    try rig.onLoop { daemon in
      daemon.calendar = { _ in StatisticsTests.day(5) }
      daemon.open()
    }
    let client = try rig.connect()
    try client.write(request("a", #"{"tag":"night"}"#))
    #expect(try rig.waits { $0.link?.running != nil })
    let completed = completed.filter { $0 != "\n" }
    try rig.onLoop { $0.answer(created, delta, completed) }
    _ = try client.readLines(4)
    let stats = try stats(rig)
    #expect(stats.usage.requests.integer == 1)
    #expect(stats.usage.input_tokens.integer == 36)
    #expect(stats.usage.cached_input_tokens.integer == 30)
    #expect(stats.usage.output_tokens.integer == 87)
    #expect(stats.usage.cost_usd == .null)
    #expect(stats.usage.unpriced_requests.integer == 1)
    #expect(stats.usage.models[0].model.string == "m")
    #expect(stats.usage.upstreams[0].upstream.string == "test")
    #expect(stats.usage.tags[0].tag.string == "night")
    #expect(stats.usage.tags[0].uid.integer == Int(getuid()))
    #expect(stats.days[0].date.string == "2026-01-05")
    #expect(stats.days[0].tags[0].input_tokens.integer == 36)
    let latency = stats.latency_ms[0]
    #expect(latency.upstream.string == "test")
    for kind in UpstreamLatencies.Kind.allCases {
      #expect(latency[kind.rawValue].count.integer == 1, "\(kind)")
    }
    #expect(stats.counters.requests_ended.completed.integer == 1)
  }

  /// What was cancelled has used what nobody knows.
  @Test func requestsWithoutUsageAreCountedToo() throws {
    let rig = try LoopRig()
    let client = try rig.connect()
    try client.write(request("a"))
    #expect(try rig.waits { $0.requests.count == 1 })
    try client.write(#"{"type":"response.cancel","request_id":"a"}"# + "\n")
    _ = try client.readLines(1)
    let stats = try stats(rig)
    #expect(stats.usage.requests.integer == 1)
    #expect(stats.usage.unpriced_requests.integer == 0)
    let name = stats.usage.tags[0].tag.string
    #expect(name?.isEmpty == false && name != "?", "the command's name")
    #expect(stats.latency_ms[0].queued == .null, "it never had a connection")
    #expect(stats.latency_ms[0].total.count.integer == 1)
  }

  @Test func othersSeeTheirOwnLabelsAlone() throws {
    let rig = try LoopRig()
    try rig.onLoop { daemon in
      for uid: UInt32 in [4, 5] {
        daemon.statistics.requestEnded(StatisticsTests.end(uid: uid), on: StatisticsTests.day(1))
      }
    }
    let line = try rig.onLoop { daemon in
      var bytes: [UInt8] = []
      StatsLine(daemon, echo: nil, for: 5, at: daemon.now).append(to: &bytes)
      return bytes
    }
    let stats = try JSON(parsing: line)
    #expect(stats.usage.names == ["tags"])
    #expect(stats.usage.tags.array.map(\.uid.integer) == [5])
    #expect(stats.days[0].names == ["date", "tags"])
  }
}
