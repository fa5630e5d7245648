import Foundation
import TestSupport
import Testing

/// What a machine may lack while the daemon runs.
@Suite(.serialized) struct FaultTests {
  /// The daemon as a shell starts it that has set limits or descriptors first.
  private func daemon(
    _ prelude: String, in directory: TemporaryDirectory, sections: String = ""
  ) throws -> (simulator: SimulatorProcess, daemon: DaemonProcess) {
    let simulator = try SimulatorProcess(in: directory)
    let file = try directory.write(
      "config.toml",
      Rig.configuration(
        simulator, upstream: "connections_max = 2\ndials_max = 1", sections: sections))
    let socket = directory("s")
    let script = "\(prelude); exec \"$0\" --config \"\(file)\" --socket \"\(socket)\""
    let process = try ChildProcess(
      Requires.tool("bash"), ["-c", script, Requires.program("hotlined")],
      environment: DaemonProcess.environment(in: directory))
    return (simulator, try DaemonProcess(process, socketPath: socket))
  }

  /// It lives, refuses the newcomer, and serves the others.
  @Test func fewDescriptorsMeanFewClients() throws {
    let directory = try TemporaryDirectory()
    let (simulator, daemon) = try daemon("ulimit -n 64", in: directory)
    defer { withExtendedLifetime(simulator) {} }
    let line = try daemon.process.standardError.waitForLine(containing: "file descriptors")
    #expect(line.contains("this process may have 64"), "\(line)")
    #expect(line.contains("only 10 clients are served"), "\(line)")
    let clients = try (0..<10).map { _ in try daemon.client() }
    for client in clients { _ = try client.answer(to: #"{"type":"hotline.ping"}"#) }
    // More than there are descriptors, each of which stays for a while.
    for _ in 0..<80 {
      let newcomer = try daemon.client()
      #expect(try newcomer.line().code == "too_many_clients")
    }
    for client in clients {
      let lines = try client.ask(request("x"))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
    }
    clients[0].close()
    try poll(for: "a place") {
      let next = try LineClient(daemon.socketPath)
      return try next.answer(to: #"{"type":"hotline.ping"}"#).kind == "hotline.pong" ? () : nil
    }
  }

  @Test func aFullDiskUnderTheLogHoldsNobodyUp() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    let file = try directory.write("config.toml", Rig.configuration(simulator))
    let process = try ChildProcess(
      Requires.tool("bash"),
      [
        "-c", "exec \"$0\" --config '\(file)' --log-level trace 2>/dev/full",
        Requires.program("hotlined"),
      ],
      environment: DaemonProcess.environment(in: directory))
    let client = try LineClient(directory("hotline.sock"), keeping: process)
    for _ in 0..<20 {
      let lines = try client.ask(request("x"))
      #expect(lines.done?.outcome.string == "completed", "\(lines)")
    }
  }

  @Test func withoutARuntimeDirectoryTheWaysToAPathAreTold() throws {
    let directory = try TemporaryDirectory()
    let result = try ChildProcess.run(
      Requires.program("hotlined"), [],
      environment: ["HOME": directory.path, "HOTLINE_API_KEY": "key"])
    #expect(result.end == .exited(78))
    #expect(result.errors.contains("--socket PATH"), "\(result)")
    #expect(result.errors.contains("$XDG_RUNTIME_DIR"), "\(result)")
    let client = try ChildProcess.run(
      Requires.program("hotline"), ["ping"], environment: ["HOME": directory.path])
    #expect(client.end == .exited(78))
    #expect(client.errors.contains("XDG_RUNTIME_DIR"), "\(client)")
    // One that is not there is made, if it can be.
    let made = directory("run/user")
    let (simulator, file) = try (SimulatorProcess(in: directory), directory("config.toml"))
    try directory.write("config.toml", Rig.configuration(simulator))
    let process = try ChildProcess(
      Requires.program("hotlined"), ["--config", file],
      environment: DaemonProcess.environment(["XDG_RUNTIME_DIR": made], in: directory))
    let daemon = try DaemonProcess(process, socketPath: made + "/hotline.sock")
    #expect(try daemon.client().ask(request("x")).done?.outcome.string == "completed")
  }

  @Test func sigintInATerminalDrainsAndTheStatusGoesToTheLog() throws {
    let rig = try Rig()
    rig.daemon.process.send(SIGUSR1)
    let whole = try rig.daemon.process.standardError.waitForLine(
      containing: "status of an upstream")
    #expect(whole.contains("upstream=sim") && whole.contains("state=ok"), "\(whole)")
    #expect(rig.daemon.log.contains("connections=\"1 warm, 0 busy, 0 waiting; sim ok\""))
    let client = try rig.client()
    try client.send(request("[[fault: delay 500, gap 20]] one", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    rig.daemon.process.send(SIGINT)
    let lines = try client.linesToEnd()
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(try rig.daemon.process.waitForEnd() == .exited(0))
  }

  @Test func theLogCanBeJSON() throws {
    let rig = try Rig(arguments: ["--log-format", "json"])
    try rig.daemon.process.terminate()
    let lines = try rig.daemon.log.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(lines.first?.message.string == "listening" || lines.count > 2)
    #expect(lines.allSatisfy { $0.level.string != nil && $0.time.string != nil })
    #expect(lines.contains { $0["upstream"].string == "sim" })
  }
}
