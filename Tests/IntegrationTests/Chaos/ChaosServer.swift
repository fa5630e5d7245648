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

  struct Recovery: CustomStringConvertible {
    let event: Event
    let away: Duration
    /// From the server's return until the pool is warm.
    let took: Duration
    var description: String { "\(event) \(away.inMilliseconds) → \(took.inMilliseconds) ms" }
  }

  static let connectionsWarm = 4
  /// The server's own port while it is away, too.
  private let port: HeldPort

  private(set) var process: SimulatorProcess
  private(set) var recoveries: [Recovery] = []
  /// Messages and frames of the daemon that no client of this server may send.
  private(set) var faultsOfTheDaemon = 0
  private let directory: TemporaryDirectory

  init(in directory: TemporaryDirectory) throws {
    self.directory = directory
    port = try HeldPort()
    process = try Self.start(port.number, directory)
  }

  private static func start(
    _ port: Int, _ directory: TemporaryDirectory
  ) throws -> SimulatorProcess {
    // Connections that end by themselves, too: some with a request on its way to them.
    try SimulatorProcess(
      ["--age-close", "6", "--record", directory("record")], port: port, in: directory)
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
    let latest = try daemon.status().connectionNumbers.max() ?? 0
    let start = ContinuousClock.now
    switch event {
    case .outage(let duration): try goAway(for: duration, daemon)
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
    try daemon.waitForStatus("a warm pool after \(event)") { status in
      status.openConnections.count { $0["number"].integer ?? 0 > latest } >= Self.connectionsWarm
    }
    recoveries.append(
      Recovery(event: event, away: start.duration(to: back), took: back.duration(to: .now)))
  }

  private func goAway(for duration: Duration, _ daemon: DaemonProcess) throws {
    try count()
    try process.killAtOnce()
    let killed = ContinuousClock.now
    try daemon.waitForStatus("the loss") { $0.openConnections.isEmpty }
    pause(duration - killed.duration(to: .now))
    process = try Self.start(port.number, directory)
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
  /// In a status: the first upstream's connections that are open, with or without a request.
  var openConnections: [JSON] {
    self.upstreams[0].connections.array.filter { ["ready", "busy"].contains($0.state.string) }
  }

  fileprivate var connectionNumbers: [Int] {
    self.upstreams[0].connections.array.compactMap { $0["number"].integer }
  }
}

extension Duration {
  var inMilliseconds: Int { Int(self / .milliseconds(1)) }
}
