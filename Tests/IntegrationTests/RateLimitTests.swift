import Foundation
import TestSupport
import Testing

/// A server says that a limit is used up, in each of the ways that servers have.
struct RateLimitTests {
  /// How it is said, and what it is called.
  enum Way: CaseIterable {
    case handshake, realtimesEvent, codexsEvent, error

    var name: String {
      switch self {
      case .handshake, .realtimesEvent: "requests"
      case .codexsEvent: "primary"
      case .error: "retry-after"
      }
    }

    /// Further flags of the simulator.
    fileprivate var flags: [String] {
      guard self == .handshake else { return [] }
      return [
        "--upgrade-headers",
        "x-ratelimit-limit-requests: 60; x-ratelimit-remaining-requests: 0; "
          + "x-ratelimit-reset-requests: 4s500ms",
      ]
    }

    fileprivate var event: String? {
      switch self {
      case .handshake: nil
      case .realtimesEvent:
        #"{"type":"rate_limits.updated","rate_limits":[{"name":"requests","limit":60,"#
          + #""remaining":0,"reset_seconds":4.5}]}"#
      case .codexsEvent:
        #"{"type":"codex.rate_limits","rate_limits":{"primary":{"used_percent":100,"#
          + #""reset_after_seconds":4.5}}}"#
      case .error:
        #"{"type":"error","status":429,"error":{"type":"rate_limit_error","#
          + #""code":"rate_limit_exceeded","message":"later"},"headers":{"retry-after-ms":"4500"}}"#
      }
    }
  }

  /// The daemon once its server has said so.
  private func rig(_ way: Way, _ upstream: String = "") throws -> Rig {
    let rig = try Rig(way.flags, upstream: "connections_max = 1\n" + upstream)
    guard let event = way.event else { return rig }
    guard way == .error else {
      try rig.simulator.command("send " + event)
      return rig
    }
    // As what it is: the end of a request, whose client gets it whole.
    let client = try rig.client()
    try client.send(request("[[fault: silence after 2]] x", id: "refused"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    _ = try client.lines(upTo: "its response") { $0.kind == "response.in_progress" }
    try rig.simulator.command("send " + event)
    let lines = try client.lines(upTo: "the end", \.isDone)
    let error = try #require(lines.error)
    #expect(error.status.integer == 429)
    #expect(error.error.code.string == "rate_limit_exceeded")
    #expect(error.headers["retry-after-ms"].string == "4500")
    #expect(lines.done?.outcome.string == "error")
    return rig
  }

  @Test(arguments: Way.allCases)
  func aRequestWaitsForItsReset(way: Way) throws {
    let rig = try rig(way)
    let status = try rig.daemon.waitForStatus("the limit") { status in
      status.upstreams[0].rate_limits.array.contains { $0.name.string == way.name }
    }
    let limit = status.upstreams[0].rate_limits[0]
    #expect(limit.remaining.integer == 0 || limit.used_percent.number == 100, "\(limit)")
    let before = try rig.simulator.statistics().requests.integer
    let client = try rig.client()
    try client.send(request("x", id: "waits"))
    let queued = try client.line()
    #expect(queued.kind == "hotline.queued", "\(queued)")
    #expect(queued.reason.string == "rate_limit")
    #expect(
      try rig.simulator.statistics().requests.integer == before, "it is not sent to be refused")
    #expect(try rig.hotline(["status"]).output.contains("rate limit   \(way.name): "))
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(try rig.simulator.statistics().requests.integer == (before ?? 0) + 1)
  }

  @Test(arguments: Way.allCases)
  func itIsSentAllTheSameWhereTheServerIsToJudge(way: Way) throws {
    let rig = try rig(way, "rate_limits = \"send\"")
    try rig.daemon.waitForStatus("the limit") { status in
      status.upstreams[0].rate_limits.array.contains { $0.name.string == way.name }
    }
    let lines = try rig.client().ask(request("x"))
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(!lines.contains { $0.kind == "hotline.queued" && $0.reason.string == "rate_limit" })
  }

  @Test func aRequestWaitsNoLongerThanItsDeadline() throws {
    let rig = try rig(.realtimesEvent)
    try rig.daemon.waitForStatus("the limit") { !$0.upstreams[0].rate_limits.array.isEmpty }
    let lines = try rig.client().ask(request("x", options: #""queue_timeout_ms":200"#))
    #expect(lines.codes == ["queue_timeout"], "\(lines)")
    let detail = lines.error?.error.message.string ?? ""
    #expect(detail.contains("the server's rate limit is used up"), "\(detail)")
    #expect(try rig.simulator.statistics().requests.integer == 0)
  }
}
