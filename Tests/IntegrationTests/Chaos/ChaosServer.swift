import Foundation
import Glibc
import TestSupport

/// The simulator while everything happens to it that happens to servers.
///
/// Any thread, one after the other: the one that runs the script, then the test's.
final class ChaosServer: @unchecked Sendable {
  /// One thing that happens, while requests go on.
  enum Event {
    /// Killed, and started again after so long.
    case outage(Duration)
    /// Stopped as by a debugger: the kernel goes on accepting connections.
    case freeze(Duration)
    /// Refuses upgrades with this status, and `Retry-After` for a second if 429, until so many were
    /// refused.
    case refusal(status: Int, count: Int)
    /// Closes every connection right after it has opened, until so many were.
    case closeAfterOpen(count: Int)
    /// What the simulator's command of this name does to all connections.
    case end(String)
  }

  static let connectionsWarm = 4

  /// The upstream's name in the daemon's configuration.
  let name: String
  /// Whether it takes several requests on a connection at once.
  private let hasLanes: Bool
  let url: String
  let caFile: String
  private(set) var process: SimulatorProcess
  /// After outages, as the server saw it.
  private(set) var recoveries: [Recovery] = []
  /// What happened, and how long the daemon's pool was not whole.
  private(set) var history: [String] = []
  /// Messages and frames of the daemon that no client of this server may send.
  private(set) var faultsOfTheDaemon = 0
  /// The server's own port while it is away, too.
  private let port: HeldPort
  private let directory: TemporaryDirectory

  init(_ name: String, hasLanes: Bool) throws {
    self.name = name
    self.hasLanes = hasLanes
    directory = try TemporaryDirectory()
    try directory.write("key", "key-of-the-tests\n")
    port = try HeldPort()
    process = try Self.start(port.number, hasLanes, directory)
    url = process.url
    caFile = process.caFile
  }

  private static func start(
    _ port: Int, _ hasLanes: Bool, _ directory: TemporaryDirectory
  ) throws -> SimulatorProcess {
    // Connections that end by themselves, too: some with a request on its way to them.
    let flags = ["--age-close", "6", "--record", directory("record")]
    return try SimulatorProcess(
      flags + (hasLanes ? ["--lanes"] : []), port: port, in: directory)
  }

  /// Its section of the daemon's configuration.
  ///
  /// - Parameter generation: in a header; with another one the connections have to be others.
  func section(generation: Int) -> String {
    """
    [upstream.\(name)]
    url = "\(url)"
    ca_file = "\(caFile)"
    api_key_file = "\(directory("key"))"
    headers = { "X-Generation" = "\(generation)" }
    lanes = \(hasLanes ? 4 : 1)
    connections_warm = \(Self.connectionsWarm)
    connections_max = 16
    ping_interval = "1s"
    pong_timeout = "1s"
    connect_timeout = "2s"
    abandoned_timeout = "1s"

    """
  }

  /// The marks of all requests received, by any of the processes.
  func record() throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: directory("record"))), as: UTF8.self)
  }

  static func events(_ random: inout SplitMix64) -> [Event] {
    let events: [Event] = [
      .outage(.milliseconds(300)), .outage(.milliseconds(1200)), .outage(.milliseconds(2500)),
      .outage(.milliseconds(4300)), .freeze(.milliseconds(2500)),
      .refusal(status: 503, count: 6), .refusal(status: 429, count: 5), .closeAfterOpen(count: 12),
      .end("drop all"), .end("reset all"), .end("truncate all"), .end("close all 1012 restart"),
      .end("dead all"),
    ]
    return events.shuffled(using: &random)
  }

  /// Lets something happen and waits until the pool is warm again.
  func perform(_ event: Event, _ daemon: DaemonProcess) throws {
    let latest = try daemon.status().upstream(name).connectionNumbers.max() ?? 0
    let start = ContinuousClock.now
    var watch: RecoveryWatch?
    switch event {
    case .outage(let duration): watch = try goAway(for: duration, daemon)
    case .freeze(let duration):
      process.process.send(SIGSTOP)
      pause(duration)
      process.process.send(SIGCONT)
    case .refusal(let status, let count):
      try process.command("set retry-after \(status == 429 ? "1" : "none")")
      try process.command("set upgrade-status \(status)")
      try process.command("drop all")
      try wait(for: count) { $0.refusedUpgrades }
      try process.command("set upgrade-status none")
    case .closeAfterOpen(let count):
      try process.command("set close-after-open 1013")
      try process.command("drop all")
      try wait(for: count) { $0.upgrades }
      try process.command("set close-after-open none")
    case .end(let command):
      try process.command(command)
    }
    let back = ContinuousClock.now
    try daemon.waitForStatus("a warm pool of \(name) after \(event)") { status in
      let open = status.upstream(name).openConnections
      return open.count { $0["number"].integer ?? 0 > latest } >= Self.connectionsWarm
    }
    if let recovery = try watch?.end(connections: Self.connectionsWarm) {
      recoveries.append(recovery)
      return history.append("outage \(recovery)")
    }
    let (away, took) = (start.duration(to: back), back.duration(to: .now))
    history.append("\(event) \(away.inMilliseconds) → \(took.inMilliseconds) ms")
  }

  private func goAway(for duration: Duration, _ daemon: DaemonProcess) throws -> RecoveryWatch {
    try count()
    let killed = Recovery.now
    try process.killAtOnce()
    try daemon.waitForStatus("the loss") { $0.upstream(name).openConnections.isEmpty }
    pause(duration - .nanoseconds(Recovery.now - killed))
    process = try Self.start(port.number, hasLanes, directory)
    return RecoveryWatch(process, daemon, awaySince: killed)
  }

  /// Adds what the process that is about to end has to complain of.
  func count() throws {
    let statistics = try process.statistics()
    faultsOfTheDaemon += statistics.violations.integer ?? 1
    faultsOfTheDaemon += statistics.refusedBusy.integer ?? 1
  }

  private func wait(for more: Int, _ number: (JSON) -> JSON) throws {
    let before = number(try process.statistics()).integer ?? 0
    try process.waitForStatistics("\(more) more") { (number($0).integer ?? 0) >= before + more }
  }

  /// Servers are away for a time; nothing tells when it is over but the clock.
  private func pause(_ duration: Duration) {
    let deadline = Deadline(in: duration)
    _ = try? poll(for: "the end", within: duration + .seconds(1)) {
      deadline.isReached ? () : nil
    }
  }
}

extension JSON {
  /// In a status: the upstream of that name.
  func upstream(_ name: String) -> JSON {
    self.upstreams.array.first { $0.name.string == name } ?? .missing
  }

  /// Of an upstream: its connections that are open, with or without a request.
  var openConnections: [JSON] {
    self.connections.array.filter { ["ready", "busy"].contains($0.state.string) }
  }

  fileprivate var connectionNumbers: [Int] {
    self.connections.array.compactMap { $0["number"].integer }
  }
}

extension Duration {
  var inMilliseconds: Int { Int(self / .milliseconds(1)) }
}
