import Foundation
import TestSupport
import Testing

/// `hotline drain`: nothing new is taken, what was accepted is finished.
struct DrainTests {
  private func hotline(_ rig: Rig, _ arguments: String...) throws -> ChildProcess {
    try ChildProcess(
      Requires.program("hotline"), arguments, environment: ["HOTLINE_SOCKET": rig.daemon.socketPath]
    )
  }

  @Test func aDrainWaitsForWhatRunsAndAReloadEndsIt() throws {
    let rig = try Rig(upstream: "connections_max = 1")
    let client = try rig.client()
    try rig.occupy(by: client)
    let drain = try hotline(rig, "drain")
    try rig.daemon.waitForStatus("draining") { $0.state.string == "draining" }
    try client.send(request("three", id: "late"))
    #expect(try drain.waitForEnd() == .exited(0))
    let lines = try client.lines(upTo: "the second's end") {
      $0.isDone && $0.request_id.string == "waiting"
    }
    #expect(lines.of("late").codes == ["shutting_down"])
    #expect(lines.of("late").first?.hotline.retryable.bool == true)
    for (id, text) in [("running", "Echo: one"), ("waiting", "Echo: two")] {
      #expect(lines.of(id).done?.outcome.string == "completed", "\(lines)")
      #expect(answerText(lines.of(id)) == text)
    }
    #expect(try hotline(rig, "drain").waitForEnd() == .exited(0), "nothing is left to finish")
    #expect(try hotline(rig, "reload").waitForEnd() == .exited(0))
    #expect(try rig.daemon.status().state.string == "running")
    #expect(try client.ask(request("four")).done?.outcome.string == "completed")
  }

  @Test func aReloadMakesAWaitingDrainFail() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: silence]]", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    let drain = try hotline(rig, "drain")
    try rig.daemon.waitForStatus("draining") { $0.state.string == "draining" }
    #expect(try hotline(rig, "reload").waitForEnd() == .exited(0))
    #expect(try drain.waitForEnd() == .exited(75))
    #expect(drain.standardError.text.hasPrefix("hotline: cancelled: "))
  }

  @Test func sigtermEndsADrainingDaemonAsEver() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: delay 500]] x", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    let drain = try hotline(rig, "drain")
    try rig.daemon.waitForStatus("draining") { $0.state.string == "draining" }
    rig.daemon.process.send(SIGTERM)
    #expect(try client.linesToEnd().done?.outcome.string == "completed")
    #expect(try drain.waitForEnd() == .exited(0))
    #expect(try rig.daemon.process.waitForEnd() == .exited(0))
  }
}
