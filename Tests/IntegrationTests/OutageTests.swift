import Glibc
import TestSupport
import Testing

/// The server goes away and comes back.
@Suite(.serialized)
struct OutageTests {
  @Test func waitingRequestsAreServedAndBrokenOnesTold() throws {
    let directory = try TemporaryDirectory()
    var simulator = try SimulatorProcess(in: directory)
    let daemon = try DaemonProcess(
      Rig.configuration(simulator, upstream: "connections_max = 2"), in: directory)
    try daemon.waitUntilWarm()
    let client = try daemon.client()
    try client.send(request("[[fault: silence after 2]]", id: "answered"))
    _ = try client.lines(upTo: "its events") { $0.kind == "response.in_progress" }
    try client.send(request("[[fault: silence]]", id: "unanswered"))
    try daemon.waitForStatus("two busy") { $0.busyConnections.count == 2 }
    try simulator.waitForStatistics("both requests") { $0.requests.integer == 2 }
    try client.send(request("one", id: "waiting1"))
    try client.send(request("two", id: "waiting2"))
    try daemon.waitForStatus("two waiting") { $0.queue.waiting.integer == 2 }

    let port = simulator.port
    try simulator.killAtOnce()
    var lines: [Line] = []
    while lines.count(where: \.isDone) < 2 { lines.append(try client.line()) }
    for (id, sent) in [("answered", "yes"), ("unanswered", "unknown")] {
      let own = lines.of(id).filter { $0.kind != "hotline.queued" }
      #expect(own.count == 2, "\(own)")
      #expect(own.first?.code == "connection_lost")
      #expect(own.first?.hotline.sent.string == sent)
      #expect(own.done?.outcome.string == "error")
    }
    simulator = try SimulatorProcess(port: port, in: directory)
    while lines.count(where: \.isDone) < 4 { lines.append(try client.line()) }
    for (id, text) in [("waiting1", "Echo: one"), ("waiting2", "Echo: two")] {
      #expect(lines.of(id).done?.outcome.string == "completed", "\(lines.of(id))")
      #expect(answerText(lines.of(id)) == text)
      #expect(lines.of(id).done?.resent.bool == false)
    }
  }

  /// The machine that the server ran on has gone, and a new process takes its place.
  @Test(arguments: [300, 2000, 3800])
  func theWholePoolIsWarmWithinASecondOfTheServersReturn(milliseconds: Int) throws {
    let directory = try TemporaryDirectory()
    let port = try HeldPort()
    var simulator = try SimulatorProcess(port: port.number, in: directory)
    let daemon = try DaemonProcess(
      Rig.configuration(simulator, upstream: "connections_warm = 4"), in: directory)
    try daemon.waitUntilWarm(4)
    try expectRecovery {
      let killed = Recovery.now
      try simulator.killAtOnce()
      try daemon.waitForStatus("the loss") { $0.readyConnections.isEmpty }
      Pause.until(killed, plus: milliseconds)
      simulator = try SimulatorProcess(port: port.number, in: directory)
      let watch = RecoveryWatch(simulator, daemon, awaySince: killed)
      try daemon.waitUntilWarm(4)
      return try watch.end(connections: 4)
    }
  }

  /// It takes a server over the internet so long to answer an upgrade; nobody restarts here, so
  /// that the longest outage of which the promise speaks can be met.
  @Test(arguments: [(0, 4800), (150, 300), (150, 4800)])
  func aServerThatListensAgainHasItsPoolWithinASecond(delay: Int, milliseconds: Int) throws {
    let rig = try Rig(["--upgrade-delay-ms", "\(delay)"], upstream: "connections_warm = 4")
    try rig.daemon.waitUntilWarm(4)
    try expectRecovery {
      let left = Recovery.now
      try rig.simulator.command("listen off")
      try rig.simulator.command("reset all")
      try rig.daemon.waitForStatus("the loss") { $0.readyConnections.isEmpty }
      Pause.until(left, plus: milliseconds)
      try rig.simulator.command("listen on")
      let watch = RecoveryWatch(rig.simulator, rig.daemon, awaySince: left)
      try rig.daemon.waitUntilWarm(4)
      return try watch.end(connections: 4)
    }
  }

  /// A busy machine makes outages longer than those of which the promise speaks, and keeps the
  /// processor from who recovers: then once more.
  private func expectRecovery(_ outage: () throws -> Recovery) throws {
    var recoveries: [Recovery] = []
    for _ in 1...5 {
      let recovery = try outage()
      recoveries.append(recovery)
      guard recovery.isPromised else { continue }
      if recovery.isInTime { return }
      guard recovery.isOnABusyMachine else { break }
    }
    Issue.record("none was in time: \(recoveries)")
  }

  @Test func aServerThatListensAgainIsFoundWithoutTraffic() throws {
    let rig = try Rig()
    try rig.simulator.command("listen off")
    try rig.simulator.command("reset all")
    try rig.daemon.waitForStatus("the loss") { status in
      status.readyConnections.isEmpty && status.upstreams[0].last_error.string != nil
    }
    #expect(try rig.daemon.status().upstreams[0].state.string != "ok")
    try rig.simulator.command("listen on")
    let status = try rig.daemon.waitUntilWarm()
    #expect(status.upstreams[0].state.string == "ok")
  }

  @Test func connectionsAreReplacedBeforeTheServerEndsThem() throws {
    let rig = try Rig(
      ["--idle-close", "6"], upstream: "idle_limit = \"2s\"\nage_limit = \"1h\"")
    let first = try rig.daemon.status().readyConnections[0]["number"].integer ?? 0
    try rig.daemon.waitForStatus("a later connection") { status in
      let numbers = status.readyConnections.compactMap { $0["number"].integer }
      #expect(!numbers.isEmpty, "the new one is there before the old one goes")
      return numbers.allSatisfy { $0 > first }
    }
    let lines = try rig.client().ask(request("x"))
    #expect(lines.done?.reused.bool == true)
  }
}

/// The one wait for time itself: a server has to be away for that long.
private enum Pause {
  static func until(_ start: Int, plus milliseconds: Int) {
    let end = start + milliseconds * 1_000_000
    while Recovery.now < end { usleep(1000) }
  }
}
