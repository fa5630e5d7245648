import Foundation
import TestSupport
import Testing

/// One run of everything at once, and what it is judged by.
struct Chaos {
  /// With fewer, only what must hold of every request is judged: neither how soon the daemon
  /// recovers nor how much it holds, nor that everything has happened.
  static let requestsUsual = 10_000

  let seed: UInt64
  private let directory: TemporaryDirectory
  /// One that takes one request at a time on a connection, and one that has lanes.
  private let servers: [ChaosServer]
  private let daemon: DaemonProcess
  private let ledger = ChaosLedger()

  init(seed: UInt64) throws {
    self.seed = seed
    directory = try TemporaryDirectory()
    servers = [
      try ChaosServer("plain", hasLanes: false), try ChaosServer("lanes", hasLanes: true),
    ]
    let configuration = ChaosOperator(servers, in: directory, ledger).configuration
    daemon = try DaemonProcess(configuration, in: directory)
    try daemon.waitForStatus("the pools") { [servers] status in
      servers.allSatisfy { server in
        status.upstream(server.name).openConnections.count >= ChaosServer.connectionsWarm
      }
    }
  }

  func run(requests: Int, clients: Int) async throws {
    let start = ContinuousClock.now
    let memory = MemoryRecord(of: daemon.process.pid)
    let (servers, ledger) = (servers, ledger)
    let script = ChaosScript(
      seed: seed, servers: servers, daemon: daemon, directory: directory, ledger: ledger,
      memory: memory, requests: requests)
    do {
      try await Threads.run(count: clients + script.parts) { index in
        do {
          if index < clients {
            try script.client(index, of: clients)
          } else {
            try script.run(part: index - clients)
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
    for server in servers { try server.count() }
    let twice = try ledger.compare(withRecord: servers.map { try $0.record() }.joined())
    memory.look(asked: requests)
    let history = servers.map { "\n    \($0.name): \($0.history)" }.joined()
    print(
      """
      chaos: seed \(seed), \(requests) requests in \(duration.inMilliseconds) ms, \
      \(twice) received twice
        endings: \(ledger.endings.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" })
        away → warm again: \(history)
        resident: \(memory)
      """)
    judge(requests: requests, memory)
  }

  /// Nothing is left of any request.
  private func waitForQuiet() throws {
    try daemon.waitForStatus("nothing left") { status in
      status.queue.waiting.integer == 0
        && status.upstreams.array.flatMap(\.connections.array).allSatisfy {
          $0.state.string != "busy"
        }
        && status.memory_bytes.integer == 0 && status.clients.array.count == 1
        && status.clients.array.allSatisfy { $0.open_requests.integer == 0 }
    }
  }

  private func judge(requests: Int, _ memory: MemoryRecord) {
    for server in servers {
      #expect(server.faultsOfTheDaemon == 0, "requests on busy connections, or violations")
    }
    guard requests >= Self.requestsUsual else { return }
    for server in servers {
      let promised = server.recoveries.filter(\.isPromised)
      #expect(!promised.isEmpty, "\(server.recoveries)")
      for recovery in promised {
        #expect(recovery.isInTimeAmidFaults, "\(server.name): \(recovery)")
      }
    }
    let (middle, end) = (memory.middle(of: requests), memory.end(of: requests))
    #expect(end * 10 <= middle * 11, "resident: \(middle) KiB in the middle, \(end) at the end")
    // A run in which little happened would prove little.
    let endings = ledger.endings
    #expect(endings["completed", default: 0] > requests / 2, "\(endings)")
    let expected = [
      "left", "cancelled", "(sent again)", "failed", "error: connection_lost", "error: timeout",
      "error: queue_timeout", "error: conversation_lost", "error: upstream_protocol",
      "refused: invalid_request", "refused: too_many_requests", "refused: shutting_down",
      "(lane-1)", "(lane-2)", "(lane-3)", "(lane-4)",
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

  /// The median around the middle of the run.
  func middle(of requests: Int) -> Int { median(from: requests * 2 / 5, to: requests * 3 / 5) }

  /// The median of the last tenth, and of what remains when all is quiet.
  func end(of requests: Int) -> Int { median(from: requests * 9 / 10, to: requests) }

  private func median(from first: Int, to last: Int) -> Int {
    let range = first...last
    let sizes = samples.filter { range.contains($0.asked) }.map(\.kibibytes).sorted()
    return sizes.isEmpty ? 0 : sizes[sizes.count / 2]
  }

  /// Ten samples.
  var description: String {
    let picked = stride(from: 0, through: 10, by: 1).compactMap { tenth in
      samples.isEmpty ? nil : samples[(samples.count - 1) * tenth / 10]
    }
    return picked.map { "\($0.kibibytes) KiB at \($0.asked)" }.joined(separator: ", ")
  }
}
