import Foundation
import TestSupport
import Testing

/// What `hotline` keeps between two commands, and its many requests at once, with a real daemon.
@Suite(.serialized)
struct ClientStateTests {
  @Test func conversationGoesOnUntilItsConnectionIsGone() throws {
    let rig = try Rig()
    for turn in 1...3 {
      let asked = try rig.hotline(["ask", "--conversation", "talk", "turn \(turn)"])
      #expect(asked.end == .exited(0), "\(asked)")
      #expect(asked.errors == "")
    }
    try rig.simulator.command("drop all")
    try rig.daemon.waitForStatus("another connection") { status in
      status.readyConnections.contains { $0["number"].integer ?? 0 > 1 }
    }
    let again = try rig.hotline(["ask", "--conversation", "talk", "turn 4"])
    #expect(again.end == .exited(0), "\(again)")
    #expect(again.output.hasPrefix("Echo: turn 4"))
    #expect(again.errors.contains("\"talk\" is started again: the connection that it lived on is"))
    let next = try rig.hotline(["ask", "--conversation", "talk", "turn 5"])
    #expect(next.end == .exited(0))
    #expect(next.errors == "")
  }

  @Test func manyRequestsRunAtOnceAndCanBeGoneOnWith() throws {
    let rig = try Rig(upstream: "connections_max = 4")
    let lines = (1...20).map { request("job \($0)", id: "j\($0)") + "\n" }
    let requests = try rig.directory.write("requests", lines.joined())
    let first = try rig.directory.write("first", lines[..<7].joined())
    let begun = try rig.hotline(["send", "--jobs", "4", "--in-order", first])
    #expect(begun.end == .exited(0), "\(begun)")
    let results = try rig.directory.write("results", begun.output)
    let rest = try rig.hotline(["send", "--jobs", "8", "--resume", results, requests])
    #expect(rest.end == .exited(0), "\(rest)")
    #expect(rest.errors == "")
    func ids(_ output: String) throws -> [String?] {
      try output.split(separator: "\n").map { line in
        let result = try JSON(parsing: String(line))
        let id = result.request_id.string ?? ""
        #expect(result.text.string?.contains("job \(id.dropFirst())") == true, "\(line)")
        return id
      }
    }
    #expect(try ids(begun.output) == (1...7).map { "j\($0)" })
    #expect(try Set(ids(rest.output)) == Set((8...20).map { "j\($0)" }))
  }
}
