import Foundation
import TestSupport
import Testing

/// The configuration, read again by SIGHUP and by `hotline reload`.
@Suite(.serialized) struct ReloadTests {
  @Test func aChangedKeyIsUsedFromThenOn() throws {
    let rig = try Rig(["--key", "key-of-the-tests"])
    let running = try rig.client()
    try running.send(request("[[fault: delay 600, gap 20]] old", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    try rig.simulator.command("set key key-that-is-new")
    let file = rig.directory("key")
    try Data("key-that-is-new\n".utf8).write(to: URL(fileURLWithPath: file))
    chmod(file, 0o600)
    try rig.directory.write(
      "config.toml",
      Rig.configuration(rig.simulator, upstream: "api_key_file = \"\(file)\""))
    let result = try rig.hotline(["reload"])
    #expect(result.end == .exited(0), "\(result)")
    #expect(result.errors == "" && result.output == "")
    // What ran goes on where it runs, what comes goes over a connection with the new key.
    let fresh = try rig.client().ask(request("new"))
    #expect(fresh.done?.outcome.string == "completed", "\(fresh)")
    #expect(fresh.done?.connection.integer != 1)
    let old = try running.lines(upTo: "the end", \.isDone)
    #expect(answerText(old) == "Echo: old")
    #expect(old.done?.connection.integer == 1)
    try rig.daemon.waitForStatus("the old one closed") { status in
      status.upstreams[0].connections.array.allSatisfy { $0["number"].integer != 1 }
    }
    #expect(!rig.daemon.log.contains("key-that-is-new"))
  }

  @Test func aChangedURLIsDialledUnderARunningResponse() throws {
    let rig = try Rig()
    let client = try rig.client()
    try client.send(request("[[fault: delay 600, gap 20]] first server", id: "running"))
    try rig.daemon.waitForStatus("busy") { $0.busyConnections.count == 1 }
    let directory = try TemporaryDirectory()
    let second = try SimulatorProcess(in: directory)
    try rig.directory.write("config.toml", Rig.configuration(second))
    rig.daemon.process.send(SIGHUP)
    try rig.daemon.process.standardError.waitForLine(containing: "configuration reloaded")
    #expect(try rig.client().ask(request("x")).done?.outcome.string == "completed")
    #expect(try second.statistics().requests.integer == 1)
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(answerText(lines) == "Echo: first server")
    #expect(try rig.simulator.statistics().requests.integer == 1)
  }

  /// Breaks the first upstream's connections and waits for another.
  private func reconnected(_ daemon: DaemonProcess, _ simulator: SimulatorProcess) throws -> JSON {
    let latest = try daemon.waitUntilWarm().readyConnections[0]["number"].integer ?? 0
    try simulator.command("drop all")
    let status = try daemon.waitForStatus("another connection") { status in
      status.readyConnections.contains { $0["number"].integer ?? 0 > latest }
    }
    return status.upstreams[0]
  }

  private func reload(_ daemon: DaemonProcess) throws {
    #expect(try daemon.client().answer(to: #"{"type":"hotline.reload"}"#).kind == "hotline.ok")
  }

  @Test func ticketsAndCountsStayWhereNothingOfTLSChanges() throws {
    let rig = try Rig()
    for (number, more) in ["", "", "headers = { X-Y = \"z\" }", "connections_max = 3"].enumerated()
    {
      try rig.directory.write("config.toml", Rig.configuration(rig.simulator, upstream: more))
      let before = try rig.daemon.status().upstreams[0].tls
      try reload(rig.daemon)
      let upstream = try reconnected(rig.daemon, rig.simulator)
      #expect(upstream.connections.array.allSatisfy { $0.tls_resumed.bool == true }, "\(number)")
      #expect(upstream.tls.handshakes.integer ?? 0 > before.handshakes.integer ?? 0)
      #expect(upstream.tls.resumed.integer ?? 0 > before.resumed.integer ?? 0)
    }
  }

  @Test func ticketsAreForgottenWhereTrustChanges() throws {
    let rig = try Rig()
    let authority = try String(contentsOfFile: rig.simulator.caFile, encoding: .utf8)
    for isOfAFile in [false, true] {
      #expect(try reconnected(rig.daemon, rig.simulator).tls.resumed.integer ?? 0 > 0)
      if isOfAFile {
        try Data((authority + "\n").utf8).write(to: URL(fileURLWithPath: rig.simulator.caFile))
      } else {
        try rig.directory.write(
          "config.toml", Rig.configuration(rig.simulator, upstream: "tls_min = \"1.3\""))
      }
      try reload(rig.daemon)
      let status = try rig.daemon.waitForStatus("a connection of the new kind") { status in
        status.upstreams[0].tls.handshakes.integer == 1 && !status.readyConnections.isEmpty
      }
      #expect(status.upstreams[0].tls.resumed.integer == 0)
    }
  }

  /// A ticket must not let in a server whose authority the system no longer trusts.
  @Test func theSystemsTrustStoreIsLookedAtAgain() throws {
    let (directory, elsewhere) = (try TemporaryDirectory(), try TemporaryDirectory())
    let simulator = try SimulatorProcess(in: directory)
    let other = try SimulatorProcess(in: elsewhere)
    let store = try directory.write(
      "store.pem", String(contentsOfFile: simulator.caFile, encoding: .utf8))
    let daemon = try DaemonProcess(
      "default_upstream = \"sim\"\n[upstream.sim]\nurl = \"\(simulator.url)\"\n", in: directory,
      environment: ["SSL_CERT_FILE": store, "SSL_CERT_DIR": directory("none")])
    try daemon.waitUntilWarm()
    try reload(daemon)
    #expect(try reconnected(daemon, simulator).tls.resumed.integer ?? 0 > 0)
    try directory.write(
      "store.pem", String(contentsOfFile: other.caFile, encoding: .utf8))
    try reload(daemon)
    let status = try daemon.waitForStatus("a failure") { $0.upstreams[0].last_error.string != nil }
    let error = status.upstreams[0].last_error.string ?? ""
    #expect(error.contains("was not accepted"), "\(error)")
  }

  @Test func aRequestThatWaitsIsSentAsTheNewServerWantsIt() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(["--envelope", "flat", "--lanes"], in: directory)
    let nobody = Rig.configuration(simulator).replacingOccurrences(
      of: ":\(simulator.port)/", with: ":1/")
    let daemon = try DaemonProcess(nobody, in: directory)
    let client = try daemon.client()
    try client.send(request("waiting", id: "w"))
    try daemon.waitForStatus("waiting") { $0.queue.waiting.integer == 1 }
    try directory.write(
      "config.toml",
      Rig.configuration(simulator, upstream: "envelope = \"flat\"\nlanes = 2\nstore_false = false"))
    daemon.process.send(SIGHUP)
    let lines = try client.lines(upTo: "the end", \.isDone)
    #expect(lines.done?.outcome.string == "completed", "\(lines)")
    #expect(answerText(lines) == "Echo: waiting")
    #expect(try simulator.statistics().violations.integer == 0)
  }

  @Test func aFileWithErrorsChangesNothing() throws {
    let rig = try Rig()
    let file = try rig.directory.write(
      "config.toml", Rig.configuration(rig.simulator, upstream: "lanes = 99"))
    let result = try rig.hotline(["reload"])
    #expect(result.end == .exited(1))
    #expect(result.errors.hasPrefix("hotline: invalid_request: "), "\(result)")
    #expect(result.errors.contains(file))
    #expect(result.errors.contains("upstream.sim.lanes: 99 is out of range; 1 to 16 would do"))
    rig.daemon.process.send(SIGHUP)
    try rig.daemon.process.standardError.waitForLine(containing: "configuration not reloaded")
    let lines = try rig.client().ask(request("x"))
    #expect(lines.done?.outcome.string == "completed")
    #expect(lines.done?.connection.integer == 1)
  }

  @Test func flagsAndEnvironmentComeBeforeTheFileAgain() throws {
    let rig = try Rig(arguments: ["--log-level", "debug"], environment: ["HOTLINE_SOCKET": "/no"])
    let changed = "[socket]\npath = \"/elsewhere/s\"\nclients_max = 3"
    try rig.directory.write(
      "config.toml", Rig.configuration(rig.simulator, sections: changed))
    let result = try rig.hotline(["reload"])
    #expect(result.end == .exited(0) && result.errors == "", "\(result)")
    let clients = try (0..<3).map { _ in try rig.client() }
    _ = try clients[2].answer(to: #"{"type":"hotline.ping"}"#)
    #expect(try rig.client().line().code == "too_many_clients")
  }

  @Test func aSocketThatWouldMoveIsAWarning() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    func file(_ socket: String) -> String {
      Rig.configuration(simulator, sections: "[socket]\npath = \"\(socket)\"")
    }
    let path = directory("here")
    let configuration = try directory.write("config.toml", file(path))
    let process = try ChildProcess(
      Requires.program("hotlined"), ["--config", configuration],
      environment: DaemonProcess.environment(in: directory))
    let daemon = try DaemonProcess(process, socketPath: path)
    try directory.write("config.toml", file(directory("there")))
    let result = try ChildProcess.run(
      Requires.program("hotline"), ["reload"], environment: ["HOTLINE_SOCKET": path])
    #expect(result.end == .exited(0))
    #expect(result.errors.hasPrefix("hotline: warning: socket.path: "), "\(result)")
    #expect(try daemon.client().answer(to: #"{"type":"hotline.ping"}"#).kind == "hotline.pong")
  }
}
