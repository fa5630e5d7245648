import Foundation
import TestSupport
import Testing

/// SIGTERM and SIGKILL, and the socket afterwards.
@Suite(.serialized)
struct ShutdownTests {
  private func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  @Test func sigtermFinishesWhatWasAccepted() throws {
    let rig = try Rig(upstream: "connections_max = 1")
    let client = try rig.client()
    try rig.occupy(by: client)
    rig.daemon.process.send(SIGTERM)
    try rig.daemon.process.standardError.waitForLine(containing: "terminating")
    try client.send(request("three", id: "late"))
    var lines = try client.linesToEnd()
    let late = lines.of("late")
    #expect(late.codes == ["shutting_down"])
    #expect(late.first?.hotline.accepted.bool == false)
    #expect(late.first?.hotline.retryable.bool == true)
    lines.removeAll { $0.request_id.string == "late" }
    for (id, text) in [("running", "Echo: one"), ("waiting", "Echo: two")] {
      #expect(lines.of(id).done?.outcome.string == "completed", "\(lines)")
      #expect(answerText(lines.of(id)) == text)
    }
    #expect(try rig.daemon.process.waitForEnd() == .exited(0))
    #expect(!exists(rig.daemon.socketPath))
    let statistics = try rig.simulator.statistics()
    #expect(statistics.ended.integer == 0, "the server got a close frame")
  }

  @Test func sigtermWithNothingToDoEndsAtOnce() throws {
    let rig = try Rig()
    let idle = try rig.client()
    #expect(try rig.daemon.process.terminate(within: .seconds(20)) == .exited(0))
    #expect(try idle.next() == nil)
    #expect(!exists(rig.daemon.socketPath))
  }

  @Test func theTimeToDrainEnds() throws {
    let rig = try Rig(
      upstream: "connections_max = 1", sections: "[queue]\nshutdown_timeout = \"1s\"")
    let client = try rig.client()
    try client.send(request("[[fault: silence after 2]]", id: "running"))
    _ = try client.lines(upTo: "its events") { $0.kind == "response.in_progress" }
    try client.send(request("x", id: "waiting"))
    try rig.daemon.waitForStatus("waiting") { $0.queue.waiting.integer == 1 }
    rig.daemon.process.send(SIGTERM)
    let lines = try client.linesToEnd()
    for (id, sent) in [("running", "yes"), ("waiting", "no")] {
      #expect(lines.of(id).codes == ["shutting_down"], "\(lines)")
      let error = lines.of(id).error
      #expect(error?.hotline.accepted.bool == true)
      #expect(error?.hotline.sent.string == sent)
      #expect(lines.of(id).done?.outcome.string == "error")
    }
    #expect(try rig.daemon.process.waitForEnd() == .exited(0))
    #expect(!exists(rig.daemon.socketPath))
  }

  @Test func aSecondSigtermEndsAtOnce() throws {
    let rig = try Rig(sections: "[queue]\nshutdown_timeout = \"10m\"")
    let client = try rig.client()
    try client.send(request("[[fault: silence]]", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    rig.daemon.process.send(SIGTERM)
    try rig.daemon.process.standardError.waitForLine(containing: "terminating")
    rig.daemon.process.send(SIGTERM)
    let lines = try client.linesToEnd()
    #expect(lines.codes == ["shutting_down"])
    #expect(lines.done?.outcome.string == "error")
    #expect(try rig.daemon.process.waitForEnd(within: .seconds(30)) == .exited(0))
    #expect(!exists(rig.daemon.socketPath))
  }

  @Test func aKilledDaemonsSocketIsReplaced() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let configuration = Rig.configuration(simulator)
    let first = try DaemonProcess(configuration, in: directory)
    first.process.send(SIGKILL)
    #expect(try first.process.waitForEnd() == .signalled(SIGKILL))
    #expect(exists(first.socketPath))
    let second = try DaemonProcess(configuration, in: directory)
    #expect(try second.client().ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func aSecondDaemonOnThePathIsToldWhy() throws {
    let rig = try Rig()
    let second = try ChildProcess.run(
      Requires.program("hotlined"),
      ["--config", rig.directory("config.toml"), "--socket", rig.daemon.socketPath],
      environment: DaemonProcess.environment(in: rig.directory))
    #expect(second.end == .exited(1))
    #expect(second.errors.contains("another daemon"))
    #expect(second.errors.contains("\(rig.daemon.process.pid)"))
    #expect(second.errors.contains(rig.daemon.socketPath))
    #expect(try rig.client().ask(request("x")).done?.outcome.string == "completed")
    try rig.directory.write("file", "precious")
    let onFile = try ChildProcess.run(
      Requires.program("hotlined"),
      ["--config", rig.directory("config.toml"), "--socket", rig.directory("file")],
      environment: DaemonProcess.environment(in: rig.directory))
    #expect(onFile.end == .exited(1))
    #expect(try String(contentsOfFile: rig.directory("file"), encoding: .utf8) == "precious")
  }
}
