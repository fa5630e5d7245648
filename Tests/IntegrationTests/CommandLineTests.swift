import Foundation
import TestSupport
import Testing

/// The `hotline` command against a real daemon.
@Suite(.serialized)
struct CommandLineTests {
  @Test func askStreamsTheText() throws {
    let rig = try Rig()
    let asked = try rig.hotline(["ask", "Hello there"])
    #expect(asked.end == .exited(0), "\(asked)")
    #expect(asked.output.hasPrefix("Echo: Hello there"))
    let piped = try rig.hotline(["ask"], input: "from stdin")
    #expect(piped.end == .exited(0), "\(piped)")
    #expect(piped.output.contains("Echo: from stdin"))
    let json = try rig.hotline(["ask", "--json", "--model", "m2", "Hello"])
    let response = try JSON(parsing: json.output)
    #expect(response.status.string == "completed")
    #expect(response.model.string == "m2")
  }

  @Test func failuresHaveTheirExitStatus() throws {
    let rig = try Rig()
    let failed = try rig.hotline(["ask", "[[fault: failed]] x"])
    #expect(failed.end != .exited(0))
    #expect(!failed.errors.isEmpty)
    let lost = try rig.hotline(["ask", "[[fault: drop after 5]] x"])
    #expect(lost.end != .exited(0))
    #expect(lost.errors.contains("connection"), "\(lost)")
    let nobody = try ChildProcess.run(
      Requires.program("hotline"), ["ping"],
      environment: ["HOTLINE_SOCKET": rig.directory("nobody")])
    #expect(nobody.end != .exited(0))
    #expect(nobody.errors.contains("hotlined"), "it says how to start the daemon: \(nobody)")
  }

  @Test func sendPassesLinesThrough() throws {
    let rig = try Rig()
    let sent = try rig.hotline(
      ["send"], input: request("one", id: "1") + "\n" + request("two", id: "2") + "\n")
    #expect(sent.end == .exited(0), "\(sent)")
    let lines = try sent.output.split(separator: "\n").map { try Line(Array($0.utf8)) }
    #expect(Set(lines.filter(\.isDone).compactMap(\.request_id.string)) == ["1", "2"])
    let refused = try rig.hotline(
      ["send", "--socket", rig.daemon.socketPath], input: "nonsense\n")
    #expect(refused.end != .exited(0))
  }

  @Test func pingAndStatusSpeakOfTheDaemon() throws {
    let rig = try Rig()
    let ping = try rig.hotline(["ping"])
    #expect(ping.end == .exited(0), "\(ping)")
    let status = try rig.hotline(["status"])
    #expect(status.end == .exited(0))
    #expect(status.output.contains("sim"))
    let json = try rig.hotline(["status", "--json"])
    #expect(try JSON(parsing: json.output).pid.integer == Int(rig.daemon.process.pid))
    let name = try rig.hotline(["get-sockname"])
    #expect(name.output == rig.tap.path + "\n")
    let object = try rig.hotline(["get-sockname", "--json"])
    #expect(try JSON(parsing: object.output).socket.string == rig.tap.path)
  }

  @Test func interruptCancelsTheRequest() throws {
    let rig = try Rig()
    let process = try ChildProcess(
      Requires.program("hotline"), ["ask", "[[fault: deltas 1000, gap 50]] x"],
      environment: ["HOTLINE_SOCKET": rig.daemon.socketPath])
    process.closeInput()
    _ = try process.standardOutput.wait(for: "text") { $0.isEmpty ? nil : () }
    process.send(SIGINT)
    #expect(try process.waitForEnd() != .exited(0))
    try rig.daemon.waitForStatus("nothing open") { status in
      status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
    #expect(try rig.simulator.statistics().completed.integer == 0)
  }
}
