import Foundation
import TestSupport
import Testing

/// One run of everything at once, and what it is judged by.
struct Chaos {
  /// A recovery that takes longer has failed: well over the second that is promised, and over what
  /// a busy machine adds.
  private static let recoveryMax = Duration.seconds(3)
  /// The outages for which recovery is promised.
  private static let outageMax = Duration.seconds(5)

  let seed: UInt64
  private let directory: TemporaryDirectory
  private let server: ChaosServer
  private let daemon: DaemonProcess
  private let ledger = ChaosLedger()

  init(seed: UInt64) throws {
    self.seed = seed
    directory = try TemporaryDirectory()
    server = try ChaosServer(in: directory)
    let upstream = """
      connections_warm = \(ChaosServer.connectionsWarm)
      connections_max = 16
      ping_interval = "1s"
      pong_timeout = "1s"
      connect_timeout = "2s"
      abandoned_timeout = "1s"
      """
    let sections = """
      [socket]
      requests_per_client_max = 16
      [queue]
      requests_max = 300
      """
    daemon = try DaemonProcess(
      Rig.configuration(server.process, upstream: upstream, sections: sections), in: directory)
    try daemon.waitForStatus("the pool") { status in
      status.openConnections.count >= ChaosServer.connectionsWarm
    }
  }

  func run(requests: Int, clients: Int) async throws {
    let start = ContinuousClock.now
    let memory = MemoryRecord(of: daemon.process.pid)
    let (server, daemon, ledger, seed) = (server, daemon, ledger, seed)
    do {
      try await Threads.run(count: clients + 1) { index in
        do {
          if index == clients {
            try Self.script(seed, server, daemon, ledger, memory, requests: requests)
          } else {
            let count = (requests + index) / clients
            var client = ChaosClient(
              index: index, count: count, socketPath: daemon.socketPath, ledger: ledger, seed: seed)
            try client.run()
          }
        } catch {
          ledger.fail()
          throw error
        }
      }
    } catch {
      let end = daemon.process.end().map { "\($0)" } ?? "runs"
      throw TestFailure("\(error)\nthe daemon: \(end); its log ends:\n\(daemon.log.suffix(3000))")
    }
    #expect(ledger.asked == requests)
    let duration = start.duration(to: .now)
    try waitForQuiet()
    try server.count()
    let twice = try ledger.compare(withRecord: server.record())
    memory.look(asked: requests)
    print(
      """
      chaos: seed \(seed), \(requests) requests in \(duration.inMilliseconds) ms, \
      \(twice) received twice
        endings: \(ledger.endings.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" })
        away → warm again: \(server.recoveries)
        resident: \(memory)
      """)
    judge(requests: requests, memory)
  }

  /// Has everything happen to the server, evenly spread over the requests.
  private static func script(
    _ seed: UInt64, _ server: ChaosServer, _ daemon: DaemonProcess, _ ledger: ChaosLedger,
    _ memory: MemoryRecord, requests: Int
  ) throws {
    var random = SplitMix64(seed: seed)
    let events = ChaosServer.events(&random)
    for (index, event) in events.enumerated() {
      let due = requests * (index + 1) / (events.count + 1)
      try poll(for: "request \(due) to be asked", within: .seconds(180)) {
        memory.look(asked: ledger.asked)
        return ledger.asked >= due || ledger.hasFailed ? () : nil
      }
      if ledger.hasFailed { return }
      try server.perform(event, daemon)
    }
    try poll(for: "the last request to be asked", within: .seconds(180)) {
      memory.look(asked: ledger.asked)
      return ledger.asked >= requests || ledger.hasFailed ? () : nil
    }
  }

  /// Nothing is left of any request.
  private func waitForQuiet() throws {
    try daemon.waitForStatus("nothing left") { status in
      status.queue.waiting.integer == 0 && status.busyConnections.isEmpty
        && status.memory_bytes.integer == 0 && status.clients.array.count == 1
        && status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
  }

  private func judge(requests: Int, _ memory: MemoryRecord) {
    #expect(server.faultsOfTheDaemon == 0, "requests on busy connections, or violations")
    for recovery in server.recoveries {
      guard case .outage = recovery.event, recovery.away <= Self.outageMax else { continue }
      #expect(recovery.took <= Self.recoveryMax, "\(recovery)")
    }
    let (middle, end) = (memory.middle(of: requests), memory.last)
    #expect(end * 10 <= middle * 11, "resident: \(middle) KiB in the middle, \(end) at the end")
    // A run in which little happened would prove little.
    let endings = ledger.endings
    #expect(endings["completed", default: 0] > requests / 2, "\(endings)")
    let expected = [
      "left", "cancelled", "(sent again)", "failed", "error: connection_lost", "error: timeout",
      "error: queue_timeout", "error: conversation_lost", "error: upstream_protocol",
      "refused: invalid_request", "refused: too_many_requests",
    ]
    for ending in expected { #expect(endings[ending] != nil, "none: \(ending); \(endings)") }
  }
}

/// Resident memory of a process over the run.
///
/// Any thread, one after the other.
final class MemoryRecord: @unchecked Sendable, CustomStringConvertible {
  private let path: String
  private var samples: [(asked: Int, kibibytes: Int)] = []

  init(of process: Int32) { path = "/proc/\(process)/status" }

  func look(asked: Int) {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    guard let words = line?.split(separator: " "), words.count > 1, let number = Int(words[1])
    else { return }
    samples.append((asked, number))
  }

  /// The most that was seen around the middle of the run.
  func middle(of requests: Int) -> Int {
    let range = requests * 2 / 5...requests * 3 / 5
    return samples.filter { range.contains($0.asked) }.map(\.kibibytes).max() ?? 0
  }

  var last: Int { samples.last?.kibibytes ?? 0 }

  /// Ten samples.
  var description: String {
    let picked = stride(from: 0, through: 10, by: 1).compactMap { tenth in
      samples.isEmpty ? nil : samples[(samples.count - 1) * tenth / 10]
    }
    return picked.map { "\($0.kibibytes) KiB at \($0.asked)" }.joined(separator: ", ")
  }
}
