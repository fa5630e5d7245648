import Foundation
import TestSupport
import Testing

/// The access log, the budgets and the questions, of a daemon that runs.
@Suite(.serialized) struct AccessLogTests {
  @Test func aRotatedLogIsBegunAnewOnSIGHUP() throws {
    let directory = try TemporaryDirectory()
    let path = directory("access.log")
    let rig = try Rig(sections: "access_log = \"\(path)\"")
    func lines(_ path: String, count: Int) throws -> [JSON] {
      try poll(for: "\(count) lines in \(path)") {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        let lines = text.split(separator: "\n").map(String.init)
        return lines.count == count ? try lines.map { try JSON(parsing: $0) } : nil
      }
    }
    #expect(try rig.hotline(["ask", "--tag", "first", "a question"]).end == .exited(0))
    #expect(try lines(path, count: 1)[0].tag.string == "first")
    #expect(rename(path, path + ".1") == 0)
    rig.daemon.process.send(SIGHUP)
    try rig.daemon.process.standardError.waitForLine(containing: "configuration reloaded")
    _ = try rig.client().ask(request("another question"))
    let line = try lines(path, count: 1)[0]
    #expect(line.outcome.string == "completed")
    #expect(line.output_tokens.integer ?? 0 > 0)
    let text = try String(contentsOfFile: path + ".1", encoding: .utf8)
    #expect(!text.contains("question"))
  }

  /// What was spent is known to the next daemon, however the last one ended.
  @Test func aSpentBudgetStaysSpent() throws {
    let rig = try Rig(
      sections: """
        budget_usd_per_day = 0.000001
        [price.m]
        input_per_million = 1000
        output_per_million = 1000
        """, environment: ["XDG_STATE_HOME": ""])
    let done = try rig.client().ask(request("x")).done
    #expect(done?.cost_usd.number ?? 0 > 0.000001)
    let refused = try rig.client().answer(to: request("y"))
    #expect(refused.code == "budget_exceeded")
    let file = rig.directory(".local/state/hotline/spending.json")
    _ = try poll(for: "the file") { FileManager.default.fileExists(atPath: file) ? true : nil }
    rig.daemon.process.send(SIGKILL)
    try rig.daemon.process.waitForEnd()
    let configuration = rig.directory("config.toml")
    let again = try DaemonProcess(
      ChildProcess(
        Requires.program("hotlined"),
        ["--config", configuration, "--socket", rig.daemon.socketPath],
        environment: DaemonProcess.environment(in: rig.directory)),
      socketPath: rig.daemon.socketPath)
    #expect(try again.client().answer(to: request("z")).code == "budget_exceeded")
    #expect(try again.process.terminate() == .exited(0))
  }

  @Test func theCommandsShowTheDaemonAsItIs() throws {
    let rig = try Rig()
    #expect(try rig.hotline(["ask", "--model", "m", "--tag", "t", "hello"]).end == .exited(0))
    let stats = try rig.hotline(["stats"])
    #expect(stats.output.contains("requests_ended"), "\(stats)")
    #expect(stats.output.contains("first_text"))
    let json = try JSON(parsing: try rig.hotline(["stats", "--json"]).output)
    #expect(json.usage.tags[0].tag.string == "t")
    #expect(json.usage.output_tokens.integer ?? 0 > 0)
    let config = try rig.hotline(["config"])
    #expect(config.output.contains("upstream.sim.url"))
    #expect(config.output.contains(rig.simulator.url.prefix(20)))
    #expect(!config.output.contains("key-of-the-tests"))
  }

  @Test func aRequestIsCancelledByItsID() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: delay 60000]] x", id: "slow"))
    try rig.daemon.waitForStatus("running") { status in
      status.clients.array.contains { $0.requests[0].state.string == "running" }
    }
    let result = try rig.hotline(["cancel", "slow"])
    #expect(result.end == .exited(0), "\(result)")
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.codes == ["cancelled"])
    #expect(lines.done?.outcome.string == "cancelled")
    #expect(try rig.hotline(["cancel", "slow"]).end == .exited(1))
  }

  @Test func tailFollowsTheRequests() throws {
    let rig = try Rig()
    let tail = try ChildProcess(
      Requires.program("hotline"), ["tail"],
      environment: ["HOTLINE_SOCKET": rig.daemon.socketPath])
    try rig.daemon.waitForStatus("the watcher") { $0.clients.array.count >= 2 }
    _ = try poll(for: "a line of tail") {
      _ = try rig.client().ask(request("x", options: #""tag":"seen""#))
      return tail.standardOutput.text.contains("seen") ? true : nil
    }
    #expect(tail.standardOutput.text.contains("completed in "))
  }
}
