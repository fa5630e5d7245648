import Foundation
import TestSupport
import Testing

/// Several responses on one connection to a server that has lanes.
struct LaneTests {
  private func rig(_ flags: [String] = ["--lanes"], lanes: Int) throws -> Rig {
    try Rig(flags, upstream: "connections_max = 1\nlanes = \(lanes)")
  }

  @Test func manyRequestsShareOneConnectionAndNothingGoesAstray() throws {
    let rig = try rig(lanes: 16)
    #expect(try rig.client().ask(request("first")).done?.outcome.string == "completed")
    let clients = try (0..<16).map { _ in try rig.client() }
    for (number, client) in clients.enumerated() {
      try client.send(
        request("[[fault: delay 300, gap 5]] mark=c\(number) one two three", id: "\(number)"))
    }
    for (number, client) in clients.enumerated() {
      let lines = try client.lines(upTo: "the end", \.isDone)
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      #expect(lines.done?.connection.integer == 1)
      #expect(lines.allSatisfy { $0.request_id.string == "\(number)" })
      let text = answerText(lines)
      #expect(text.contains("[c\(number)]") && text.contains("three"), "\(text)")
      #expect(text.ranges(of: "[c").count == text.ranges(of: "[c\(number)]").count, "\(text)")
    }
    let statistics = try rig.simulator.statistics()
    #expect(statistics.upgrades.integer == 1)
    #expect(statistics.responsesAtOnceMax.integer == 16, "\(statistics)")
    #expect(statistics.violations.integer == 0)
  }

  @Test func aCancelledResponseLeavesTheOthersAlone() throws {
    let rig = try rig(lanes: 4)
    #expect(try rig.client().ask(request("first")).done?.outcome.string == "completed")
    let (one, two) = (try rig.client(), try rig.client())
    try one.send(request("[[fault: gap 50]] a b c d e f g h i j k l m n o p", id: "one"))
    _ = try one.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    try two.send(request("[[fault: gap 20]] a b c d e f", id: "two"))
    _ = try two.lines(upTo: "its text") { $0.kind == "response.output_text.delta" }
    try one.send(#"{"type":"response.cancel","request_id":"one"}"#)
    #expect(try one.lines(upTo: "the end", \.isDone).done?.outcome.string == "cancelled")
    let lines = try two.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(try rig.simulator.statistics().upgrades.integer == 1)
  }

  @Test func aServerThatRefusesLanesIsUsedWithoutThem() throws {
    let rig = try rig([], lanes: 4)
    let client = try rig.client()
    for _ in 0..<3 {
      let lines = try client.ask(request("x"))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
    }
    #expect(try rig.simulator.statistics().violations.integer == 1, "asked once")
    try checkFallback(of: rig)
  }

  @Test func aServerThatEchoesNoLaneIsUsedWithoutThem() throws {
    let rig = try rig(["--ignore-lanes"], lanes: 4)
    let before = try rig.daemon.status().upstreams[0]
    #expect(before.lane_names.string == "unknown")
    let clients = try (0..<3).map { _ in try rig.client() }
    for (number, client) in clients.enumerated() {
      try client.send(request("[[fault: gap 20]] mark=c\(number) a b c d", id: "\(number)"))
    }
    for (number, client) in clients.enumerated() {
      let lines = try client.lines(upTo: "the end", \.isDone)
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
      #expect(lines.allSatisfy { $0.request_id.string == "\(number)" })
      #expect(answerText(lines).contains("[c\(number)]"))
    }
    let statistics = try rig.simulator.statistics()
    #expect(statistics.violations.integer == 0)
    #expect(statistics.refusedBusy.integer == 0)
    #expect(statistics.responsesAtOnceMax.integer == 1)
    try checkFallback(of: rig)
  }

  /// It is said once in the log, and shown.
  private func checkFallback(of rig: Rig) throws {
    let status = try rig.daemon.status()
    #expect(status.upstreams[0].lane_names.string == "absent")
    #expect(try rig.hotline(["status"]).output.contains("not known to the server: one response"))
    rig.daemon.process.send(SIGTERM)
    try rig.daemon.process.waitForEnd()
    let log = rig.daemon.process.standardError.text
    #expect(log.ranges(of: "the server knows no lanes").count == 1, "\(log)")
  }

  @Test func aLostConnectionFailsAllThatRanThereAndNothingElse() throws {
    let rig = try rig(lanes: 4)
    #expect(try rig.client().ask(request("first")).done?.outcome.string == "completed")
    let clients = try (0..<3).map { _ in try rig.client() }
    for client in clients { try client.send(request("[[fault: silence after 2]]")) }
    for client in clients {
      _ = try client.lines(upTo: "its response") { $0.kind == "response.in_progress" }
    }
    try rig.simulator.command("drop all")
    for client in clients {
      let lines = try client.lines(upTo: "the end", \.isDone)
      #expect(lines.codes == ["connection_lost"])
    }
    #expect(try rig.client().ask(request("again")).done?.outcome.string == "completed")
  }
}
